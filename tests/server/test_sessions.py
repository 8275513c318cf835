"""Sessions over REST: private ones, groups, and who may change them."""

from __future__ import annotations

from tests.harness import Server


async def test_two_people_have_one_private_session_for_ever(server: Server) -> None:
    """201 for the first who asks, 200 after that, from either side; oneself alone is refused."""
    ann, bob = await server.people(2)
    status, made = await ann.call("POST", "/chat/sessions", {"participant_ids": [bob.id]})
    assert (status, made["kind"]) == (201, "private")
    body = {"participant_ids": [ann.id, bob.id]}
    assert await bob.call("POST", "/chat/sessions", body) == (200, made)
    await ann.refused("invalid_message", "POST", "/chat/sessions", {"participant_ids": [ann.id]})


async def test_a_group_is_changed_by_those_who_may(server: Server) -> None:
    """Any member adds, the maker removes, everyone may leave; then it is as absent."""
    ann, bob, cat, eve = await server.people(4)
    path = f"/chat/sessions/{await ann.group(bob)}"
    await eve.refused("not_found", "POST", f"{path}/members", {"user_ids": [eve.id]})
    await bob.ok("POST", f"{path}/members", {"user_ids": [cat.id]})
    await bob.refused("forbidden", "DELETE", f"{path}/members/{cat.id}")
    await ann.ok("DELETE", f"{path}/members/{cat.id}")
    await bob.ok("DELETE", f"{path}/members/{bob.id}")
    for gone in (bob, cat, eve):
        await gone.refused("not_found", "GET", path)
        await gone.refused("not_found", "GET", f"{path}/messages")
