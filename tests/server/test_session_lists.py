"""The list of one's sessions: order, pages, unread counts, shapes; names and sizes of groups."""

from __future__ import annotations

from typing import Any

import pytest

from server.services import sessions
from storage.records import User
from tests.harness import Person, Server


async def listed(person: Person) -> list[dict[str, Any]]:
    """Every page of somebody's list, one after the other."""
    found: list[dict[str, Any]] = []
    query = ""
    while True:
        page = await person.ok("GET", f"/chat/sessions{query}")
        found += page["sessions"]
        if "next_cursor" not in page:
            return found
        query = f"?cursor={page['next_cursor']}"


async def test_the_latest_comes_first(server: Server) -> None:
    """A message moves its session to the top; a land is listed once joined or written in, not before."""
    ann, bob = await server.people(2)
    land, private, group = await ann.land(), await ann.private(bob), await ann.group(bob)
    assert [session["id"] for session in await listed(bob)] == [group, private]
    await bob.ok("POST", f"/chat/sessions/{land}/messages", {"content": "here"})
    await bob.ok("POST", f"/chat/sessions/{private}/messages", {"content": "psst"})
    assert [session["id"] for session in await listed(bob)] == [private, land, group]
    assert [session["id"] for session in await listed(ann)] == [private, group]


async def test_pages_of_sessions(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session once, in one order, however many pages; no cursor on the last."""
    monkeypatch.setattr(sessions, "PAGE", 3)
    ann, bob = await server.people(2)
    groups = [await ann.group(bob, name=f"group {number}") for number in range(7)]
    assert [session["id"] for session in await listed(ann)] == groups[::-1]
    first = await ann.ok("GET", "/chat/sessions")
    assert len(first["sessions"]) == 3


async def test_every_field_of_a_session(server: Server) -> None:
    """Members where there are members, their number in a land; the newest message whole; unread by sums."""
    ann, bob = await server.people(2)
    private, land = await ann.private(bob), await ann.land()
    sent = await ann.ok("POST", f"/chat/sessions/{private}/messages", {"content": "psst", "client_id": "c"})
    users = [{"id": person.id, "username": person.name, "display_name": person.name} for person in (ann, bob)]
    whole = {
        "id": private,
        "kind": "private",
        "members": users,
        "last_message": sent,
        "last_seq": 1,
        "read_seq": 0,
        "unread": 1,
    }
    assert await bob.ok("GET", f"/chat/sessions/{private}") == whole
    assert await ann.ok("GET", f"/chat/sessions/{private}") == {**whole, "read_seq": 1, "unread": 0}
    await ann.ok("DELETE", f"/chat/sessions/{private}/messages/{sent['id']}")
    tombstone = {"id": sent["id"], "room_id": private, "seq": 1, "deleted": True}
    assert await bob.ok("GET", f"/chat/sessions/{private}") == {**whole, "last_message": tombstone}
    await bob.chat(land)
    assert await ann.ok("GET", f"/chat/sessions/{land}") == {
        "id": land,
        "kind": "land",
        "name": "land",
        "member_count": 1,
        "last_message": None,
        "last_seq": 0,
        "read_seq": 0,
        "unread": 0,
    }


async def test_a_group_is_renamed_by_its_members(server: Server) -> None:
    """By any of them; a private session and a land's have no name to change."""
    ann, bob, eve = await server.people(3)
    group, private, land = await ann.group(bob), await ann.private(bob), await ann.land()
    renamed = await bob.ok("PATCH", f"/chat/sessions/{group}", {"name": "Ferry"})
    assert renamed["name"] == "Ferry"
    assert (await ann.ok("GET", f"/chat/sessions/{group}"))["name"] == "Ferry"
    await eve.refused("not_found", "PATCH", f"/chat/sessions/{group}", {"name": "mine"})
    for other in (private, land):
        await ann.refused("forbidden", "PATCH", f"/chat/sessions/{other}", {"name": "x"})
        await ann.refused("forbidden", "POST", f"/chat/sessions/{other}/members", {"user_ids": [eve.id]})
    for name in ("", "x" * 65):
        await ann.refused("invalid_message", "PATCH", f"/chat/sessions/{group}", {"name": name})


async def test_a_group_holds_two_hundred(server: Server) -> None:
    """The maker and 199 others; one more is refused, at the making and later."""
    ann = await server.person()
    others = [f"user-{number}" for number in range(200)]
    for name in others:
        await server.store.users.insert(User(name, name, name, None, 0))
    body = {"participant_ids": others, "name": "crowd"}
    await ann.refused("invalid_message", "POST", "/chat/sessions", body)
    made = await ann.ok("POST", "/chat/sessions", {**body, "participant_ids": others[:199]})
    assert len(made["members"]) == 200
    await ann.refused("conflict", "POST", f"/chat/sessions/{made['id']}/members", {"user_ids": [others[199]]})
    assert len((await ann.ok("GET", f"/chat/sessions/{made['id']}"))["members"]) == 200


async def test_people_who_do_not_exist(server: Server) -> None:
    """Neither a session nor a membership with them."""
    ann, bob = await server.people(2)
    group = await ann.group(bob)
    for body in ({"participant_ids": ["nobody"]}, {"participant_ids": [bob.id, "nobody"], "name": "x"}):
        await ann.refused("not_found", "POST", "/chat/sessions", body)
    await ann.refused("not_found", "POST", f"/chat/sessions/{group}/members", {"user_ids": ["nobody"]})
    assert [session["id"] for session in await listed(ann)] == [group]


async def test_the_last_one_out_takes_the_group_along(server: Server) -> None:
    """Nobody could read it any more, so its messages and their key go."""
    ann, bob = await server.people(2)
    group = await ann.group(bob)
    await ann.ok("POST", f"/chat/sessions/{group}/messages", {"content": "psst"})
    for person in (ann, bob):
        await person.ok("DELETE", f"/chat/sessions/{group}/members/{person.id}")
    assert await server.store.sessions.get(group) is None
    assert await server.store.messages.counts(0) == (0, 0)
