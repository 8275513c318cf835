"""Rooms: joining, leaving, who is told, who may come in, and how a room ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.errors import LOGGED_OUT
from server.services import sessions
from storage.records import Session
from tests.harness import Person, Server, Socket


def named(*people: Person) -> list[dict[str, str]]:
    return [{"user_id": person.id, "username": person.name} for person in people]


async def join(socket: Socket, room_id: str) -> dict[str, Any]:
    """`joined_room` without its ref."""
    answer = await socket.ask("joined_room", type="join_room", room_id=room_id)
    del answer["ref"]
    return answer


# Joining and leaving


async def test_joining_a_land_tells_who_is_there_and_where_its_history_ends(server: Server) -> None:
    """Every field of `joined_room`, the one who joins among the members."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his = await ann.chat(), await bob.chat()
    expected = {"type": "joined_room", "room_id": land, "kind": "land"}
    assert await join(hers, land) == {
        **expected,
        "members": named(ann),
        "member_count": 1,
        "last_seq": 0,
    }
    await hers.ask("message_ack", type="send_message", room_id=land, content="hello")
    assert await join(his, land) == {
        **expected,
        "members": named(ann, bob),
        "member_count": 2,
        "last_seq": 1,
    }


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_joining_a_session_names_its_kind_and_those_present(kind: str, server: Server) -> None:
    """Present are those who have joined, not all members."""
    ann, bob = await server.people(2)
    room = await (ann.private(bob) if kind == "private" else ann.group(bob))
    await ann.chat()
    answer = await join(await bob.chat(), room)
    assert answer == {
        "type": "joined_room",
        "room_id": room,
        "kind": kind,
        "members": named(bob),
        "member_count": 1,
        "last_seq": 0,
    }


async def test_joining_twice_succeeds_and_is_no_news(server: Server) -> None:
    """The second answer is like the first; nobody hears of it."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his = await ann.chat(land), await bob.chat()
    first = await join(his, land)
    await hers.next("user_joined")
    assert await join(his, land) == first
    await hers.quiet()
    await his.send(type="leave_room", room_id=land)
    await hers.next("user_left")  # and one leave is enough


async def test_leaving_a_room_that_was_not_joined_succeeds(server: Server) -> None:
    """An unjoined room, and one that does not exist; nobody hears of it."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his = await ann.chat(land), await bob.chat()
    for room in (land, "nowhere"):
        left = await his.ask("left_room", type="leave_room", room_id=room)
        assert left == {"type": "left_room", "room_id": room, "ref": left["ref"]}
    await hers.quiet()


async def test_coming_and_going_is_told_once_a_user(server: Server) -> None:
    """At the first connection in the room and at the last; to the others, on each of their connections."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, her_other = await ann.chat(land), await ann.chat(land)
    his, his_other, idle = await bob.chat(land), await bob.chat(land), await bob.chat()
    for socket in (hers, her_other):
        joined = await socket.next("user_joined", user_id=bob.id)
        assert joined == {"type": "user_joined", "room_id": land, "user_id": bob.id, "username": bob.name}
    await his.ask("left_room", type="leave_room", room_id=land)
    await hers.quiet()
    await his_other.ask("left_room", type="leave_room", room_id=land)
    for socket in (hers, her_other):
        assert await socket.next("user_left") == {"type": "user_left", "room_id": land, "user_id": bob.id}
        await socket.quiet()
    for socket in (his, his_other, idle):
        await socket.quiet()


async def test_a_disconnect_leaves_every_room(server: Server) -> None:
    """As if each had been left, and only with the user's last connection there."""
    ann, bob = await server.people(2)
    land, group = await ann.land(), await ann.group(bob)
    hers = await ann.chat(land, group)
    his, his_other = await bob.chat(land, group), await bob.chat(group)
    hers.taken("user_joined")
    await his.close()
    await hers.next("user_left", room_id=land, user_id=bob.id)
    await hers.quiet("user_left")
    await his_other.close()
    await hers.next("user_left", room_id=group, user_id=bob.id)


async def test_leaving_a_room_does_not_leave_the_session(server: Server) -> None:
    """What is said in a private session still arrives, and the session is still listed."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(room), await bob.chat(room)
    await his.ask("left_room", type="leave_room", room_id=room)
    await hers.ask("message_ack", type="send_message", room_id=room, content="still there?")
    await his.next("message", content="still there?")
    listed = await bob.ok("GET", "/chat/sessions")
    assert [session["id"] for session in listed["sessions"]] == [room]


async def test_the_fifty_longest_present_are_named(server: Server) -> None:
    """The count is of all."""
    people = await server.people(52)
    land = await people[0].land()
    sockets = [await person.chat(land) for person in people[:-1]]
    answer = await join(await people[-1].chat(), land)
    assert (answer["members"], answer["member_count"]) == (named(*people[:50]), 52)
    await sockets[0].ask("left_room", type="leave_room", room_id=land)
    answer = await join(sockets[0], land)
    assert answer["members"] == named(*people[1:51])


# A crowd


async def test_a_crowd_in_a_land_is_told_by_count(server: Server) -> None:
    """Above 100 present: `room_count` in place of names, once a second at most, and no typing."""
    people = await server.people(104)
    land = await people[0].land()
    first = await people[0].chat(land)
    crowd = [await person.chat(land) for person in people[1:100]]
    assert len(first.taken("user_joined")) == 99
    await first.quiet()

    late = [await person.chat() for person in people[100:]]
    await asyncio.gather(*(join(socket, land) for socket in late))
    assert await first.next("room_count") == {"type": "room_count", "room_id": land, "member_count": 101}
    assert await first.next("room_count") == {"type": "room_count", "room_id": land, "member_count": 104}

    await crowd[0].send(type="typing", room_id=land, is_typing=True)
    await crowd[0].ask("left_room", type="leave_room", room_id=land)
    await late[0].close()
    assert (await first.next("room_count"))["member_count"] == 102
    await first.quiet("user_joined", "user_left", "typing")
    assert (await join(crowd[0], land))["member_count"] == 103


# Who may come in


async def requests_to(socket: Socket, room: str) -> list[dict[str, Any]]:
    """The error of each request that needs a room, without its ref."""
    errors = [
        await socket.refused("not_found", type="join_room", room_id=room),
        await socket.refused("not_found", type="send_message", room_id=room, content="x"),
        await socket.refused("not_found", type="typing", room_id=room, is_typing=True),
        await socket.refused("not_found", type="mark_read", room_id=room, seq=0),
    ]
    for error in errors:
        del error["ref"]
    return errors


async def test_absent_and_closed_rooms_look_the_same(server: Server) -> None:
    """`not_found`, word for word, and before any `not_joined`; those inside hear nothing."""
    ann, bob, eve = await server.people(3)
    rooms = [await ann.land(access="invited"), await ann.private(bob), await ann.group(bob)]
    hers, theirs = await ann.chat(*rooms), await eve.chat()
    absent = await requests_to(theirs, "no-such-room")
    for room in rooms:
        assert await requests_to(theirs, room) == absent
    await hers.quiet()


async def test_by_socket_one_joins_a_land_before_writing(server: Server) -> None:
    """`not_joined` for each connection that has not, although another has."""
    ann, bob = await server.people(2)
    land = await ann.land()
    joined, other = await bob.chat(land), await bob.chat()
    for socket in (other, joined):
        await socket.ask("left_room", type="leave_room", room_id=land)
        await socket.refused("not_joined", type="send_message", room_id=land, content="x")
        await socket.refused("not_joined", type="typing", room_id=land, is_typing=True)


async def test_an_invited_land_lets_in_its_owner_and_those_listed(server: Server) -> None:
    """And no stranger, by REST either."""
    ann, bob, eve = await server.people(3)
    land = await ann.land(access="invited", invited_ids=[bob.id])
    for guest in (ann, bob):
        await guest.chat(land)
    status, error = await eve.call("GET", f"/chat/sessions/{land}/messages")
    assert (status, error["error"]["code"]) == (404, "not_found")
    status, error = await eve.call("POST", f"/chat/sessions/{land}/messages", {"content": "x"})
    assert (status, error["error"]["code"]) == (404, "not_found")


async def test_one_who_is_struck_off_is_put_out(server: Server) -> None:
    """On every connection; the others see that they left, and nothing said later reaches them."""
    ann, bob, cat = await server.people(3)
    land = await ann.land(access="invited", invited_ids=[bob.id, cat.id])
    hers, cats = await ann.chat(land), await cat.chat(land)
    his = [await bob.chat(land), await bob.chat(land)]
    await ann.ok("PATCH", f"/lands/{land}", {"invited_ids": [cat.id]})
    for socket in his:
        assert await socket.next("left_room") == {"type": "left_room", "room_id": land}
    for socket in (hers, cats):
        await socket.next("user_left", user_id=bob.id)
    await hers.ask("message_ack", type="send_message", room_id=land, content="now he is gone")
    await cats.next("message")
    for socket in his:
        await socket.quiet("message")
        await requests_to(socket, land)


async def test_a_land_that_closes_its_doors_keeps_those_listed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its record is no longer in memory, as with many rooms in use."""
    ann, bob, eve = await server.people(3)
    land = await ann.land()
    hers, his, theirs = await ann.chat(land), await bob.chat(land), await eve.chat(land)
    monkeypatch.setattr(sessions, "CACHED", 1)
    await ann.private(bob)
    await ann.ok("PATCH", f"/lands/{land}", {"access": "invited", "invited_ids": [bob.id]})
    await theirs.next("left_room", room_id=land)
    await his.quiet("left_room")
    await hers.ask("message_ack", type="send_message", room_id=land, content="among us")
    await his.next("message")


# Changes from elsewhere


async def test_deleting_a_land_closes_its_room(server: Server) -> None:
    """Those who have joined are told, and the room is as if it had never been."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his, idle = await ann.chat(land), await bob.chat(land), await bob.chat()
    await hers.next("user_joined")
    await ann.ok("DELETE", f"/lands/{land}")
    for socket in (hers, his):
        assert await socket.next("room_closed") == {"type": "room_closed", "room_id": land}
        await socket.quiet()
        await requests_to(socket, land)
    await idle.quiet()
    status, _ = await bob.call("GET", f"/chat/sessions/{land}/messages")
    assert status == 404


@pytest.mark.parametrize("name", [None, "the three"])
async def test_a_new_session_is_told_to_every_member_with_its_whole_shape(
    name: str | None, server: Server
) -> None:
    """On all their connections, the maker's too; opening a private one again is no news."""
    ann, bob = await server.people(2)
    sockets = [await ann.chat(), await bob.chat(), await bob.chat()]
    body = {"participant_ids": [bob.id], **({"name": name} if name else {})}
    session = await ann.ok("POST", "/chat/sessions", body)
    shapes = [
        {"id": person.id, "username": person.name, "display_name": person.name} for person in (ann, bob)
    ]
    assert session == {
        "id": session["id"],
        "kind": "group" if name else "private",
        **({"name": name} if name else {}),
        "members": shapes,
        "last_message": None,
        "last_seq": 0,
        "read_seq": 0,
        "unread": 0,
    }
    for socket in sockets:
        assert await socket.next("session_created") == {"type": "session_created", "session": session}
    if name is None:
        await bob.private(ann)
    for socket in sockets:
        await socket.quiet()


async def test_members_who_are_added_are_told_and_hear_what_follows(server: Server) -> None:
    """`members_changed` to everybody, `session_created` to the new one, who starts with nothing unread."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob)
    hers, his, cats = await ann.chat(group), await bob.chat(), await cat.chat()
    await hers.ask("message_ack", type="send_message", room_id=group, content="before")
    await bob.ok("POST", f"/chat/sessions/{group}/members", {"user_ids": [cat.id]})
    expected = {"type": "members_changed", "room_id": group, "added": named(cat), "removed": []}
    for socket in (hers, his, cats):
        assert await socket.next("members_changed") == expected
    session = (await cats.next("session_created"))["session"]
    assert (session["id"], session["last_seq"], session["read_seq"], session["unread"]) == (group, 1, 1, 0)
    await hers.ask("message_ack", type="send_message", room_id=group, content="after")
    await cats.next("message", content="after")
    for socket in (hers, his):
        await socket.quiet("session_created")


async def test_a_member_who_is_removed_is_told_and_hears_nothing_more(server: Server) -> None:
    """Out of the room on every connection, out of the session, and told so like the others."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob, cat)
    hers, his, cats = await ann.chat(group), await bob.chat(group), await cat.chat()
    await ann.ok("DELETE", f"/chat/sessions/{group}/members/{bob.id}")
    expected = {"type": "members_changed", "room_id": group, "added": [], "removed": [bob.id]}
    for socket in (hers, his, cats):
        assert await socket.next("members_changed") == expected
    await hers.next("user_left", room_id=group, user_id=bob.id)
    await hers.ask("message_ack", type="send_message", room_id=group, content="without him")
    await cats.next("message")
    await his.quiet("message")
    await requests_to(his, group)


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "join_room"},
        {"type": "send_message", "content": "x"},
        {"type": "typing", "is_typing": True},
        {"type": "mark_read", "seq": 0},
    ],
    ids=lambda request: request["type"],
)
async def test_a_request_whose_connection_ends_meanwhile_does_no_harm(
    request_: dict[str, Any], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is gone by the time storage has answered: nobody is left behind in the room."""
    ann, bob = await server.people(2)
    group = await ann.group(bob)
    await server.stop()
    await server.start()  # nothing is cached any more
    socket = await ann.chat()
    get = server.store.sessions.get

    async def get_slowly(session_id: str) -> Session | None:
        server.app.node.chat.of_user(ann.id)[0].close(LOGGED_OUT)
        await socket.ended()
        return await get(session_id)

    monkeypatch.setattr(server.store.sessions, "get", get_slowly)
    await socket.send(**request_, room_id=group)
    await socket.ended()
    monkeypatch.undo()
    his = await bob.chat()
    assert (await join(his, group))["members"] == named(bob)
    await his.ask("message_ack", type="send_message", room_id=group, content="all is well")
