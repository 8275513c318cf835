"""Who is hidden stays hidden: every event, list and error through which such a person could leak.

Each test has a witness, who is not hidden and does the same: what is missing is missing because of
the hiding, and not because nothing works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.harness import Person, Server, Socket


async def stand(socket: Socket, x: float = 0, y: float = 0) -> list[str]:
    """The ids of those nearby."""
    await socket.ask("location_updated", type="update_location", x=x, y=y)
    return [user["user_id"] for user in (await socket.next("nearby_users"))["users"]]


async def set_me(person: Person, **fields: bool) -> None:
    await person.ok("PATCH", "/auth/me", fields)


def about(socket: Socket, person: Person) -> list[str]:
    """The types of the events so far in which this person's id is."""
    return [event["type"] for event in socket.events if person.id in str(event)]


async def participants(viewer: Person, land: str) -> list[str]:
    answer = await viewer.ok("GET", f"/chat/land/{land}/participants")
    assert answer["count"] == len(answer["participants"])
    return [participant["user_id"] for participant in answer["participants"]]


async def counted(server: Server, path: str) -> int:
    """What somebody without a token is told."""
    status, answer = await server.call("GET", path)
    assert (status, answer.keys()) == (200, {"count"})
    return int(answer["count"])


async def online(viewer: Person) -> list[str]:
    answer = await viewer.ok("GET", "/ws/online-users")
    assert answer["count"] == len(answer["users"])
    return [user["user_id"] for user in answer["users"]]


# Invisible


async def test_an_invisible_user_comes_and_goes_unnoticed(server: Server) -> None:
    """In a land and in a group: no joined or left, members, counts, presence, nearby, participants, online list."""
    ann, bob, wit = await server.people(3)
    land, group = await ann.land(), await ann.group(bob, wit)
    await set_me(bob, invisible=True)
    hers = await ann.chat(land, group)
    await stand(hers)
    sockets: dict[str, Socket] = {}
    for person in (bob, wit):
        sockets[person.id] = socket = await person.chat(land, group)
        await stand(socket)
    for room in (land, group):
        answer = await sockets[wit.id].ask("joined_room", type="join_room", room_id=room)
        assert [member["user_id"] for member in answer["members"]] == [ann.id, wit.id]
        assert answer["member_count"] == 2
    assert (await ann.ok("GET", f"/chat/sessions/{land}"))["member_count"] == 2
    assert await stand(hers) == [wit.id]
    assert await participants(ann, land) == [wit.id]
    assert await counted(server, f"/chat/land/{land}/participants") == 2
    assert await online(ann) == [ann.id, wit.id]
    assert await counted(server, "/ws/online-users") == 2
    for socket in sockets.values():
        await socket.ask("left_room", type="leave_room", room_id=land)
        await socket.close()
    await hers.next("presence_update", user_id=wit.id, status="offline")
    assert {"user_joined", "user_left"} <= set(about(hers, wit))
    assert about(hers, bob) == []


async def test_an_invisible_user_sees_all_the_same(server: Server) -> None:
    """The members, those nearby, the participants, presence; and may say, type and read, which shows."""
    ann, bob = await server.people(2)
    room, land = await ann.private(bob), await ann.land()
    await set_me(bob, invisible=True)
    his = await bob.chat(room)
    await stand(his)
    hers = await ann.chat(room)
    await his.next("presence_update", user_id=ann.id)
    await his.next("user_joined", user_id=ann.id)
    assert await stand(hers) == []
    assert await stand(his) == [ann.id]
    assert await participants(bob, land) == [ann.id]
    assert ann.id in await online(bob)
    await his.send(type="typing", room_id=room, is_typing=True)
    await his.ask("message_ack", type="send_message", room_id=room, content="boo")
    await his.ask("read", type="mark_read", room_id=room, seq=1)
    await hers.next("typing", user_id=bob.id)
    await hers.next("message", sender_id=bob.id)
    await hers.next("read", user_id=bob.id)
    await hers.quiet("presence_update", "user_joined")


async def test_turning_invisible_is_leaving_and_turning_visible_is_coming(server: Server) -> None:
    """To the others it looks like a disconnect and an arrival; doing it twice is no news."""
    ann, bob = await server.people(2)
    land, group = await ann.land(), await ann.group(bob)
    hers, his = await ann.chat(land, group), await bob.chat(land, group)
    await stand(hers)
    await stand(his)
    hers.events.clear()
    for _ in range(2):
        await set_me(bob, invisible=True)
    for room in (land, group):
        await hers.next("user_left", room_id=room, user_id=bob.id)
    await hers.next("presence_update", user_id=bob.id, status="offline")
    await hers.quiet()
    assert await stand(hers) == []
    for _ in range(2):
        await set_me(bob, invisible=False)
    for room in (land, group):
        await hers.next("user_joined", room_id=room, user_id=bob.id, username=bob.name)
    await hers.next("presence_update", user_id=bob.id, status="online")
    await hers.quiet()
    assert await stand(hers) == [bob.id]


async def test_who_turned_invisible_does_not_go_offline_again(server: Server) -> None:
    """The disconnect that follows is not told; nor is it of one who turns visible when away."""
    ann, bob, wit = await server.people(3)
    group = await ann.group(bob, wit)
    hers, his, wits = await ann.chat(group), await bob.chat(group), await wit.chat(group)
    for person in (bob, wit):
        await hers.next("presence_update", user_id=person.id, status="online")
    await set_me(bob, invisible=True)
    await hers.next("presence_update", user_id=bob.id, status="offline")
    await hers.next("user_left", user_id=bob.id)
    await his.close()
    await set_me(bob, invisible=False)
    await wits.close()
    await hers.next("presence_update", user_id=wit.id, status="offline")
    await hers.quiet("presence_update")
    assert about(hers, bob) == ["user_joined"]


async def test_turning_invisible_and_visible_at_once_leaves_the_others_with_the_truth(
    server: Server,
) -> None:
    """Whichever of the two comes last."""
    ann, bob = await server.people(2)
    group = await ann.group(bob)
    hers, _ = await ann.chat(group), await bob.chat(group)
    await hers.next("user_joined", user_id=bob.id)
    seen = True
    for _ in range(10):
        await asyncio.gather(*(set_me(bob, invisible=invisible) for invisible in (True, False, True, False)))
        await hers.ask("pong", type="ping")
        for event in hers.events:
            if event["type"] in ("user_joined", "user_left"):
                seen = event["type"] == "user_joined"
        hers.events.clear()
        assert seen is not (await bob.ok("GET", "/auth/me"))["invisible"]


async def three_in_a_group(server: Server) -> tuple[Person, Person, str, Socket, Socket]:
    """Two of them, the group, the socket of the third, who has seen them come, and the second's."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob, cat)
    hers, _, cats = await ann.chat(group), await bob.chat(group), await cat.chat(group)
    for person in (bob, cat):
        await hers.next("user_joined", user_id=person.id)
    hers.events.clear()
    return bob, cat, group, hers, cats


async def test_turning_invisible_is_told_like_leaving_and_turning_visible_like_coming(
    new_server: Callable[..., Server],
) -> None:
    """In the same order, and offline after the same while: or the hidden could be told from the absent."""
    async with new_server(offline_seconds=2.0) as server:
        bob, cat, group, hers, cats = await three_in_a_group(server)
        await set_me(bob, invisible=True)
        await cats.close()
        for person in (bob, cat):
            await hers.next("user_left", user_id=person.id)
        await hers.quiet()
        for person in (bob, cat):
            await hers.next("presence_update", user_id=person.id, status="offline")
        await set_me(bob, invisible=False)
        await cat.chat(group)
        for person in (bob, cat):
            await hers.next("user_joined", user_id=person.id)
            assert about(hers, person) == ["presence_update"]


async def test_a_short_invisibility_is_like_a_short_absence(new_server: Callable[..., Server]) -> None:
    """In the rooms it shows; presence is not told."""
    async with new_server(offline_seconds=2.0) as server:
        bob, cat, _, hers, cats = await three_in_a_group(server)
        for invisible in (True, False):
            await set_me(bob, invisible=invisible)
        await cats.close()
        # His would have been told before.
        assert (await hers.next("presence_update"))["user_id"] == cat.id
        assert about(hers, bob) == ["user_left", "user_joined"]


async def test_visibility_that_changed_during_a_short_absence_is_told(
    new_server: Callable[..., Server],
) -> None:
    """Who comes back invisible has gone, as far as others can see; who comes back visible has come."""
    async with new_server(offline_seconds=0.5) as server:
        ann, bob, cat = await server.people(3)
        group = await ann.group(bob, cat)
        await set_me(cat, invisible=True)
        hers = await ann.chat(group)
        his, cats = await bob.chat(group), await cat.chat(group)
        await hers.next("presence_update", user_id=bob.id, status="online")
        for socket in (his, cats):
            await socket.close()
        await hers.next("user_left", user_id=bob.id)
        await set_me(bob, invisible=True)
        await set_me(cat, invisible=False)
        for person in (bob, cat):
            await person.chat()
        await hers.next("presence_update", user_id=cat.id, status="online")
        await hers.next("presence_update", user_id=bob.id, status="offline")
        await hers.quiet("presence_update")


@pytest.mark.parametrize("land", [True, False])
async def test_the_crowds_count_is_of_the_visible(land: bool, server: Server) -> None:
    """101 present of whom one is invisible are no crowd; and an invisible one is not counted in."""
    people = await server.people(103)
    room = await (people[0].land() if land else people[0].group(*people[1:]))
    await set_me(people[1], invisible=True)
    first = await people[0].chat(room)
    for person in people[1:101]:
        await person.chat(room)
    await first.quiet("room_count")
    assert len(first.taken("user_joined")) == 99
    await people[101].chat(room)
    if land:
        assert (await first.next("room_count"))["member_count"] == 101
    else:
        await first.next("user_joined", user_id=people[101].id)
        await first.quiet("room_count")


async def test_an_invisible_callee_is_offline_like_one_who_is_absent(server: Server) -> None:
    """Word for word, also behind a block."""
    ann, absent, invisible, blocked, blocker = await server.people(5)
    await set_me(invisible, invisible=True)
    await ann.ok("PUT", f"/users/{blocked.id}/block")
    await blocker.ok("PUT", f"/users/{ann.id}/block")
    for person in (invisible, blocked, blocker):
        await person.signal()
    hers = await ann.signal()
    errors = []
    for callee in (absent, invisible, blocked, blocker):
        error = await hers.refused("offline", type="call_initiate", callee_id=callee.id, call_type="audio")
        del error["ref"]
        errors.append(error)
    assert all(error == errors[0] for error in errors)


async def test_a_room_of_the_invisible_alone_is_not_counted(server: Server) -> None:
    """In the open statistics; with somebody visible in it, it is."""
    ann, bob = await server.people(2)
    group, land = await ann.group(bob), await ann.land()
    await set_me(bob, invisible=True)
    await bob.chat(group, land)
    assert await server.call("GET", "/ws/stats") == (200, {"connections": 0, "users": 0, "rooms": 0})
    await ann.chat(group)
    assert await server.call("GET", "/ws/stats") == (200, {"connections": 1, "users": 1, "rooms": 1})


# Location not shared


async def test_one_whose_location_is_not_shared_sees_and_is_not_seen(server: Server) -> None:
    """No nearby, participants, distance, or count; the land label is one's own."""
    ann, bob, wit = await server.people(3)
    land = await ann.land()
    await set_me(bob, share_location=False)
    hers, his, wits = await ann.chat(), await bob.chat(), await wit.chat()
    await stand(wits, 1)
    assert set(await stand(his, 1)) == {wit.id}
    assert set(await stand(hers, 1)) == {wit.id}
    assert set(await stand(his, 1)) == {ann.id, wit.id}
    assert await participants(ann, land) == [wit.id]
    assert set(await participants(bob, land)) == {ann.id, wit.id}
    assert await counted(server, f"/chat/land/{land}/participants") == 2
    location = await his.ask("location_updated", type="update_location", x=1, y=1)
    assert location["land_id"] == land
    # In rooms and online they are there like anybody.
    answer = await his.ask("joined_room", type="join_room", room_id=land)
    assert answer["member_count"] == 1
    assert bob.id in await online(ann)


async def test_the_audience_of_presence_does_not_give_a_location_away(server: Server) -> None:
    """Neither at the first position nor at the end; whom one shares a room with is told as ever."""
    ann, bob, wit, cat = await server.people(4)
    room = await bob.private(cat)
    await set_me(bob, share_location=False)
    hers, cats = await ann.chat(), await cat.chat(room)
    await stand(hers)
    his, wits = await bob.chat(), await wit.chat()
    for socket in (his, wits):
        await stand(socket)
        await socket.close()
    await hers.next("presence_update", user_id=wit.id, status="online")
    await hers.next("presence_update", user_id=wit.id, status="offline")
    assert about(hers, bob) == []
    await cats.next("presence_update", user_id=bob.id, status="online")
    await cats.next("presence_update", user_id=bob.id, status="offline")


async def test_sharing_the_location_no_more_takes_effect_at_once(server: Server) -> None:
    """And sharing it again, too; neither is told."""
    ann, bob = await server.people(2)
    hers, his = await ann.chat(), await bob.chat()
    await stand(his)
    assert await stand(hers) == [bob.id]
    hers.events.clear()
    await set_me(bob, share_location=False)
    assert await stand(hers) == []
    await set_me(bob, share_location=True)
    await hers.quiet()
    assert await stand(hers) == [bob.id]
