"""Messages: who gets them, in which order, once, and only after they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from storage.keyring import Keyring
from tests.harness import Person, Server, Socket
from tests.storage.proxy import Proxy

Ack = dict[str, Any]


async def send(socket: Socket, room: str, content: str, **fields: Any) -> Ack:
    """The acknowledgement, without its ref."""
    ack = await socket.ask("message_ack", type="send_message", room_id=room, content=content, **fields)
    del ack["ref"]
    return ack


async def history(person: Person, room: str) -> list[dict[str, Any]]:
    """The oldest first."""
    answer = await person.ok("GET", f"/chat/sessions/{room}/messages?after=0&limit=200")
    return list(answer["messages"])


# Who gets a message


@pytest.mark.parametrize("client_id", [None, "c-1"])
async def test_a_message_and_its_acknowledgement_have_all_their_fields(
    client_id: str | None, server: Server
) -> None:
    """One identical frame for all who have joined, the sender too; history says the same."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his = await ann.chat(land), await bob.chat(land)
    given = {} if client_id is None else {"client_id": client_id}
    ack = await send(hers, land, "hello / 👋 </script>", **given)
    message = await his.next("message")
    assert message == {
        "type": "message",
        "id": ack["message_id"],
        "room_id": land,
        "seq": 1,
        "sender_id": ann.id,
        "sender_username": ann.name,
        "content": "hello / 👋 </script>",
        "created_at": ack["created_at"],
        **given,
    }
    assert ack == {
        "type": "message_ack",
        "client_id": client_id,
        "message_id": message["id"],
        "room_id": land,
        "seq": 1,
        "created_at": message["created_at"],
    }
    assert await hers.next("message") == message
    del message["type"]
    assert await history(bob, land) == [message]


async def test_in_a_land_a_message_reaches_the_connections_that_have_joined(server: Server) -> None:
    """Each once; another connection of the same user gets nothing."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, joined, also_joined, idle = (
        await ann.chat(land),
        await bob.chat(land),
        await bob.chat(land),
        await bob.chat(),
    )
    await send(hers, land, "hello")
    for socket in (hers, joined, also_joined):
        await socket.next("message")
    for socket in (hers, joined, also_joined, idle):
        await socket.quiet("message")


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_in_a_session_a_message_reaches_every_connection_of_every_member(
    kind: str, server: Server
) -> None:
    """Joined or not, once each, the sender's too; nobody else."""
    ann, bob, eve = await server.people(3)
    room = await (ann.private(bob) if kind == "private" else ann.group(bob))
    sockets = [await ann.chat(room), await ann.chat(), await bob.chat(room, room), await bob.chat()]
    theirs = await eve.chat()
    await send(sockets[1], room, "hello")
    messages = [await socket.next("message") for socket in sockets]
    assert all(message == messages[0] for message in messages)
    for socket in (*sockets, theirs):
        await socket.quiet("message")


async def test_a_message_sent_by_rest_is_delivered_like_one_by_socket(server: Server) -> None:
    """To those who have joined; the sender need not have."""
    ann, bob = await server.people(2)
    land = await ann.land()
    his = await bob.chat(land)
    posted = await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "hello", "client_id": "c"})
    assert await his.next("message") == {"type": "message", **posted}


@pytest.mark.parametrize("kind", ["land", "private", "group"])
async def test_deleting_a_message_is_told_where_it_was_heard(kind: str, server: Server) -> None:
    """Its id and place; history keeps the place alone."""
    ann, bob = await server.people(2)
    rooms = {"land": await ann.land(), "private": await ann.private(bob), "group": await ann.group(bob)}
    room = rooms[kind]
    hers, his, idle = await ann.chat(room), await bob.chat(room), await bob.chat()
    ack = await send(hers, room, "a slip")
    path = f"/chat/sessions/{room}/messages/{ack['message_id']}"
    status, error = await bob.call("DELETE", path)
    assert (status, error["error"]["code"]) == (403, "forbidden")
    await ann.ok("DELETE", path)
    told = {"type": "message_deleted", "room_id": room, "id": ack["message_id"], "seq": 1}
    for socket in (hers, his):
        assert await socket.next("message_deleted") == told
    if kind == "land":
        await idle.quiet("message_deleted")
    else:
        assert await idle.next("message_deleted") == told
    assert await history(bob, room) == [{"id": ack["message_id"], "room_id": room, "seq": 1, "deleted": True}]


# Sending again


async def test_sending_again_gets_the_first_acknowledgement_and_does_nothing(server: Server) -> None:
    """By the same connection, another one, and REST."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, other, his = await ann.chat(), await ann.chat(), await bob.chat()
    ack = await send(hers, room, "once", client_id="c")
    assert await send(hers, room, "once", client_id="c") == ack
    assert await send(other, room, "in other words", client_id="c") == ack
    posted = await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "x", "client_id": "c"})
    assert (posted["id"], posted["seq"], posted["content"]) == (ack["message_id"], 1, "once")
    await his.next("message", content="once")
    await his.quiet("message")
    assert len(await history(bob, room)) == 1


async def test_what_was_sent_by_rest_is_not_sent_again_by_socket(server: Server) -> None:
    """The same record, whichever way it came."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    posted = await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "once", "client_id": "c"})
    ack = await send(await ann.chat(), room, "once", client_id="c")
    assert (ack["message_id"], ack["seq"], ack["created_at"]) == (
        posted["id"],
        posted["seq"],
        posted["created_at"],
    )
    assert len(await history(bob, room)) == 1


async def test_many_at_once_under_one_client_id_make_one_message(server: Server) -> None:
    """A client that loses its patience: all of them get the same acknowledgement."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    sockets = [await ann.chat() for _ in range(4)]
    his = await bob.chat()
    acks = await asyncio.gather(
        *(send(socket, room, "once", client_id="c") for socket in sockets for _ in range(5))
    )
    assert all(ack == acks[0] for ack in acks)
    await his.next("message")
    await his.quiet("message")


async def test_a_deleted_message_is_not_sent_again(server: Server) -> None:
    """Its record is kept: the acknowledgement comes, the content stays gone."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers = await ann.chat()
    ack = await send(hers, room, "a slip", client_id="c")
    await ann.ok("DELETE", f"/chat/sessions/{room}/messages/{ack['message_id']}")
    assert await send(hers, room, "a slip", client_id="c") == ack
    assert [message.get("deleted") for message in await history(bob, room)] == [True]


async def test_sending_again_after_a_restart_is_still_harmless(server: Server) -> None:
    """The store decides, not memory; and the order goes on where it was."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    ack = await send(await ann.chat(), room, "once", client_id="c")
    await server.stop()
    await server.start()
    hers = await ann.chat()
    assert await send(hers, room, "once", client_id="c") == ack
    assert (await send(hers, room, "next", client_id="d"))["seq"] == 2
    assert [message["content"] for message in await history(bob, room)] == ["once", "next"]


async def test_a_client_id_means_something_to_one_sender_in_one_room(server: Server) -> None:
    """Another sender, or another room, makes another message."""
    ann, bob = await server.people(2)
    room, group = await ann.private(bob), await ann.group(bob)
    hers, his = await ann.chat(), await bob.chat()
    acks = [
        await send(hers, room, "hers", client_id="c"),
        await send(his, room, "his", client_id="c"),
        await send(hers, group, "to the group", client_id="c"),
    ]
    assert len({ack["message_id"] for ack in acks}) == 3
    assert [ack["seq"] for ack in acks] == [1, 2, 1]


# Order


def seqs(socket: Socket) -> list[int]:
    return [message["seq"] for message in socket.taken("message")]


@pytest.mark.parametrize("kind", ["land", "group"])
async def test_the_order_of_delivery_is_that_of_seq(kind: str, server: Server) -> None:
    """With several publishers at once, by socket and by REST: everybody sees 1, 2, 3 and so on."""
    people = await server.people(4)
    ann = people[0]
    room = await (ann.land() if kind == "land" else ann.group(*people[1:]))
    sockets = [await person.chat(room) for person in people]

    async def post(number: int) -> None:
        await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": f"posted {number}"})

    await asyncio.gather(
        *(send(socket, room, f"{number}") for number in range(25) for socket in sockets),
        *(post(number) for number in range(10)),
    )
    for socket in sockets:
        await socket.quiet("error")
        assert seqs(socket) == list(range(1, 111))
    assert [message["seq"] for message in await history(ann, room)] == list(range(1, 111))


async def test_one_connection_is_answered_in_the_order_it_sent(server: Server) -> None:
    """Without waiting for any answer."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers = await ann.chat()
    for number in range(100):
        await hers.send(type="send_message", room_id=room, content=str(number), client_id=str(number))
    acks = [await hers.next("message_ack") for _ in range(100)]
    assert [(ack["client_id"], ack["seq"]) for ack in acks] == [(str(n), n + 1) for n in range(100)]
    assert [message["content"] for message in await history(bob, room)] == [str(n) for n in range(100)]


async def test_joining_in_the_middle_of_a_flood_misses_nothing(server: Server) -> None:
    """What is above `last_seq` is delivered on that connection, what is not is in the history: no gap, no double."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers = await ann.chat(land)
    joiners = [await bob.chat() for _ in range(20)]
    count = 400

    async def flood() -> None:
        for number in range(count):
            await hers.send(type="send_message", room_id=land, content=str(number))
            if number % 10 == 0:
                await asyncio.sleep(0)

    async def join(socket: Socket, after: int) -> int:
        while not any(event.get("seq", 0) >= after for event in hers.events):
            await asyncio.sleep(0.001)
        return int((await socket.ask("joined_room", type="join_room", room_id=land))["last_seq"])

    flooding = asyncio.ensure_future(flood())
    last_seqs = await asyncio.gather(*(join(socket, 1 + 15 * place) for place, socket in enumerate(joiners)))
    await flooding
    await hers.next("message", seq=count)
    for socket, last_seq in zip(joiners, last_seqs, strict=True):
        await socket.quiet("error")
        assert seqs(socket) == list(range(last_seq + 1, count + 1))
    assert len(set(last_seqs)) > 3, "nobody joined in the middle"


# Durability


@pytest.mark.logs("storage_failed")
@pytest.mark.parametrize("lost", ["lose_requests", "lose_answers"])
async def test_nothing_is_acknowledged_or_told_before_it_is_written(
    lost: str, mongodb_uri: str, database_name: str, keyring: Keyring
) -> None:
    """While the database is silent: `unavailable`. Sent again afterwards, it is there once, for everybody."""
    proxy = Proxy(int(mongodb_uri.partition("//")[2].partition("/")[0].rpartition(":")[2]))
    async with Server(await proxy.start(), database_name, keyring, storage_timeout=1.0) as server:
        ann, bob = await server.people(2)
        room = await ann.private(bob)
        hers, his = await ann.chat(), await bob.chat()
        await send(hers, room, "first", client_id="a")
        await his.next("message", seq=1)
        setattr(proxy, lost, True)
        await hers.refused("unavailable", type="send_message", room_id=room, content="second", client_id="b")
        await hers.quiet("message_ack")
        await his.quiet("message")
        proxy.pass_on()
        ack = await sent_at_last(hers, room, "second", client_id="b")
        assert ack["seq"] == 2
        assert (await his.next("message"))["seq"] == 2
        assert (await send(hers, room, "third"))["seq"] == 3
        assert (await his.next("message"))["seq"] == 3
        assert [message["content"] for message in await history(bob, room)] == ["first", "second", "third"]
    await proxy.stop()


async def sent_at_last(socket: Socket, room: str, content: str, client_id: str) -> Ack:
    """Sends again until it is acknowledged, as a client does."""
    async with asyncio.timeout(30):
        for number in range(1_000_000):
            ref = f"again-{number}"
            await socket.send(
                type="send_message", room_id=room, content=content, client_id=client_id, ref=ref
            )
            while not (found := [event for event in socket.events if event.get("ref") == ref]):
                await asyncio.sleep(0.01)
            if found[0]["type"] == "message_ack":
                return found[0]
    raise AssertionError("unreachable")


async def test_what_is_acknowledged_is_there_for_another_server_on_the_same_database(
    new_server: Callable[..., Server],
) -> None:
    """At the moment of the acknowledgement, however many are under way."""
    async with new_server() as server, new_server() as second:
        ann, bob = await server.people(2)
        room = await ann.private(bob)
        hers = await ann.chat()
        reader = Person(second, bob.pair)

        async def check(number: int) -> None:
            ack = await send(hers, room, str(number))
            messages = await history(reader, room)
            assert messages[ack["seq"] - 1]["id"] == ack["message_id"]

        await asyncio.gather(*(check(number) for number in range(30)))
