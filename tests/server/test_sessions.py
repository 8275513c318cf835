"""Sessions over REST: private ones, groups and their members, lists and what is unread."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.harness import Person, Server


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


async def listed(person: Person) -> list[str]:
    return [session["id"] for session in (await person.ok("GET", "/chat/sessions"))["sessions"]]


async def say(person: Person, room: str, content: str = "x") -> Any:
    return await person.ok("POST", f"/chat/sessions/{room}/messages", {"content": content})


# Making


async def test_a_private_session_is_one_for_ever(server: Server) -> None:
    """201 when it is made, 200 after, whoever asks and however often they name themselves or the other."""
    ann, bob = await server.people(2)
    status, session = await ann.call("POST", "/chat/sessions", {"participant_ids": [bob.id]})
    assert status == 201
    members = [await ann.ok("GET", f"/users/{person.id}") for person in (ann, bob)]
    assert session.pop("members") in (members, members[::-1])
    expected = {"id": session["id"], "kind": "private", "last_message": None}
    assert session == {**expected, "last_seq": 0, "read_seq": 0, "unread": 0}
    for person, ids in ((bob, [ann.id]), (ann, [ann.id, bob.id]), (ann, [bob.id, bob.id])):
        status, again = await person.call("POST", "/chat/sessions", {"participant_ids": ids})
        assert (status, again["id"]) == (200, session["id"])
    assert await listed(ann) == await listed(bob) == [session["id"]]


async def test_a_name_or_a_third_person_makes_a_group(server: Server) -> None:
    """A new one each time; without a name it gets one; the maker is implied."""
    ann, bob, cat = await server.people(3)
    status, named = await ann.call("POST", "/chat/sessions", {"participant_ids": [bob.id], "name": "Us"})
    assert (status, named["kind"], named["name"]) == (201, "group", "Us")
    assert named.keys() == {
        "id", "kind", "name", "members", "last_message", "last_seq", "read_seq", "unread",
    }  # fmt: skip
    status, three = await ann.call("POST", "/chat/sessions", {"participant_ids": [bob.id, cat.id]})
    assert (status, three["kind"]) == (201, "group")
    assert 1 <= len(three["name"]) <= 64
    assert {member["id"] for member in three["members"]} == {ann.id, bob.id, cat.id}
    assert three["members"][0].keys() == {"id", "username", "display_name"}
    another = await ann.ok("POST", "/chat/sessions", {"participant_ids": [bob.id], "name": "Us"})
    assert another["id"] != named["id"]


async def test_every_member_hears_of_a_new_session(server: Server) -> None:
    """With the session as that member would read it; nobody else does, and the second time nobody does."""
    ann, bob, cat = await server.people(3)
    hers, his, cats = await ann.chat(), await bob.chat(), await cat.chat()
    private = await ann.private(bob)
    for person, socket in ((ann, hers), (bob, his)):
        event = await socket.next("session_created")
        session = await person.ok("GET", f"/chat/sessions/{private}")
        assert event == {"type": "session_created", "session": session}
    assert await bob.private(ann) == private
    for socket in (hers, his, cats):
        await socket.quiet()


async def test_what_cannot_be_a_session_makes_none(server: Server) -> None:
    """Oneself alone, nobody, somebody absent, names out of bounds, wrong types."""
    ann, bob = await server.people(2)
    bad: list[dict[str, Any]] = [
        {"participant_ids": []},
        {"participant_ids": [ann.id]},
        {"participant_ids": [ann.id], "name": "Me"},
        {"participant_ids": bob.id},
        {"participant_ids": [{"$ne": ""}]},
        {"participant_ids": [""]},
        {"participant_ids": ["x" * 65]},
        {"participant_ids": [bob.id] * 201},
        {"participant_ids": [bob.id], "name": ""},
        {"participant_ids": [bob.id], "name": "x" * 65},
        {"participant_ids": [bob.id], "name": 1},
        {"participant_ids": [bob.id], "kind": "land"},
        {},
    ]
    for body in bad:
        await ann.refused("invalid_message", "POST", "/chat/sessions", body)
    for absent in ("nobody", "$ne", "\u0000"):
        for ids in ([absent], [bob.id, absent]):
            await ann.refused("not_found", "POST", "/chat/sessions", {"participant_ids": ids})
    await server.refused("unauthorized", "POST", "/chat/sessions", {"participant_ids": [bob.id]})
    assert await listed(ann) == await listed(bob) == []
    body = {"participant_ids": [bob.id], "name": "🐎" * 64}
    assert (await ann.ok("POST", "/chat/sessions", body))["name"] == "🐎" * 64


# Groups


async def test_any_member_renames_a_group(server: Server) -> None:
    """The answer is the session; a bad name changes nothing."""
    ann, bob = await server.people(2)
    group = f"/chat/sessions/{await ann.group(bob)}"
    assert (await bob.ok("PATCH", group, {"name": "$set.🐎"}))["name"] == "$set.🐎"
    for body in ({}, {"name": ""}, {"name": "x" * 65}, {"name": None}, {"name": "x", "maker_id": bob.id}):
        await ann.refused("invalid_message", "PATCH", group, body)
    assert (await ann.ok("GET", group))["name"] == "$set.🐎"


async def test_any_member_adds_people(server: Server) -> None:
    """The members hear of it, the new one gets the session; adding those who are there changes nothing."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob)
    path = f"/chat/sessions/{group}/members"
    hers, cats = await ann.chat(), await cat.chat()
    session = await bob.ok("POST", path, {"user_ids": [cat.id, ann.id, cat.id]})
    assert [member["id"] for member in session["members"]] == [ann.id, bob.id, cat.id]
    added = [{"user_id": cat.id, "username": cat.name}]
    event = await hers.next("members_changed")
    assert event == {"type": "members_changed", "room_id": group, "added": added, "removed": []}
    assert (await cats.next("session_created"))["session"] == await cat.ok("GET", f"/chat/sessions/{group}")
    assert await bob.ok("POST", path, {"user_ids": [ann.id]}) == session
    await hers.quiet()


async def test_nobody_is_added_to_what_is_full_or_by_halves(new_server: Callable[..., Server]) -> None:
    """More than the setting allows is a conflict; with one absent nobody is added."""
    async with new_server(group_members=3) as server:
        ann, bob, cat, dan = await server.people(4)
        body = {"participant_ids": [person.id for person in (bob, cat, dan)]}
        await ann.refused("invalid_message", "POST", "/chat/sessions", body)
        group = await ann.group(bob)
        path = f"/chat/sessions/{group}/members"
        await ann.refused("not_found", "POST", path, {"user_ids": [cat.id, "nobody"]})
        await ann.refused("conflict", "POST", path, {"user_ids": [cat.id, dan.id]})
        bad: list[Any] = [[], [{"$ne": ""}], cat.id, None]
        for ids in bad:
            await ann.refused("invalid_message", "POST", path, {"user_ids": ids})
        assert len((await ann.ok("GET", f"/chat/sessions/{group}"))["members"]) == 2
        await ann.ok("POST", path, {"user_ids": [cat.id]})
        await ann.refused("conflict", "POST", path, {"user_ids": [dan.id]})


async def test_the_maker_removes_and_everyone_may_leave(server: Server) -> None:
    """All hear of it, the one who goes included; another member's removing is forbidden."""
    ann, bob, cat, dan = await server.people(4)
    group = await ann.group(bob, cat, dan)
    path = f"/chat/sessions/{group}"
    hers, his = await ann.chat(), await bob.chat(group)
    await bob.refused("forbidden", "DELETE", f"{path}/members/{cat.id}")
    await ann.refused("not_found", "DELETE", f"{path}/members/nobody")
    for leaver, by in ((cat, cat), (bob, ann), (ann, ann)):
        assert await by.call("DELETE", f"{path}/members/{leaver.id}") == (204, None)
        event = await hers.next("members_changed")
        assert event == {"type": "members_changed", "room_id": group, "added": [], "removed": [leaver.id]}
    assert [(await his.next("members_changed"))["removed"] for _ in range(2)] == [[cat.id], [bob.id]]
    await his.quiet()
    assert [member["id"] for member in (await dan.ok("GET", path))["members"]] == [dan.id]
    await dan.ok("DELETE", f"{path}/members/{dan.id}")
    await dan.refused("not_found", "GET", path)


async def test_to_strangers_and_former_members_a_session_is_absent(server: Server) -> None:
    """Every call says the same of it as of one that never was; a token is needed for all."""
    ann, bob, cat, former = await server.people(4)
    group, private = await ann.group(bob, former), await ann.private(bob)
    message = await say(former, group)
    cats, formers = await cat.chat(), await former.chat(group)
    await former.ok("DELETE", f"/chat/sessions/{group}/members/{former.id}")
    await formers.next("members_changed")
    outside = [(cat, group), (cat, private), (former, group), (ann, "none"), (ann, "$ne"), (ann, "%00")]
    for person, room in outside:
        for method, below, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "mine"}),
            ("POST", "/members", {"user_ids": [person.id]}),
            ("DELETE", f"/members/{person.id}", None),
            ("DELETE", f"/members/{bob.id}", None),
            ("GET", "/messages", None),
            ("POST", "/messages", {"content": "x"}),
            ("DELETE", f"/messages/{message['id']}", None),
        ):
            path = f"/chat/sessions/{room}{below}"
            await person.refused("not_found", method, path, body)
            await server.refused("unauthorized", method, path, body)
    requests: list[dict[str, Any]] = [
        {"type": "join_room"},
        {"type": "send_message", "content": "x"},
        {"type": "typing", "is_typing": True},
        {"type": "mark_read", "seq": 0},
    ]
    for person, socket in ((cat, cats), (former, formers)):
        for request in requests:
            await socket.refused("not_found", room_id=group, **request)
        assert await listed(person) == []
    await say(ann, group)
    await formers.quiet()
    assert (await bob.ok("GET", f"/chat/sessions/{group}"))["last_seq"] == 2


async def test_a_private_session_is_no_group(server: Server) -> None:
    """Its two members are for ever, and it has no name; nor has a land's any member to add."""
    ann, bob, cat = await server.people(3)
    for room in (await ann.private(bob), await ann.land()):
        path = f"/chat/sessions/{room}"
        await ann.refused("forbidden", "PATCH", path, {"name": "x"})
        await ann.refused("forbidden", "POST", f"{path}/members", {"user_ids": [cat.id]})
        await ann.refused("forbidden", "DELETE", f"{path}/members/{ann.id}")


# Lists


async def test_the_latest_session_comes_first(server: Server) -> None:
    """By the newest message, or by when it was made; with that message, deleted or not."""
    ann, bob = await server.people(2)
    rooms = []
    for number in range(3):
        rooms.append(await ann.group(bob, name=str(number)))
        server.clock.advance(1)
    assert await listed(bob) == rooms[::-1]
    message = await say(ann, rooms[0])
    assert await listed(bob) == [rooms[0], rooms[2], rooms[1]]
    first = (await bob.ok("GET", "/chat/sessions"))["sessions"][0]
    assert first == await bob.ok("GET", f"/chat/sessions/{rooms[0]}")
    assert first["last_message"] == message
    assert (first["last_seq"], first["read_seq"], first["unread"]) == (1, 0, 1)
    await ann.ok("DELETE", f"/chat/sessions/{rooms[0]}/messages/{message['id']}")
    last = (await bob.ok("GET", "/chat/sessions"))["sessions"][0]["last_message"]
    assert last == {"id": message["id"], "room_id": rooms[0], "seq": 1, "deleted": True}


async def test_a_list_comes_in_pages_of_fifty(server: Server) -> None:
    """Together they hold every session once, those of the same moment too; a new one does not shift them."""
    ann, bob = await server.people(2)
    made = [await ann.group(bob, name=str(number)) for number in range(101)]
    first = await bob.ok("GET", "/chat/sessions")
    server.clock.advance(1)
    await ann.group(bob, name="late")
    second = await bob.ok("GET", f"/chat/sessions?cursor={first['next_cursor']}")
    third = await bob.ok("GET", f"/chat/sessions?cursor={second['next_cursor']}")
    assert "next_cursor" not in third
    pages = [[session["id"] for session in page["sessions"]] for page in (first, second, third)]
    assert [len(page) for page in pages] == [50, 50, 1]
    assert sorted(session_id for page in pages for session_id in page) == sorted(made)
    await server.refused("unauthorized", "GET", "/chat/sessions")


async def test_lands_that_have_closed_do_not_end_a_list(new_server: Callable[..., Server]) -> None:
    """A whole page of them leads on to what comes after."""
    async with new_server(lands_per_user=60) as server:
        ann, bob = await server.people(2)
        private = await bob.private(ann)
        server.clock.advance(1)
        lands = [await ann.land(x=20 * number) for number in range(51)]
        for land in lands:
            await say(bob, land)
        for land in lands:
            await ann.ok("PATCH", f"/lands/{land}", {"access": "invited"})
        page = await bob.ok("GET", "/chat/sessions")
        assert (page["sessions"], "next_cursor" in page) == ([], True)
        page = await bob.ok("GET", f"/chat/sessions?cursor={page['next_cursor']}")
        assert ([session["id"] for session in page["sessions"]], page.keys()) == ([private], {"sessions"})


async def test_a_cursor_that_is_none_of_ours_is_refused(server: Server) -> None:
    """Whatever it holds: no number, one that no store can hold, an operator, no UTF-8."""
    (ann,) = await server.people(1)
    bad = ["", "x", "%00", "a" * 129, "_w=="]
    bad += [cursor(f"{moment}:x") for moment in ("x", "-1", "9" * 30, "1e5", "nan", '{"$gt":""}')]
    for text in bad:
        await ann.refused("invalid_message", "GET", f"/chat/sessions?cursor={text}")
    assert await ann.ok("GET", f"/chat/sessions?cursor={cursor('9' * 18 + ':x')}") == {"sessions": []}


# What is unread


async def test_a_land_is_the_callers_once_written_in(server: Server) -> None:
    """From then on it is in the list, and what others write there is unread; before, it is read up to now."""
    ann, bob = await server.people(2)
    land = await ann.land()
    await say(ann, land)
    assert await listed(bob) == []
    session = await bob.ok("GET", f"/chat/sessions/{land}")
    assert (session["last_seq"], session["read_seq"], session["unread"]) == (1, 1, 0)
    await say(bob, land)
    await say(ann, land)
    (session,) = (await bob.ok("GET", "/chat/sessions"))["sessions"]
    assert (session["last_seq"], session["read_seq"], session["unread"]) == (3, 2, 1)


async def test_unread_outlives_a_restart(server: Server) -> None:
    """It is counted from what is stored."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    for _ in range(3):
        await say(ann, room)
    his = await bob.chat()
    await his.ask("read", type="mark_read", room_id=room, seq=2)
    await server.stop()
    await server.start()
    session = await bob.ok("GET", f"/chat/sessions/{room}")
    assert (session["last_seq"], session["read_seq"], session["unread"]) == (3, 2, 1)
    assert (await ann.ok("GET", f"/chat/sessions/{room}"))["unread"] == 0


async def test_a_new_member_has_read_what_came_before(server: Server) -> None:
    """Who is added starts at the group's end."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob)
    await say(ann, group)
    await ann.ok("POST", f"/chat/sessions/{group}/members", {"user_ids": [cat.id]})
    await say(ann, group)
    session = await cat.ok("GET", f"/chat/sessions/{group}")
    assert (session["last_seq"], session["read_seq"], session["unread"]) == (2, 1, 1)
