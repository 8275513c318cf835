"""The upgrade of an HTTP request to a WebSocket (RFC 6455 §4.2.2), and what HTTP leaves behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

from handlers.wire import Wire, Wires


class Handshake(WebSocketProtocol13):
    """Answers the upgrade and hands the handler a `Wire`. Everything else of Tornado's protocol is unused."""

    def __init__(
        self, handler: WebSocketHandler, wires: Wires, begin: Callable[[Wire], Awaitable[None]]
    ) -> None:
        super().__init__(handler, False, _WebSocketParams())
        self._wires = wires
        self._begin = begin

    async def _accept_connection(self, handler: WebSocketHandler) -> None:
        key = handler.request.headers["Sec-WebSocket-Key"]
        offered = handler.request.headers.get("Sec-WebSocket-Protocol", "")
        chosen = handler.select_subprotocol([name.strip() for name in offered.split(",")] if offered else [])
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self.compute_accept_value(key)}",
            *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else []),
            "\r\n",
        ]
        stream = handler._detach_stream()
        if stream.closed():
            return  # gone already
        wire = Wire(stream, self._wires)
        wire.respond("\r\n".join(lines).encode())
        try:
            await self._begin(wire)
        except BaseException:
            wire.abort()  # or it would be in the hub for ever, and nobody read it
            raise
        finally:
            # What HTTP needed goes now, and not when cycles are looked for.
            handler.ws_connection = None
            handler._on_close_called = True
            handler._break_cycles()
