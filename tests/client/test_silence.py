"""A connection on which nothing is said: kept while the server answers, given up when it does not."""

from __future__ import annotations

from collections.abc import Callable

from tests.client.steps import Told, connected
from tests.harness import Server

HEARTBEAT = 2.0  # seconds


async def test_a_connection_without_a_word_is_kept(new_server: Callable[..., Server]) -> None:
    """Who hears nothing for a heartbeat asks, and the answer counts before the time is up."""
    async with new_server(heartbeat_seconds=HEARTBEAT) as server:
        ann = await server.person()
        async with connected(server, ann) as hers:
            states, pongs = Told(hers.chat, "state"), Told(hers.chat, "pong")
            await pongs.until(lambda events: len(events) == 2)
            assert states.events == []
