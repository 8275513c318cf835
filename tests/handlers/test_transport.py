"""What the kernel keeps for a slow reader, beside what our own buffers do."""

from __future__ import annotations

from handlers.transport import UNSENT_BYTES
from tests.handlers.client import Link
from tests.handlers.steps import BUFFER_BYTES, RECEIVE_BUFFER, fall_behind, numbered, the_peer


async def test_a_connection_that_was_busy_stalls_with_little_on_its_way(link: Link) -> None:
    """However much went over it before: about what the bound says, and what the other side's window takes."""
    async with (
        link.server(buffer_bytes=BUFFER_BYTES) as server,
        link.client(server, RECEIVE_BUFFER) as client,
    ):
        wire = the_peer(server).wire
        for number in range(100):
            wire.send(numbered(number))
            await client.message()
        taken = await fall_behind(wire) * len(numbered(0)) - wire.backlog
        assert taken < 2 * UNSENT_BYTES
