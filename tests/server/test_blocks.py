"""Blocks: what stands between two people from then on, and that nothing tells of it.

Between the two alone all is closed, from both sides alike: nearby, calls, the private session. What everybody may
see (who is online, in a land, in a group of both) the other sees as well, as another account would.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Person, Server, Socket


async def stand(socket: Socket) -> set[str]:
    """The ids of those nearby, at the origin."""
    await socket.ask("location_updated", type="update_location", x=0, y=0)
    return {user["user_id"] for user in (await socket.next("nearby_users"))["users"]}


async def participants(viewer: Person, land: str) -> set[str]:
    answer = await viewer.ok("GET", f"/chat/land/{land}/participants")
    return {participant["user_id"] for participant in answer["participants"]}


@pytest.mark.parametrize("before", [True, False])
async def test_a_block_hides_each_from_the_other_nearby(before: bool, server: Server) -> None:
    """In lists, and as the audience of presence; made before or while connected. Others see both."""
    ann, bob, wit = await server.people(3)
    land = await ann.land()
    if before:
        await ann.ok("PUT", f"/users/{bob.id}/block")
    hers, his, wits = await ann.chat(), await bob.chat(), await wit.chat()
    for socket in (hers, his, wits):
        await stand(socket)
    if not before:
        assert bob.id in await stand(hers)
        await ann.ok("PUT", f"/users/{bob.id}/block")
    for viewer, socket, seen in ((wit, wits, {ann.id, bob.id}), (ann, hers, {wit.id}), (bob, his, {wit.id})):
        assert await stand(socket) == seen
        assert await participants(viewer, land) == seen
    hers.events.clear()
    await his.close()
    await wits.next("presence_update", user_id=bob.id, status="offline")
    await hers.quiet("presence_update")


async def test_across_a_block_nothing_is_written_in_private(server: Server) -> None:
    """Either way, by socket and REST, the same error on both sides; in a group all goes on."""
    ann, bob = await server.people(2)
    room, group = await ann.private(bob), await ann.group(bob)
    hers, his = await ann.chat(), await bob.chat()
    await ann.ok("PUT", f"/users/{bob.id}/block")
    errors: list[dict[str, Any]] = []
    for person, socket in ((ann, hers), (bob, his)):
        for request in (
            {"type": "send_message", "content": "x"},
            {"type": "typing", "is_typing": True},
        ):
            errors.append(await socket.refused("forbidden", room_id=room, **request))
        status, answer = await person.call("POST", f"/chat/sessions/{room}/messages", {"content": "x"})
        assert (status, answer["error"]["code"]) == (403, "forbidden")
        errors.append(answer["error"])
    assert len({error["message"] for error in errors}) == 1
    for socket in (hers, his):
        await socket.quiet()
    for socket in (hers, his):
        await socket.ask("message_ack", type="send_message", room_id=group, content="in the group")
    await ann.ok("DELETE", f"/users/{bob.id}/block")
    await his.ask("message_ack", type="send_message", room_id=room, content="again")
    await hers.next("message", content="again")


async def test_nobody_is_brought_into_a_group_across_a_block(server: Server) -> None:
    """Neither at its making nor later, from either side; the group with the others is nobody's loss."""
    ann, bob, cat = await server.people(3)
    group = await bob.group(ann, cat)
    await ann.ok("DELETE", f"/chat/sessions/{group}/members/{ann.id}")
    private = await ann.private(bob)
    await ann.ok("PUT", f"/users/{bob.id}/block")
    hers, his = await ann.chat(), await bob.chat()
    told = await bob.refused("forbidden", "POST", f"/chat/sessions/{private}/messages", {"content": "x"})
    for person, other in ((ann, bob), (bob, ann)):
        for others in ([other], [other, cat]):
            body = {"participant_ids": [other.id for other in others], "name": "ours"}
            assert await person.refused("forbidden", "POST", "/chat/sessions", body) == told
    path = f"/chat/sessions/{group}/members"
    assert await bob.refused("forbidden", "POST", path, {"user_ids": [ann.id]}) == told
    assert await bob.ok("POST", path, {"user_ids": [cat.id]})
    for socket in (hers, his):
        await socket.quiet()
    await cat.ok("POST", path, {"user_ids": [ann.id]})
    await bob.ok("POST", path, {"user_ids": [ann.id]})


async def test_a_private_session_across_a_block_is_not_shown_to_the_other(server: Server) -> None:
    """Until something can be said there, or the other opens it too; the opener notices nothing."""
    ann, bob, cat = await server.people(3)
    for blocker in (ann, cat):
        await blocker.ok("PUT", f"/users/{bob.id}/block")
    hers, his, cats = await ann.chat(), await bob.chat(), await cat.chat()
    for other in (ann, cat):
        status, room = await bob.call("POST", "/chat/sessions", {"participant_ids": [other.id]})
        assert status == 201
        assert (await his.next("session_created"))["session"] == room
        await bob.private(other)
    for person, socket in ((ann, hers), (cat, cats)):
        await socket.quiet()
        assert (await person.ok("GET", "/chat/sessions"))["sessions"] == []
    assert len((await bob.ok("GET", "/chat/sessions"))["sessions"]) == 2
    await cat.private(bob)
    assert len((await cat.ok("GET", "/chat/sessions"))["sessions"]) == 1
    await ann.ok("DELETE", f"/users/{bob.id}/block")
    assert (await ann.ok("GET", "/chat/sessions"))["sessions"] == []
    await his.ask("message_ack", type="send_message", room_id=await bob.private(ann), content="sorry")
    await hers.next("message", content="sorry")
    assert len((await ann.ok("GET", "/chat/sessions"))["sessions"]) == 1


async def test_no_event_tells_of_a_block(server: Server) -> None:
    """Neither of making it nor of taking it back, even to one who is near and in a shared room."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(room), await bob.chat(room)
    await hers.next("presence_update", user_id=bob.id)
    await hers.next("user_joined")
    await stand(hers)
    await stand(his)
    for method in ("PUT", "DELETE"):
        await ann.ok(method, f"/users/{bob.id}/block")
        await hers.quiet()
        await his.quiet()


async def test_in_a_private_session_neither_is_told_of_the_other(server: Server) -> None:
    """Whoever opens and joins it: no presence, no coming and going, no members, no read receipt. Others there are told."""
    ann, bob, wit = await server.people(3)
    await ann.ok("PUT", f"/users/{bob.id}/block")
    for viewer, other in ((bob, ann), (ann, bob)):
        room, shared = await viewer.private(other), await viewer.private(wit)
        watching = await viewer.chat(room, shared)
        sockets = [await person.chat() for person in (other, wit)]
        for person, socket, where in ((other, sockets[0], room), (wit, sockets[1], shared)):
            answer = await socket.ask("joined_room", type="join_room", room_id=where)
            seen = [person.id] if person is other else [viewer.id, wit.id]
            assert ([member["user_id"] for member in answer["members"]], answer["member_count"]) == (
                seen,
                len(seen),
            )
            resumed = await socket.ask("resumed", type="resume", rooms=[{"room_id": where, "after_seq": 0}])
            assert (resumed["members"], resumed["member_count"]) == (
                answer["members"],
                answer["member_count"],
            )
            await socket.ask("read", type="mark_read", room_id=where, seq=0)
            await socket.ask("left_room", type="leave_room", room_id=where)
            await socket.close()
        await watching.next("presence_update", user_id=wit.id, status="offline")
        told = [event["type"] for event in watching.events if wit.id in str(event)]
        assert told == ["presence_update", "user_joined", "read", "user_left"]
        assert not [event for event in watching.events if other.id in str(event)]
        await watching.close()


async def test_what_everybody_may_see_is_seen_across_a_block(server: Server) -> None:
    """In a land, in a group of both, and in the list of those online: hiding it from one account would hide nothing."""
    ann, bob = await server.people(2)
    land, group = await ann.land(), await ann.group(bob)
    await ann.ok("PUT", f"/users/{bob.id}/block")
    his = await bob.chat(land, group)
    hers = await ann.chat(land, group)
    for room in (land, group):
        await his.next("user_joined", room_id=room, user_id=ann.id)
    await his.next("presence_update", user_id=ann.id, status="online")
    assert ann.id in str(await bob.ok("GET", "/ws/online-users"))
    await hers.ask("message_ack", type="send_message", room_id=group, content="x")
    await his.next("message", sender_id=ann.id)


@pytest.mark.parametrize("blocker", ["caller", "callee"])
@pytest.mark.parametrize("state", ["ringing", "active"])
async def test_a_block_ends_a_call_of_the_two_as_if_one_had_hung_up(
    state: str, blocker: str, server: Server
) -> None:
    """Word for word on the other side; a call with somebody else goes on."""
    ends: list[dict[str, Any]] = []
    for blocks in (False, True):
        people = dict(zip(("caller", "callee"), await server.people(2), strict=True))
        (bystander,) = await server.people(1)
        sides = {side: await person.signal() for side, person in people.items()}
        call = {"call_type": "audio", "callee_id": people["callee"].id}
        call_id = (await sides["caller"].ask("call_initiated", type="call_initiate", **call))["call_id"]
        await sides["callee"].next("incoming_call")
        if state == "active":
            await sides["callee"].ask("call_started", type="call_accept", call_id=call_id)
            await sides["caller"].next("call_started")
            await sides["caller"].next("call_accepted")
        me, other = people[blocker], people["callee" if blocker == "caller" else "caller"]
        for person in (me, other):
            await person.ok("PUT", f"/users/{bystander.id}/block")
        for socket in sides.values():
            await socket.quiet()
        if blocks:
            await me.ok("PUT", f"/users/{other.id}/block")
        else:
            await sides[blocker].send(type="call_hangup", call_id=call_id)
        for socket in sides.values():
            end = await socket.next("call_ended", call_id=call_id)
            ends.append({**end, "call_id": "", "duration_seconds": end["duration_seconds"] > 0})
            await socket.quiet()
    assert ends[:2] == ends[2:]


async def test_typing_that_waited_is_not_told_across_a_block(server: Server) -> None:
    """It is told at most once in 3 s; a block that comes meanwhile holds for what waits."""
    ann, bob, wit = await server.people(3)
    rooms = [await ann.private(bob), await ann.private(wit)]
    hers, his, wits = await ann.chat(), await bob.chat(), await wit.chat()
    for is_typing in (True, False):
        for room in rooms:
            await hers.send(type="typing", room_id=room, is_typing=is_typing)
    await hers.ask("pong", type="ping")
    await ann.ok("PUT", f"/users/{bob.id}/block")
    await wits.next("typing", is_typing=False)
    await his.next("typing", is_typing=True)
    await his.quiet()


async def test_a_private_session_shows_again_when_the_block_is_taken_back(server: Server) -> None:
    """From the next coming and going on; the taking back itself is not told."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    await ann.ok("PUT", f"/users/{bob.id}/block")
    hers, his = await ann.chat(room), await bob.chat(room)
    await ann.ok("DELETE", f"/users/{bob.id}/block")
    for socket in (hers, his):
        await socket.quiet()
    await his.ask("left_room", type="leave_room", room_id=room)
    await hers.next("user_left", user_id=bob.id)
    answer = await his.ask("joined_room", type="join_room", room_id=room)
    assert answer["member_count"] == 2
    await hers.next("user_joined", user_id=bob.id)
