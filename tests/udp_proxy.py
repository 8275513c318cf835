"""A road for UDP that loses what a test tells it to: the network between a browser and a relay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

Address = tuple[str, int]


class UdpRoad(asyncio.DatagramProtocol):
    """Passes datagrams on to a port of this machine, and their answers back, each sender by a socket of its own.

    `loss`: this part of them is lost, either way. `cut()`: those who have come so far get through no more, as
    behind a router that has forgotten them; whoever comes anew does.
    """

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._chance = random.Random(7)
        self._ways: dict[Address, asyncio.Future[asyncio.DatagramTransport]] = {}
        self._lost: set[Address] = set()
        self.loss = 0.0

    def cut(self) -> None:
        self._lost.update(self._ways)

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, sender: Address) -> None:
        if sender not in self._ways:
            self._ways[sender] = asyncio.ensure_future(self._open(sender))
        self._ways[sender].add_done_callback(lambda way: self._pass(sender, way.result().sendto, data))

    def answered(self, sender: Address, data: bytes) -> None:
        self._pass(sender, self._transport.sendto, data, sender)

    def close(self) -> None:
        self._transport.close()
        for way in self._ways.values():
            way.cancel() if not way.done() else way.result().close()

    def _pass(self, sender: Address, send: Callable[..., None], *datagram: Any) -> None:
        if sender not in self._lost and self._chance.random() >= self.loss:
            send(*datagram)

    async def _open(self, sender: Address) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Back(self, sender), remote_addr=self._to)
        return transport


class _Back(asyncio.DatagramProtocol):
    """The way back to one sender."""

    def __init__(self, road: UdpRoad, sender: Address) -> None:
        self._road = road
        self._sender = sender

    def datagram_received(self, data: bytes, _: Address) -> None:
        self._road.answered(self._sender, data)


@asynccontextmanager
async def udp_road(port: int) -> AsyncIterator[tuple[UdpRoad, int]]:
    """`async with udp_road(port) as (road, at)`: a way to the port by way of `at`."""
    loop = asyncio.get_running_loop()
    transport, road = await loop.create_datagram_endpoint(lambda: UdpRoad(port), local_addr=("127.0.0.1", 0))
    try:
        yield road, transport.get_extra_info("sockname")[1]
    finally:
        road.close()
