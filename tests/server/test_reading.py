"""How far somebody has read: marks, what is unread, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Person, Server, Socket


async def send(socket: Socket, room: str, count: int = 1) -> None:
    for _ in range(count):
        await socket.ask("message_ack", type="send_message", room_id=room, content="x")


async def marks(person: Person, room: str) -> tuple[int, int, int]:
    """(last_seq, read_seq, unread), which the session and the list agree on."""
    session = await person.ok("GET", f"/chat/sessions/{room}")
    listed = (await person.ok("GET", "/chat/sessions"))["sessions"]
    assert session in listed
    return session["last_seq"], session["read_seq"], session["unread"]


async def read(socket: Socket, room: str, seq: int) -> dict[str, Any]:
    answer = await socket.ask("read", type="mark_read", room_id=room, seq=seq)
    del answer["ref"]
    return answer


async def test_unread_is_what_came_since_the_mark_and_sending_marks_read(server: Server) -> None:
    """Each side counts for itself."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(), await bob.chat()
    await send(hers, room, 3)
    assert await marks(ann, room) == (3, 3, 0)
    assert await marks(bob, room) == (3, 0, 3)
    await read(his, room, 2)
    assert await marks(bob, room) == (3, 2, 1)
    await send(his, room)
    assert await marks(bob, room) == (4, 4, 0)
    assert await marks(ann, room) == (4, 3, 1)


async def test_posting_by_rest_marks_read_too(server: Server) -> None:
    """The way in makes no difference."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    await send(await ann.chat(), room)
    await bob.ok("POST", f"/chat/sessions/{room}/messages", {"content": "x"})
    assert await marks(bob, room) == (2, 2, 0)


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_a_mark_is_told_to_all_own_connections_and_to_the_others(kind: str, server: Server) -> None:
    """The read receipt: on every connection of every member, joined or not, once."""
    ann, bob = await server.people(2)
    room = await (ann.private(bob) if kind == "private" else ann.group(bob))
    hers, his, his_other = await ann.chat(), await bob.chat(), await bob.chat()
    await send(hers, room, 2)
    for socket in (hers, his, his_other):
        await socket.next("message", seq=2)
        socket.taken("message")
    told = {"type": "read", "room_id": room, "user_id": bob.id, "seq": 1}
    assert await read(his, room, 1) == told
    for socket in (hers, his_other):
        assert await socket.next("read") == told
    for socket in (hers, his, his_other):
        await socket.quiet()


async def test_in_a_land_a_mark_is_ones_own_business(server: Server) -> None:
    """One's other connections are told, the others are not."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, his, his_other = await ann.chat(land), await bob.chat(land), await bob.chat()
    await send(hers, land, 2)
    await read(his, land, 1)
    assert await his_other.next("read") == {"type": "read", "room_id": land, "user_id": bob.id, "seq": 1}
    await hers.quiet("read")
    assert await marks(bob, land) == (2, 1, 1)


async def test_a_land_starts_at_its_end_for_who_joins_it(server: Server) -> None:
    """What was said before one came is not unread; what is said after one left is."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers = await ann.chat(land)
    await send(hers, land, 3)
    his = await bob.chat(land)
    assert await marks(bob, land) == (3, 3, 0)
    await his.ask("left_room", type="leave_room", room_id=land)
    await send(hers, land, 2)
    assert await marks(bob, land) == (5, 3, 2)
    await his.ask("joined_room", type="join_room", room_id=land)
    assert await marks(bob, land) == (5, 3, 2)


async def test_a_mark_never_goes_back(server: Server) -> None:
    """The answer says where it stands."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(), await bob.chat()
    await send(hers, room, 3)
    assert (await read(his, room, 3))["seq"] == 3
    for seq in (2, 0):
        assert (await read(his, room, seq))["seq"] == 3
    assert await marks(bob, room) == (3, 3, 0)


async def test_above_the_last_seq_is_an_error_and_changes_nothing(server: Server) -> None:
    """Below zero too; in an empty room zero is all there is."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(), await bob.chat()
    assert (await read(his, room, 0))["seq"] == 0
    await his.refused("invalid_message", type="mark_read", room_id=room, seq=1)
    await send(hers, room)
    hers.taken("read")
    for seq in (2, 2**53, 2**70, -1):
        await his.refused("invalid_message", type="mark_read", room_id=room, seq=seq)
    assert await marks(bob, room) == (1, 0, 1)
    await hers.quiet("read")


async def test_a_land_is_marked_by_those_who_have_joined_or_written_in_it(server: Server) -> None:
    """Before that it is not the caller's: `not_found`. It need not be joined at the time."""
    ann, bob, cat = await server.people(3)
    land = await ann.land()
    await send(await ann.chat(land), land, 2)
    his = await bob.chat()
    await his.refused("not_found", type="mark_read", room_id=land, seq=1)
    await bob.ok("POST", f"/chat/sessions/{land}/messages", {"content": "x"})
    assert (await read(his, land, 3))["seq"] == 3
    cats = await cat.chat(land)
    await cats.ask("left_room", type="leave_room", room_id=land)
    assert (await read(cats, land, 1))["seq"] == 3
    listed = await bob.ok("GET", "/chat/sessions")
    assert [session["id"] for session in listed["sessions"]] == [land]


async def test_marks_outlive_the_server(server: Server) -> None:
    """Those set, and those of a sender, whose write follows the message's."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(), await bob.chat()
    await send(hers, room, 5)
    await read(his, room, 2)
    await server.stop()
    await server.start()
    assert await marks(ann, room) == (5, 5, 0)
    assert await marks(bob, room) == (5, 2, 3)
