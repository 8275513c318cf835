"""Lands over REST: claiming, finding, changing, deleting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.harness import Person, Server

LAND: dict[str, Any] = {"name": "Meadow", "x": 0, "y": 0, "width": 10, "height": 20}


async def found(person: Person, query: str) -> set[str]:
    return {land["name"] for land in (await person.ok("GET", f"/lands?{query}"))["lands"]}


async def test_a_land_is_made_and_read_as_one_object(server: Server) -> None:
    """Every field of the contract; whom it lists is its owner's to know alone."""
    ann, bob = await server.people(2)
    body = {**LAND, "world_id": "mars", "access": "invited", "invited_ids": [bob.id]}
    status, land = await ann.call("POST", "/lands", body)
    assert status == 201
    assert land == {**body, "id": land["id"], "owner_id": ann.id}
    assert await ann.ok("GET", f"/lands/{land['id']}") == land
    seen = {name: value for name, value in land.items() if name != "invited_ids"}
    assert await bob.ok("GET", f"/lands/{land['id']}") == seen
    assert await bob.ok("GET", "/lands?world_id=mars") == {"lands": [seen]}


async def test_what_is_left_out_has_a_default(server: Server) -> None:
    """The main world, and open to everybody."""
    (ann,) = await server.people(1)
    land = await ann.ok("POST", "/lands", LAND)
    assert (land["world_id"], land["access"], land["invited_ids"]) == ("main", "open", [])


async def test_limits_are_taken_and_what_is_beyond_is_not(server: Server) -> None:
    """Sides from 1 to 1,000, coordinates to 1e9, names to 64 code points; a refusal makes no land."""
    (ann,) = await server.people(1)
    good: list[dict[str, Any]] = [
        {"width": 1, "height": 1000},
        {"x": -1e9, "y": -1e9},
        {"x": 999_999_990, "y": 999_999_980},
        {"name": "🐎" * 64, "x": 5000},
        {"name": "$gt.\u0000", "x": 6000.25},
        {"world_id": "W-1_.x" + "w" * 58},
    ]
    bad: list[dict[str, Any]] = [
        {"width": 0.999},
        {"width": 1000.001},
        {"height": 0},
        {"height": -5},
        {"height": 1e308},
        {"width": "10"},
        {"width": None},
        {"x": 1e9},
        {"x": 1_000_000_001},
        {"y": -1_000_000_001},
        {"x": True},
        {"x": {"$gt": 0}},
        {"name": ""},
        {"name": "x" * 65},
        {"world_id": ""},
        {"world_id": "w" * 65},
        {"world_id": "a b"},
        {"world_id": "main\n"},
        {"world_id": "$ne"},
        {"access": "closed"},
        {"access": None},
        {"invited_ids": ann.id},
        {"invited_ids": [""]},
        {"invited_ids": [{"$ne": ""}]},
        {"owner_id": ann.id},
        {"id": "mine"},
        {"a.b": 1},
    ]
    for changes in good:
        status, land = await ann.call("POST", "/lands", {**LAND, **changes})
        assert status == 201, (changes, land)
        await ann.ok("DELETE", f"/lands/{land['id']}")
    for changes in bad:
        await ann.refused("invalid_message", "POST", "/lands", {**LAND, **changes})
    for name in LAND:
        body = {other: value for other, value in LAND.items() if other != name}
        await ann.refused("invalid_message", "POST", "/lands", body)
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400):
        raw = b'{"name": "x", "x": %s, "y": 0, "width": 1, "height": 1}' % number
        await ann.refused("invalid_message", "POST", "/lands", raw)
    assert await ann.ok("GET", "/lands") == {"lands": []}


async def test_touching_is_no_overlap(server: Server) -> None:
    """Rectangles are half-open; one unit further is a conflict, in another world it is not."""
    ann, bob = await server.people(2)
    await ann.ok("POST", "/lands", LAND)
    for x, y in ((10, 0), (-10, 0), (0, 20), (0, -20)):
        await bob.ok("POST", "/lands", {**LAND, "x": x, "y": y})
    for x, y in ((9, 0), (0, 0), (-9, 19)):
        await bob.refused("conflict", "POST", "/lands", {**LAND, "x": x, "y": y})
    inside = {**LAND, "x": 4, "y": 4, "width": 1, "height": 1}
    await ann.refused("conflict", "POST", "/lands", inside)
    await bob.ok("POST", "/lands", {**LAND, "world_id": "other"})
    assert len((await ann.ok("GET", "/lands"))["lands"]) == 5


async def test_nobody_owns_more_than_the_setting_allows(new_server: Callable[..., Server]) -> None:
    """Sides and number are settings; what is given back may be claimed anew."""
    async with new_server(lands_per_user=2, land_side=30.0) as server:
        ann, bob = await server.people(2)
        lands = [await ann.land(x=x, y=0) for x in (0, 100)]
        await ann.refused("conflict", "POST", "/lands", {**LAND, "x": 200})
        await bob.ok("POST", "/lands", {**LAND, "x": 200})
        await ann.ok("DELETE", f"/lands/{lands[0]}")
        await ann.ok("POST", "/lands", LAND)
        await bob.refused("invalid_message", "POST", "/lands", {**LAND, "x": 300, "width": 31})


async def test_lands_are_found_by_box_and_by_circle(server: Server) -> None:
    """The circle is Chebyshev, ten units where no radius is given; only of the world asked for."""
    (ann,) = await server.people(1)
    for name, x, y in (("a", 0, 0), ("b", 10, 0), ("c", 40, 40)):
        await ann.land(x, y, name=name)
    await ann.land(0, 0, name="mars", world_id="mars")
    assert await found(ann, "") == {"a", "b", "c"}
    assert await found(ann, "world_id=mars") == {"mars"}
    assert await found(ann, "world_id=nowhere") == set()
    assert await found(ann, "x0=0&y0=0&x1=5&y1=5") == {"a"}
    assert await found(ann, "x0=5&y0=5&x1=45&y1=45") == {"a", "b", "c"}
    assert await found(ann, "x=5&y=5") == {"a", "b"}
    assert await found(ann, "x=30&y=30&radius=10") == {"c"}
    assert await found(ann, "x=29&y=30&radius=10") == set()
    assert await found(ann, "x=-1&y=-1&radius=1&world_id=mars") == {"mars"}


async def test_a_search_that_makes_no_sense_is_refused(server: Server) -> None:
    """Half a box, both kinds at once, no numbers, a radius out of range."""
    (ann,) = await server.people(1)
    for query in (
        "x0=0",
        "x0=0&y0=0&x1=5",
        "x=1",
        "y=1&radius=5",
        "radius=5",
        "x0=0&y0=0&x1=5&y1=5&x=1&y=1",
        "x0=5&y0=0&x1=0&y1=5",
        "x=1&y=1&radius=0",
        "x=1&y=1&radius=0.99",
        "x=1&y=1&radius=51",
        "x=1&y=1&radius=50.01",
        "x=nan&y=1",
        "x=inf&y=1",
        "x=1e999&y=1",
        "x=1&y=1&radius=nan",
        "x=1000000001&y=0",
        "x=&y=0",
        "x=one&y=0",
        "x=1&x=2&y=0",
        "x=1&y=1&z=1",
        "world_id=",
        "world_id=$ne",
        "world_id=%ff",
    ):
        await ann.refused("invalid_message", "GET", f"/lands?{query}")


async def test_the_owner_changes_a_land(server: Server) -> None:
    """Only what is given; it is found at its new place and no longer at the old one, a restart later too."""
    ann, bob = await server.people(2)
    land = await ann.ok("POST", "/lands", LAND)
    path = f"/lands/{land['id']}"
    changes: dict[str, Any] = {
        "name": "Hill",
        "x": 100,
        "width": 5.5,
        "access": "invited",
        "invited_ids": [bob.id],
    }
    assert await ann.ok("PATCH", path, changes) == {**land, **changes}
    assert await ann.ok("PATCH", path, {}) == {**land, **changes}
    await server.stop()
    await server.start()
    assert await ann.ok("GET", path) == {**land, **changes}
    assert await found(ann, "x=5&y=5") == set()
    assert await found(ann, "x=102&y=5") == {"Hill"}
    await bob.ok("POST", "/lands", LAND)
    await ann.refused("conflict", "PATCH", path, {"x": 9})
    assert (await ann.ok("GET", path))["x"] == 100


async def test_a_bad_change_changes_nothing(server: Server) -> None:
    """Neither world nor owner can change; sides and places are as for a new land."""
    (ann,) = await server.people(1)
    land = await ann.ok("POST", "/lands", LAND)
    for changes in (
        {"name": "Hill", "width": 0.5},
        {"name": "Hill", "x": 1e9},
        {"name": None},
        {"world_id": "mars"},
        {"owner_id": None},
        {"access": "closed"},
        {"invited_ids": None},
        {"$set": {"name": "x"}},
    ):
        await ann.refused("invalid_message", "PATCH", f"/lands/{land['id']}", changes)
    assert await ann.ok("GET", f"/lands/{land['id']}") == land


async def test_only_the_owner_changes_or_deletes(server: Server) -> None:
    """Not even one who is listed; an absent land is not found; a stranger without a token sees none."""
    ann, bob = await server.people(2)
    land = await ann.land(access="invited", invited_ids=[bob.id])
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        await bob.refused("forbidden", method, f"/lands/{land}", body)
        for absent in ("none", "$ne", "%00", "x" * 65):
            await ann.refused("not_found", method, f"/lands/{absent}", body)
        await server.refused("unauthorized", method, f"/lands/{land}", body)
    for path in ("/lands", f"/lands/{land}"):
        await server.refused("unauthorized", "GET", path)
    await server.refused("unauthorized", "POST", "/lands", LAND)
    await bob.refused("not_found", "GET", "/lands/none")
    assert (await ann.ok("GET", f"/lands/{land}"))["name"] == "land"


async def test_a_deleted_land_ends_its_room_and_what_was_said_there(server: Server) -> None:
    """Those in the room are told; its place is free; nothing of it comes back with a restart."""
    ann, bob = await server.people(2)
    land = await ann.land()
    his = await bob.chat(land)
    await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "here"})
    assert await ann.call("DELETE", f"/lands/{land}") == (204, None)
    assert await his.next("room_closed") == {"type": "room_closed", "room_id": land}
    await his.refused("not_found", type="send_message", room_id=land, content="x")
    for _ in range(2):
        for method, path in (
            ("GET", f"/lands/{land}"),
            ("DELETE", f"/lands/{land}"),
            ("GET", f"/chat/sessions/{land}"),
            ("GET", f"/chat/sessions/{land}/messages"),
            ("POST", f"/chat/land/{land}/session"),
            ("GET", f"/chat/land/{land}/participants"),
        ):
            await ann.refused("not_found", method, path)
        assert await ann.ok("GET", "/chat/sessions") == {"sessions": []}
        await server.stop()
        await server.start()
    await bob.land()


# The land's session


async def test_a_lands_session_is_made_once(server: Server) -> None:
    """201 for the one who asks first, then 200; its id is the land's."""
    ann, bob = await server.people(2)
    land = await ann.land(name="Meadow")
    status, session = await bob.call("POST", f"/chat/land/{land}/session")
    assert status == 201
    expected = {"id": land, "kind": "land", "name": "Meadow", "member_count": 0, "last_message": None}
    assert session == {**expected, "last_seq": 0, "read_seq": 0, "unread": 0}
    assert await ann.call("POST", f"/chat/land/{land}/session") == (200, session)
    assert await ann.ok("GET", f"/chat/sessions/{land}") == session
    await server.refused("unauthorized", "POST", f"/chat/land/{land}/session")
    await ann.refused("not_found", "POST", "/chat/land/none/session")


async def test_an_invited_land_is_closed_to_others(server: Server) -> None:
    """For them its room is as absent, over REST as on the socket; opening the doors lets them in."""
    ann, bob, cat = await server.people(3)
    land = await ann.land(access="invited", invited_ids=[bob.id])
    for guest in (ann, bob):
        await guest.ok("POST", f"/chat/sessions/{land}/messages", {"content": "x"})
    hers = await cat.chat()
    for method, path, body in (
        ("POST", f"/chat/land/{land}/session", None),
        ("GET", f"/chat/sessions/{land}", None),
        ("GET", f"/chat/sessions/{land}/messages", None),
        ("POST", f"/chat/sessions/{land}/messages", {"content": "x"}),
    ):
        await cat.refused("not_found", method, path, body)
    await hers.refused("not_found", type="join_room", room_id=land)
    await ann.ok("PATCH", f"/lands/{land}", {"access": "open"})
    await cat.ok("POST", f"/chat/sessions/{land}/messages", {"content": "x"})
    await ann.ok("PATCH", f"/lands/{land}", {"access": "invited"})
    await cat.refused("not_found", "GET", f"/chat/sessions/{land}")
    assert await cat.ok("GET", "/chat/sessions") == {"sessions": []}
    assert len((await bob.ok("GET", f"/chat/sessions/{land}/messages"))["messages"]) == 3
