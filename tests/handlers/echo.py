"""A server that sends back what it gets, over our wire: what a conformance suite asks for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, WebSocketProtocol

from handlers.handshake import Handshake
from handlers.wire import Wire, Wires
from server.frames import BINARY, frame, text_frame


class Echo:
    """A peer that answers each message with itself; `ended_with` is None until the wire has ended."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.served = 0
        self.heard_times = 0
        self.controls = 0
        self.ended_with: list[int | None] = []
        # What `received` returns, for tests of a server that takes its time.
        self.busy: asyncio.Future[None] | None = None
        wire.peer = self

    def heard(self) -> None:
        self.heard_times += 1

    def received(self, message: str | bytes) -> asyncio.Future[None] | None:
        self.served += 1
        data = text_frame(message.encode()) if isinstance(message, str) else frame(BINARY, message)
        self.wire.send(data)
        return self.busy

    def control_received(self) -> None:
        self.controls += 1

    def ended(self, code: int | None) -> None:
        self.ended_with.append(code)


class Sink:
    """A peer that answers nothing, and counts."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.served = 0
        self.ended_with: list[int | None] = []
        wire.peer = self

    def heard(self) -> None: ...

    def received(self, message: str | bytes) -> asyncio.Future[None] | None:
        self.served += 1
        return None

    def control_received(self) -> None: ...

    def ended(self, code: int | None) -> None:
        self.ended_with.append(code)


class EchoServer:
    """Listens on `port`; `peers` are those that have come, in their order."""

    def __init__(self, wires: Wires, **options: Any) -> None:
        self.wires = wires
        self.peers: list[Echo] = []
        self.failing = False  # connections cannot begin
        self._server = HTTPServer(Application([("/.*", _handler(self))]), **options)
        (listening,) = bind_sockets(0, "127.0.0.1")
        self.port: int = listening.getsockname()[1]
        self._server.add_sockets([listening])

    async def close(self) -> None:
        self._server.stop()
        for wire in list(self.wires.open):
            wire.abort()
        await self._server.close_all_connections()


def _handler(server: EchoServer) -> type[WebSocketHandler]:
    class EchoHandler(WebSocketHandler):
        def get_websocket_protocol(self) -> WebSocketProtocol:
            return Handshake(self, server.wires, self.begin)

        async def begin(self, wire: Wire) -> None:
            server.peers.append(Echo(wire))
            if server.failing:
                raise RuntimeError("no beginning")
            wire.start()

    return EchoHandler


@asynccontextmanager
async def echo_server(
    *, message_bytes: int = 65_536, buffer_bytes: int = 1_048_576, tls: ssl.SSLContext | None = None
) -> AsyncIterator[EchoServer]:
    wires = Wires(message_bytes=message_bytes, buffer_bytes=buffer_bytes)
    server = EchoServer(wires, ssl_options=tls)
    try:
        yield server
    finally:
        await server.close()
