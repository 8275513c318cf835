"""A connection that goes on after `rate_limited`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from tornado.websocket import WebSocketClosedError

from tests.harness import Server

FLOODING = (4029, "flooding: requests went on after rate_limited")
HARDLY = 0.001  # tokens a second: none that comes back within a test


@pytest.mark.parametrize("message", ['{"type":"ping"}', "nonsense", b"binary"])
async def test_whatever_is_sent_on_and_on_is_refused_and_then_ends_the_connection(
    message: str | bytes, new_server: Callable[..., Server]
) -> None:
    """Each kind of frame costs something, those that are no request too."""
    async with new_server(
        rate_limits=True, request_rate=HARDLY, request_burst=5.0, flood_refusals=20
    ) as server:
        socket = await (await server.person()).chat()
        with suppress(WebSocketClosedError):
            for _ in range(50):
                await socket.send_raw(message)
        assert await socket.ended() == FLOODING
    refused = [event for event in socket.events if event.get("code") == "rate_limited"]
    assert len(refused) == 20
    assert all(event["retry_after"] > 0 for event in refused)


async def test_a_flood_that_is_served_now_and_then_ends_too(new_server: Callable[..., Server]) -> None:
    """Served requests make up for as many refused ones, not for all."""
    async with new_server(
        rate_limits=True, request_rate=HARDLY, request_burst=2.0, flood_refusals=4
    ) as server:
        socket = await (await server.person()).chat()
        await socket.ask("pong", type="ping")  # leaves 1.5: three more pings, and no join
        for _ in range(3):
            await socket.refused("rate_limited", type="join_room", room_id="x")
            await socket.refused("rate_limited", type="join_room", room_id="x")
            await socket.ask("pong", type="ping")
        await socket.refused("rate_limited", type="join_room", room_id="x")
        await socket.send(type="join_room", room_id="x")
        assert await socket.ended() == FLOODING
