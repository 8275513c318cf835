"""The two WebSockets: from Tornado's handler to a `Connection` of the hub, and back to the wire.

Reading: Tornado parses, `on_message` awaits the dispatcher, so a client is read no faster than it
is served. Writing: frames gather in the outbox during a turn of the loop and leave in one write at
its end; while the socket takes no more they stay there, bounded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler

from handlers.base import Base
from server import errors
from server.clock import rfc3339
from server.dispatch import Client, Dispatcher, as_api_error
from server.errors import ApiError, Close
from server.frames import PING_FRAME
from server.hub import Connection, Hub
from server.ids import new_id
from server.logs import log
from server.node import Node
from server.outbox import Outbox, Overflow
from server.protocol.limits import PROTOCOL_VERSION
from server.services.tokens import Claims

RETRY_SECONDS = 30.0  # for one who has too many sockets: time for the lost ones to be noticed
OUTAGE_SECONDS = 4.0  # while the database is away: its usual restart


class Sockets:
    """What the sockets of a process share: which are open, and which have something to write.

    Each of the latter is written once, at the end of the loop's turn.
    """

    def __init__(self) -> None:
        self.open: set[Socket] = set()
        self._waiting: list[SocketConnection] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def gather(self, connection: SocketConnection) -> None:
        if not self._waiting:
            self._call_soon(self._end)
        self._waiting.append(connection)

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()


class SocketConnection(Connection):
    """A connection of the hub over a Tornado stream."""

    __slots__ = ("_behind", "_closing", "_gather", "_handler", "_outbox", "_queued", "_stream", "pinged_at")

    def __init__(
        self, handler: Socket, stream: IOStream, outbox: Outbox, sockets: Sockets, claims: Claims
    ) -> None:
        now = handler.node.clock.now()
        super().__init__(new_id(), claims.user_id, claims.login_id, claims.expires_at, now)
        self._handler = handler
        self._stream = stream
        self._outbox = outbox
        self._gather = sockets.gather
        self._queued = False  # for the end of this turn
        self._behind = False  # the socket has not taken the last write yet
        self._closing = False
        self.pinged_at = now

    @property
    def backlog(self) -> int:
        return self._outbox.size

    def send(self, frame: bytes, key: Hashable | None = None) -> None:
        if self._closing:
            return
        try:
            # Only what a reader is behind with may be replaced: within a turn, all goes out.
            self._outbox.push(frame, key if self._behind else None)
        except Overflow:
            # A turn that has more to say than the bound is no slowness of the reader's.
            self.flush()
            if self._behind:
                self.close(errors.TOO_SLOW)
                return
            self._outbox.push(frame)
        if not self._queued and not self._behind:
            self._queued = True
            self._gather(self)

    def flush(self) -> None:
        self._queued = False
        if self._behind or not len(self._outbox):
            return
        try:
            written = self._stream.write(self._outbox.take())
        except StreamClosedError:
            return  # on_close is on its way
        if not written.done():
            self._behind = True
            written.add_done_callback(self._caught_up)

    def _caught_up(self, written: asyncio.Future[None]) -> None:
        self._behind = False
        if not written.cancelled() and written.exception() is None:
            self.flush()

    def close(self, close: Close) -> None:
        if self._closing:
            return
        # What is queued goes now even if the reader is behind, since nothing may follow the close
        # frame (RFC 6455 §5.5.1); of one who is too slow it is given up.
        if close is errors.TOO_SLOW:
            self._outbox.take()
        self._behind = False
        self.flush()
        self._closing = True
        self._handler.node.metrics.closes.labels(close.code).inc()
        # Not now: the hub may be in the middle of a delivery to this very room.
        asyncio.get_running_loop().call_soon(self._handler.end, close)

    def abort(self) -> None:
        """For one who is silent: nobody is there to shake hands with."""
        self._closing = True
        self._stream.close()


class Socket(Base, WebSocketHandler):
    """What both sockets share. A subclass names its hub, its dispatcher, and who hears of arrivals."""

    sockets: Sockets
    connection: SocketConnection | None = None
    client: Client | None = None

    def initialize(self, node: Node, sockets: Sockets) -> None:  # type: ignore[override]
        super().initialize(node)
        self.sockets = sockets

    # What a subclass says

    hub: Hub
    dispatcher: Dispatcher

    def serve(self) -> None:
        """Sets the two, before anything is served."""
        raise NotImplementedError  # pragma: no cover - each socket has its own

    async def arrived(self, connection: Connection) -> None:
        raise NotImplementedError  # pragma: no cover - each socket has its own

    def departed(self, connection: Connection) -> None:
        raise NotImplementedError  # pragma: no cover - each socket has its own

    # Handshake

    def prepare(self) -> None:
        # Before Tornado's own check, which does not stand an origin that is no URL.
        origin = self.request.headers.get("Origin")
        if origin is not None and not self.is_own_origin(origin):
            self.refuse(errors.forbidden("this origin may not connect"))
        self.serve()

    def check_origin(self, origin: str) -> bool:
        return True  # asked in `prepare`

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "bearer" if len(subprotocols) == 2 and subprotocols[0] == "bearer" else None

    def get_compression_options(self) -> None:
        return None

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        # Tornado answers 400, but the handshake is complete by now: what is not UTF-8 is a bad token.
        return value.decode(errors="replace")

    async def _identify(self) -> Claims:
        """The claims of the first token found, in the contract's order."""
        tokens = self.node.tokens
        offered = [part.strip() for part in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if header := self.request.headers.get("Authorization"):
            claims = tokens.verify(self.bearer(header))
        elif len(offered) == 2 and offered[0] == "bearer":
            claims = tokens.verify(offered[1])
        elif ticket := self.get_query_argument("ticket", None):
            claims = tokens.use_ticket(ticket)
        elif token := self.get_query_argument("token", None):
            claims = tokens.verify(token)
        else:
            raise errors.unauthorized(errors.TOKEN_MISSING.reason)
        return await self.node.accounts.identify(claims)

    async def open(self, *args: str, **kwargs: str) -> None:
        node = self.node
        self.sockets.open.add(self)
        if not node.ready:
            self.end(errors.restarting(self.restart_delay()))
            return
        try:
            claims = await self._identify()
            person = await node.people.arrive(claims.user_id)
        except Exception as unknown:
            error = as_api_error(unknown, request="open", request_id=self.request_id)
            refused = error.code != "unavailable"
            self.end(
                errors.token_refused(error.message) if refused else errors.try_later(_spread(OUTAGE_SECONDS))
            )
            return
        stream = self.ws_connection.stream if self.ws_connection is not None else None
        if stream is None or stream.closed():
            node.people.depart(claims.user_id)  # gone while we looked
            return
        if (close := self._unwelcome(claims)) is not None:
            node.people.depart(claims.user_id)
            self.end(close)
            return
        outbox = Outbox(node.settings.buffer_bytes)
        connection = SocketConnection(self, stream, outbox, self.sockets, claims)
        self.connection = connection
        self.client = self.dispatcher.client(connection)
        connection.answer(
            {
                "type": "connected",
                "protocol": PROTOCOL_VERSION,
                "user_id": claims.user_id,
                "username": person.username,
                "connection_id": connection.id,
                "server_time": rfc3339(node.clock.now()),
                "heartbeat_seconds": node.settings.heartbeat_seconds,
            }
        )
        log.debug(
            "socket_opened", connection_id=connection.id, user_id=claims.user_id, path=self.request.path
        )
        await self.arrived(connection)

    def _unwelcome(self, claims: Claims) -> Close | None:
        """Why this connection may not begin, if so.

        Asked when nothing waits any more: a login that ends from here on finds this connection and
        closes it, and those opened at the same time count it.
        """
        settings = self.node.settings
        try:
            self.node.tokens.check_login(claims)
        except ApiError as error:
            return errors.token_refused(error.message)
        if settings.rate_limits and len(self.hub.of_user(claims.user_id)) >= settings.connections_per_user:
            return errors.try_later(_spread(RETRY_SECONDS))
        return None

    # Traffic

    async def on_message(self, message: str | bytes) -> None:
        connection, client = self.connection, self.client
        if connection is None or client is None or connection.closed or not self.node.ready:
            return  # one who stops takes nothing on: what is not acknowledged is sent again
        connection.heard_at = self.node.clock.now()
        await self.dispatcher.serve(client, message)

    def on_pong(self, data: bytes) -> None:
        if self.connection:
            self.connection.heard_at = self.node.clock.now()

    on_ping = on_pong

    # End

    def end(self, close: Close) -> None:
        """Says why, and takes the connection out of the hub without waiting for the other side to agree."""
        self.close(close.code, close.reason)
        self._leave()

    def cut(self) -> None:
        """For one who does not answer the close frame."""
        if self.ws_connection is not None:
            self.ws_connection.client_terminated = True
            self.ws_connection._abort()

    def on_close(self) -> None:
        self.sockets.open.discard(self)
        self._leave()

    def _leave(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self.departed(connection)
            self.node.people.depart(connection.user_id)
            log.debug("socket_closed", connection_id=connection.id, code=self.close_code)


class ChatSocket(Socket):
    """`WS /ws/connect`."""

    def serve(self) -> None:
        self.hub, self.dispatcher = self.node.chat, self.node.chat_dispatcher

    async def arrived(self, connection: Connection) -> None:
        self.node.presence.arrived(connection)

    def departed(self, connection: Connection) -> None:
        self.node.presence.departed(connection)


class SignalSocket(Socket):
    """`WS /webrtc/signal`."""

    def serve(self) -> None:
        self.hub, self.dispatcher = self.node.signal, self.node.signal_dispatcher

    async def arrived(self, connection: Connection) -> None:
        await self.node.calls.arrived(connection)

    def departed(self, connection: Connection) -> None:
        self.node.calls.departed(connection)


class Heartbeat:
    """Pings every connection at its interval, ends the silent ones and those whose token has run out."""

    def __init__(self, hubs: tuple[Hub, ...], seconds: float, now: Callable[[], int]) -> None:
        self._hubs = hubs
        self._interval = int(seconds * 1000)
        self._now = now

    @property
    def tick_seconds(self) -> float:
        return min(1.0, self._interval / 10_000)

    def tick(self) -> None:
        now = self._now()
        for hub in self._hubs:
            for connection in hub:
                assert isinstance(connection, SocketConnection)
                if connection.expires_at <= now:
                    connection.close(errors.TOKEN_EXPIRED)
                elif connection.heard_at <= now - 2 * self._interval:
                    connection.abort()
                elif connection.pinged_at <= now - self._interval:
                    connection.pinged_at = now
                    connection.send(PING_FRAME)


def _spread(seconds: float) -> float:
    """A different time for each who is sent away, so that they do not come back together."""
    return random.uniform(0.5, 1.5) * seconds
