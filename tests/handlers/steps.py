"""What several tests of the wire do at the server's end, and the sizes that they do it with."""

from __future__ import annotations

import asyncio

from handlers.transport import StreamTransport
from handlers.wire import Wire
from server.frames import text_frame
from tests.handlers.client import (
    Link,
    until,
)
from tests.handlers.echo import Echo, EchoServer

SMALL = 0.05  # for CLOSE_SECONDS
# A receive buffer this small, and what the kernel keeps for the sender (some MB), fill up soon.
RECEIVE_BUFFER = 4096
BUFFER_BYTES = 100_000
MANY = 20_000


PLAIN = Link("plain")


def the_peer(server: EchoServer) -> Echo:
    (peer,) = server.peers
    return peer


def keep_busy(peer: Echo) -> asyncio.Future[None]:
    """Until this future is done, the message that is served next is."""
    peer.busy = asyncio.get_running_loop().create_future()
    return peer.busy


def let_go_on(peer: Echo) -> None:
    """The message that is being served is done with; those after it take no time."""
    assert peer.busy is not None
    peer.busy.set_result(None)
    peer.busy = None


async def all_ended(server: EchoServer) -> None:
    """No wire is left, and the peers have been told."""
    await until(lambda: not server.wires.open and all(peer.ended_with for peer in server.peers))
    await asyncio.sleep(0)


async def a_turn() -> None:
    """All that was due by now has been run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def fall_behind(wire: Wire) -> int:
    """Sends numbered frames, a turn each, until the socket of a client that does not read is full; how many."""
    count = 0
    while not wire.backlog:
        wire.send(numbered(count))
        count += 1
        await a_turn()
    return count


def numbered(number: int) -> bytes:
    return text_frame(f"{number} {'x' * 30_000}".encode())


def number_of(message: str | bytes) -> int:
    assert isinstance(message, str)
    return int(message.split()[0])


def is_paused(wire: Wire) -> bool:
    """Whether its socket is not read."""
    transport = wire._transport
    return not (transport._going.is_set() if isinstance(transport, StreamTransport) else transport._reading)  # type: ignore[attr-defined]
