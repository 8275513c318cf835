"""Coming back: what was missed is replayed in order, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from server.services import resuming
from tests.harness import Person, Server, Socket


async def say(person: Person, room: str, *texts: str) -> list[dict[str, Any]]:
    path = f"/chat/sessions/{room}/messages"
    return [await person.ok("POST", path, {"content": text}) for text in texts]


async def resume(socket: Socket, room: str, after: int) -> dict[str, Any]:
    return await socket.ask("resumed", type="resume", rooms=[{"room_id": room, "after_seq": after}])


async def replayed(socket: Socket, room: str, after: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`resumed`, and the messages that came before it."""
    await socket.send(type="resume", rooms=[{"room_id": room, "after_seq": after}])
    resumed = await socket.next("resumed", room_id=room)
    return resumed, socket.taken("message")


async def room_of(kind: str, ann: Person, bob: Person) -> str:
    if kind == "land":
        return await ann.land()
    return await ann.private(bob) if kind == "private" else await ann.group(bob)


@pytest.mark.parametrize("kind", ["land", "private", "group"])
@pytest.mark.parametrize("restart", [False, True], ids=["from memory", "from the store"])
async def test_what_was_missed_comes_in_order_and_then_what_is_said(
    kind: str, restart: bool, server: Server
) -> None:
    """The frames are those that others got; then it is as if the connection had joined."""
    ann, bob = await server.people(2)
    room = await room_of(kind, ann, bob)
    said = await say(ann, room, "one", "two", "three")
    if restart:
        await server.stop()
        await server.start()
    his = await bob.chat()
    resumed, messages = await replayed(his, room, 1)
    assert messages == [{"type": "message", **message} for message in said[1:]]
    assert resumed == {
        "type": "resumed",
        "room_id": room,
        "kind": kind,
        "members": [{"user_id": bob.id, "username": bob.name}],
        "member_count": 1,
        "last_seq": 3,
        "complete": True,
        "deleted": [],
    }
    (four,) = await say(ann, room, "four")
    assert await his.next("message") == {"type": "message", **four}
    await his.quiet("message", "joined_room")


async def test_many_rooms_in_the_order_asked_with_one_ref(server: Server) -> None:
    """A room that may not be entered, or is not there, is an error for itself alone."""
    ann, bob, cleo = await server.people(3)
    land, private, foreign = await ann.land(), await ann.private(bob), await ann.private(cleo)
    await say(ann, land, "in the land")
    await say(ann, private, "in private")
    his = await bob.chat()
    rooms = [{"room_id": room, "after_seq": 0} for room in (private, foreign, "absent", land)]
    await his.send(type="resume", rooms=rooms, ref="back")
    await his.ask("pong", type="ping")
    shown = [
        (event["type"], event["room_id"], event.get("ref"), event.get("code"), event.get("last_seq"))
        for event in his.events
        if event["type"] in ("message", "resumed", "error")
    ]
    assert shown == [
        ("message", private, None, None, None),
        ("resumed", private, "back", None, 1),
        ("error", foreign, "back", "not_found", None),
        ("error", "absent", "back", "not_found", None),
        ("message", land, None, None, None),
        ("resumed", land, "back", None, 1),
    ]


async def test_it_joins(server: Server) -> None:
    """The others see who comes, and one may write in the land."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers = await ann.chat(land)
    his = await bob.chat()
    await resume(his, land, 0)
    assert await hers.next("user_joined") == {
        "type": "user_joined",
        "room_id": land,
        "user_id": bob.id,
        "username": bob.name,
    }
    await his.ask("message_ack", type="send_message", room_id=land, content="back again")


@pytest.mark.parametrize("missed", [resuming.MOST_MISSED, resuming.MOST_MISSED + 1])
async def test_who_has_missed_too_much_is_told_so(missed: int, server: Server) -> None:
    """Joined, nothing replayed, `complete` is false; at the bound everything still is."""
    ann, bob = await server.people(2)
    private = await ann.private(bob)
    hers = await ann.chat()
    for number in range(missed):
        await hers.send(type="send_message", room_id=private, content=str(number))
    await hers.next("message", seq=missed)
    his = await bob.chat()
    resumed, messages = await replayed(his, private, 0)
    assert (resumed["last_seq"], resumed["complete"]) == (missed, missed <= resuming.MOST_MISSED)
    assert [message["content"] for message in messages] == (
        [str(number) for number in range(missed)] if resumed["complete"] else []
    )
    await say(ann, private, "and on")
    await his.next("message", content="and on")


async def test_who_has_seen_more_than_there_is_was_in_another_room(server: Server) -> None:
    """After a restored backup, say: not complete, and live from there on."""
    ann, bob = await server.people(2)
    land = await ann.land()
    await say(ann, land, "one")
    his = await bob.chat()
    resumed, messages = await replayed(his, land, 2)
    assert (resumed["last_seq"], resumed["complete"], messages) == (1, False, [])
    await say(ann, land, "two")
    assert (await his.next("message"))["seq"] == 2


@pytest.mark.parametrize("kind", ["land", "private"])
async def test_what_was_heard_is_not_replayed(kind: str, server: Server) -> None:
    """A private message that was said after the connection opened came by itself; in a land, one after joining."""
    ann, bob = await server.people(2)
    room = await room_of(kind, ann, bob)
    await say(ann, room, "one", "two")
    his = await bob.chat(*([room] if kind == "land" else []))
    await say(ann, room, "three")
    assert (await his.next("message"))["seq"] == 3
    _, messages = await replayed(his, room, 0)
    assert [message["seq"] for message in messages] == [1, 2]
    _, messages = await replayed(his, room, 0)
    assert messages == []  # as when the answer to the first request seemed lost
    await his.ask("left_room", type="leave_room", room_id=room)
    await say(ann, room, "four")
    _, messages = await replayed(his, room, 3)
    assert [message["seq"] for message in messages] == [4]
    assert his.taken("message") == []


async def test_a_member_who_was_away_from_a_group_has_missed_what_was_said(server: Server) -> None:
    """Removed and taken in again on an open connection: what was said between is replayed, nothing twice."""
    ann, bob, cleo = await server.people(3)
    group = await ann.group(bob, cleo)
    his = await bob.chat()
    await say(ann, group, "one")
    await ann.ok("DELETE", f"/chat/sessions/{group}/members/{bob.id}")
    await say(ann, group, "two", "three")
    await ann.ok("POST", f"/chat/sessions/{group}/members", {"user_ids": [bob.id]})
    await say(ann, group, "four")
    await his.next("message", seq=4)
    his.taken("message")
    _, messages = await replayed(his, group, 1)
    assert [message["seq"] for message in messages] == [2, 3]


async def test_what_was_deleted_meanwhile(server: Server) -> None:
    """Deleted before one went: not told. Deleted since: told by id, and not replayed, also after a restart."""
    ann, bob = await server.people(2)
    private = await ann.private(bob)
    said = await say(ann, private, "zero", "one", "two")

    async def delete(number: int) -> None:
        await ann.ok("DELETE", f"/chat/sessions/{private}/messages/{said[number]['id']}")

    await delete(0)
    said += await say(ann, private, "three", "four", "five")  # the last one that bob has seen is "three"
    await delete(1)
    await delete(4)
    for _ in range(2):
        his = await bob.chat()
        resumed, messages = await replayed(his, private, 4)
        assert sorted(resumed["deleted"]) == sorted([said[1]["id"], said[4]["id"]])
        assert [message["content"] for message in messages] == ["five"]
        await server.stop()
        await server.start()


async def test_a_deletion_while_messages_flow_is_told_to_whoever_was_not_there(server: Server) -> None:
    """Whatever one has seen of the room when the connection went, the deletion is heard on it or told afterwards."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers = await ann.chat(land)

    async def flow() -> None:
        for number in range(150):
            await hers.ask("message_ack", type="send_message", room_id=land, content=str(number))

    flowing = asyncio.create_task(flow())
    deleted: set[str] = set()
    heard: set[str] = set()
    his = await bob.chat(land)
    seq = 0
    while seq < 150:
        message = await his.next("message")
        seq = message["seq"]
        deleting = asyncio.create_task(ann.ok("DELETE", f"/chat/sessions/{land}/messages/{message['id']}"))
        deleted.add(message["id"])
        await asyncio.sleep(random.uniform(0, 0.006))
        await his.close()
        heard |= {event["id"] for event in his.taken("message_deleted")}
        seq = max([seq, *(event["seq"] for event in his.taken("message"))])
        await deleting
        his = await bob.chat()
        resumed, messages = await replayed(his, land, seq)
        seq = max([resumed["last_seq"], *(event["seq"] for event in messages)])
        heard |= {event["id"] for event in his.taken("message_deleted")} | set(resumed["deleted"])
    await flowing
    assert deleted <= heard


@pytest.mark.parametrize("kind", ["land", "private"])
async def test_no_gap_and_no_double_whatever_arrives_meanwhile(kind: str, server: Server) -> None:
    """Two devices that come and go for as long as messages flow each see every message once, in order."""
    ann, bob = await server.people(2)
    room = await room_of(kind, ann, bob)
    writers = [await ann.chat(*([room] if kind == "land" else [])) for _ in range(3)]

    async def write(socket: Socket, count: int) -> None:
        for number in range(count):
            await socket.ask("message_ack", type="send_message", room_id=room, content=f"{number}")
            if number % 7 == 0:
                await asyncio.sleep(0.002)

    async def device(seed: int) -> list[int]:
        """Every `seq` that it got, from connection to connection, each time ordered as a client does."""
        rng = random.Random(seed)
        seen: list[int] = []
        done = False
        while not done:
            done = writing.done()
            his = await bob.chat()
            last = seen[-1] if seen else 0
            resumed = await resume(his, room, last)
            assert resumed["complete"]
            # All up to `last_seq` has come when it is said, what comes after it comes later.
            got = [event["seq"] for event in his.taken("message")]
            assert {*range(last + 1, resumed["last_seq"] + 1)} <= set(got)
            await asyncio.sleep(rng.uniform(0, 0.03))
            await his.close()
            got += [event["seq"] for event in his.taken("message")]
            assert len(got) == len(set(got)), "a message came twice on one connection"
            seen += sorted(got)
            assert seen == list(range(1, len(seen) + 1))
        return seen

    writing = asyncio.gather(*(write(socket, 120) for socket in writers))
    seen = await asyncio.gather(*(device(seed) for seed in range(2)))
    await writing
    assert [len(each) for each in seen] == [360, 360]


async def test_a_slow_reader_is_replayed_as_fast_as_it_reads(server: Server) -> None:
    """Far more than the buffer holds comes through; the connection is not ended as too slow."""
    ann, bob = await server.people(2)
    private = await ann.private(bob)
    long = "x" * 4_000
    hers = await ann.chat()
    for _ in range(900):
        await hers.send(type="send_message", room_id=private, content=long)
    await hers.next("message", seq=900)
    assert server.settings.buffer_bytes < 900 * len(long) / 2
    his = await bob.chat()
    resumed, messages = await replayed(his, private, 0)
    assert resumed["complete"]
    assert [message["seq"] for message in messages] == list(range(1, 901))


@pytest.mark.parametrize(
    ("rooms", "sentence"),
    [
        ([], "expected a room or `speech_after`"),
        ([{"room_id": "a", "after_seq": 0}] * 2, "named twice"),
        ([{"room_id": f"{number}", "after_seq": 0} for number in range(201)], "of length <= 200"),
        ([{"room_id": "a", "after_seq": -1}], ">= 0"),
        ([{"room_id": "a"}], "after_seq"),
    ],
)
async def test_what_cannot_be_asked(rooms: list[Any], sentence: str, server: Server) -> None:
    (ann,) = await server.people(1)
    hers = await ann.chat()
    error = await hers.refused("invalid_message", type="resume", rooms=rooms)
    assert sentence in error["message"]


async def test_many_who_come_back_are_one_reading(server: Server) -> None:
    """After a restart the rooms are read for all who return together, not once for each."""
    people = await server.people(60)
    lands = [await people[0].land(x * 20) for x in range(3)]
    for land in lands:
        await say(people[0], land, "one", "two")
    privates = [await person.private(people[0]) for person in people[1:]]
    for private in privates:
        await say(people[0], private, "psst")
    for land in lands:  # everybody has been there
        for person in people:
            await (await person.chat(land)).close()
    await server.stop()
    await server.start()
    operations: Counter[str] = Counter()

    def observe(operation: str, seconds: float) -> None:
        operations[operation] += 1

    server.store.observe = observe
    sockets = await asyncio.gather(*(person.chat() for person in people[1:]))
    rooms = [
        [
            {"room_id": room, "after_seq": after}
            for room, after in ((private, 0), *((land, 1) for land in lands))
        ]
        for private in privates
    ]
    await asyncio.gather(
        *(socket.send(type="resume", rooms=mine) for socket, mine in zip(sockets, rooms, strict=True))
    )
    for socket in sockets:
        for _ in range(4):
            assert (await socket.next("resumed"))["complete"]
        assert len(socket.taken("message")) == 4
    assert operations.total() < len(sockets), operations
