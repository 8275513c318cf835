"""Other people over REST: finding, blocking."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.harness import Server


async def test_a_user_is_found_by_id_and_by_exact_name(server: Server) -> None:
    """The same three fields either way; what is the user's own to know is not among them."""
    ann, bob = await server.person("Ann", display_name="Ann A."), await server.person("bob")
    shape = {"id": ann.id, "username": "Ann", "display_name": "Ann A."}
    assert await bob.ok("GET", f"/users/{ann.id}") == shape
    assert await bob.ok("GET", "/users?username=Ann") == shape


async def test_no_other_name_finds_anybody(server: Server) -> None:
    """Neither a part, nor a pattern, nor an operator."""
    ann = await server.person("Ann")
    for name in ("An", "Annn", "", "%", ".*", "^Ann$", "$ne", '{"$gt":""}', "Ann\u0000", "Ann ", "🐎"):
        await ann.refused("not_found", "GET", f"/users?username={quote(name, safe='')}")


async def test_absent_ids_are_not_found(server: Server) -> None:
    """Whatever stands in their place."""
    ann = await server.person()
    for name in ("nobody", "$ne", quote('{"$gt":""}'), "%00", "a.b", "x" * 64, "x" * 65, quote("🐎")):
        await ann.refused("not_found", "GET", f"/users/{name}")
        await ann.refused("not_found", "PUT", f"/users/{name}/block")


async def test_who_somebody_is_takes_a_token(server: Server) -> None:
    """Every one of these calls."""
    ann = await server.person()
    for method, path in [
        ("GET", f"/users/{ann.id}"),
        ("GET", f"/users?username={ann.name}"),
        ("PUT", f"/users/{ann.id}/block"),
        ("DELETE", f"/users/{ann.id}/block"),
        ("GET", "/auth/me/blocks"),
    ]:
        await server.refused("unauthorized", method, path)


async def test_blocks_are_listed_to_the_one_who_made_them(server: Server) -> None:
    """By name; blocking twice and unblocking twice succeed; the other learns nothing of it."""
    ann, bob, cat = await server.person("ann"), await server.person("bob"), await server.person("cat")
    his = await bob.chat()
    for other in (cat, bob, cat):
        assert await ann.call("PUT", f"/users/{other.id}/block") == (204, None)
    assert await ann.ok("GET", "/auth/me/blocks") == {"users": [bob.pair["user"], cat.pair["user"]]}
    assert await bob.ok("GET", "/auth/me/blocks") == {"users": []}
    for _ in range(2):
        assert await ann.call("DELETE", f"/users/{bob.id}/block") == (204, None)
    assert await ann.ok("GET", "/auth/me/blocks") == {"users": [cat.pair["user"]]}
    await his.quiet()


async def test_one_cannot_block_oneself(server: Server) -> None:
    """It would make one's own sessions unwritable."""
    ann = await server.person()
    await ann.refused("invalid_message", "PUT", f"/users/{ann.id}/block")
    assert await ann.ok("GET", "/auth/me/blocks") == {"users": []}


@pytest.mark.parametrize("by_the_writer", [True, False])
async def test_neither_side_of_a_block_writes_in_private_to_the_other(
    server: Server, by_the_writer: bool
) -> None:
    """Until it is taken back; what was written before stays readable, groups go on."""
    ann, bob = await server.person(), await server.person()
    private, group = await ann.private(bob), await ann.group(bob)
    await bob.ok("POST", f"/chat/sessions/{private}/messages", {"content": "before"})
    blocker, blocked = (ann, bob) if by_the_writer else (bob, ann)
    await blocker.ok("PUT", f"/users/{blocked.id}/block")
    for writer in (ann, bob):
        await writer.refused("forbidden", "POST", f"/chat/sessions/{private}/messages", {"content": "x"})
        await writer.ok("POST", f"/chat/sessions/{group}/messages", {"content": "x"})
        (message,) = (await writer.ok("GET", f"/chat/sessions/{private}/messages"))["messages"]
        assert message["content"] == "before"
    await blocker.ok("DELETE", f"/users/{blocked.id}/block")
    await ann.ok("POST", f"/chat/sessions/{private}/messages", {"content": "again"})


async def test_a_block_outlives_a_restart(server: Server) -> None:
    """It is stored, not remembered."""
    ann, bob = await server.person(), await server.person()
    await ann.ok("PUT", f"/users/{bob.id}/block")
    await server.stop()
    await server.start()
    assert await ann.ok("GET", "/auth/me/blocks") == {"users": [bob.pair["user"]]}
