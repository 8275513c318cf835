"""Rooms: joining, leaving, who is told."""

from __future__ import annotations

from tests.harness import Server


async def test_a_message_reaches_everybody_in_the_land_once(server: Server) -> None:
    """One identical frame for all who have joined, the sender too."""
    ann, bob = await server.person(), await server.person()
    land = await ann.land()
    hers, his = await ann.chat(land), await bob.chat(land)
    ack = await hers.ask("message_ack", type="send_message", room_id=land, content="hello", client_id="c")
    seen = await his.next("message")
    assert (seen["seq"], seen["content"], seen["sender_id"]) == (1, "hello", ann.id)
    assert seen["id"] == ack["message_id"]
    assert await hers.next("message") == seen
    await his.quiet("message")
