"""The two WebSockets: who may open one, and what stands between its wire and the hub.

`Socket` is Tornado's handler and lives as long as the handshake. What stays is a `SocketConnection`:
the hub's connection at one end, the wire's peer at the other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from tornado.httputil import HTTPHeaders
from tornado.websocket import WebSocketHandler, WebSocketProtocol

from handlers.base import Base
from handlers.handshake import Handshake
from handlers.wire import Wire, Wires
from server import errors
from server.clock import rfc3339
from server.dispatch import SLACK_SECONDS, Client, Dispatcher, as_api_error
from server.errors import ApiError, Close
from server.frames import PING_FRAME
from server.hub import Connection, Hub, Share
from server.ids import new_id
from server.logs import log
from server.node import Node
from server.outbox import Batch
from server.protocol.limits import PROTOCOL_VERSION
from server.services.tokens import Claims

RETRY_SECONDS = 30.0  # for one who has too many sockets: time for the lost ones to be noticed
OUTAGE_SECONDS = 4.0  # while the database is away: its usual restart


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is on the other side of a path: the hub that its connections are in, who serves them, who is told."""

    node: Node
    hub: Hub
    dispatcher: Dispatcher
    arrived: Callable[[Connection], Awaitable[None]]
    departed: Callable[[Connection], None]


def chat_endpoint(node: Node) -> Endpoint:
    """`WS /ws/connect`."""

    async def arrived(connection: Connection) -> None:
        node.chat_arrived(connection)

    return Endpoint(node, node.chat, node.chat_dispatcher, arrived, node.chat_departed)


def signal_endpoint(node: Node) -> Endpoint:
    """`WS /webrtc/signal`."""
    return Endpoint(node, node.signal, node.signal_dispatcher, node.calls.arrived, node.signal_departed)


def sharing(wires: Wires) -> Share:
    """How a hub's rooms reach the wires of their connections, all at once."""

    def share(batch: Batch, connections: Collection[Connection]) -> None:
        ours = cast("Collection[SocketConnection]", connections)
        wires.share(batch, [connection.wire for connection in ours])

    return share


class SocketConnection(Connection):
    """A connection of the hub over a wire."""

    __slots__ = ("_client", "_endpoint", "pinged_at", "wire")

    def __init__(self, endpoint: Endpoint, wire: Wire, claims: Claims, address: str) -> None:
        now = endpoint.node.clock.now()
        super().__init__(new_id(), claims.user_id, claims.login_id, claims.expires_at, now)
        self._endpoint = endpoint
        self.wire = wire
        buckets = endpoint.node.quotas.buckets(claims.user_id, address)
        self._client = Client(buckets, address)
        wire.peer = self
        self.pinged_at = now

    # For the hub and the services

    @property
    def backlog(self) -> int:
        return self.wire.backlog

    @property
    def behind(self) -> bool:
        return self.wire.behind

    def send(self, frame: bytes, key: Hashable | None = None) -> None:
        self.wire.send(frame, key)

    def close(self, close: Close) -> None:
        self.wire.close(close)

    def abort(self) -> None:
        """For one who is silent: nobody is there to shake hands with."""
        self.wire.abort()

    # For the wire

    def heard(self) -> None:
        self.heard_at = self._endpoint.node.clock.now()

    def received(self, message: str | bytes) -> asyncio.Future[None] | None:
        if self.closed or not self._endpoint.node.ready:
            return None  # one who stops takes nothing on: what is not acknowledged is sent again
        return self._endpoint.dispatcher.serve(self, self._client, message)

    def control_received(self) -> None:
        self._endpoint.dispatcher.count_control(self, self._client)

    def ended(self, code: int | None) -> None:
        self._endpoint.departed(self)
        self._endpoint.node.people.depart(self.user_id)
        self._endpoint.node.quotas.closed(self._client.address)
        log.debug("socket_closed", connection_id=self.id, code=code)


class Socket(Base, WebSocketHandler):
    """The handshake of both paths."""

    endpoint: Endpoint
    wires: Wires

    def initialize(self, endpoint: Endpoint, wires: Wires) -> None:  # type: ignore[override]
        super().initialize(endpoint.node)
        self.endpoint = endpoint
        self.wires = wires

    def clear(self) -> None:
        """Without headers at first, when Tornado calls it before `initialize`: an upgrade's answer has its own."""
        if hasattr(self, "endpoint"):
            super().clear()
            return
        self._headers = HTTPHeaders()
        self._write_buffer = []
        self.set_status(HTTPStatus.SWITCHING_PROTOCOLS)

    def refusal(self, error: ApiError) -> bytes:
        self.clear()
        return super().refusal(error)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        return Handshake(self, self.wires, self.begin)

    def prepare(self) -> None:
        # Before Tornado's own check, which does not stand an origin that is no URL.
        origin = self.request.headers.get("Origin")
        if origin is not None and not self.is_own_origin(origin):
            self.note_foreign_origin()
            self.refuse(errors.forbidden("this origin may not connect"))

    async def get(self, *args: str, **kwargs: str) -> None:
        """The upgrade, if it is one (RFC 6455 §4.2.1): Tornado's refusals are no JSON."""
        headers = self.request.headers
        offered = {part.strip().lower() for part in headers.get("Connection", "").split(",")}
        if (
            headers.get("Upgrade", "").lower() != "websocket"
            or "upgrade" not in offered
            or "Sec-WebSocket-Key" not in headers
        ):
            self.refuse(errors.invalid("expected a WebSocket upgrade"))
        elif headers.get("Sec-WebSocket-Version") != "13":
            answer = self.refusal(errors.invalid("expected version 13 of the WebSocket protocol"))
            self.set_header("Sec-WebSocket-Version", "13")
            self.set_status(HTTPStatus.UPGRADE_REQUIRED)
            self.finish(answer)
        else:
            await super().get(*args, **kwargs)

    def check_origin(self, origin: str) -> bool:
        return True  # asked in `prepare`

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "bearer" if len(subprotocols) == 2 and subprotocols[0] == "bearer" else None

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
        elif (token := self.get_query_argument("token", None)) and not self.node.settings.token_in_url:
            raise errors.unauthorized("no token is taken in the URL here: get a ticket")
        elif token:
            claims = tokens.verify(token)
        else:
            raise errors.unauthorized(errors.TOKEN_MISSING.reason)
        return await self.node.accounts.identify(claims)

    async def begin(self, wire: Wire) -> None:
        """The handshake is complete: lets the client in, or says in a close frame why not."""
        node, endpoint = self.node, self.endpoint
        if not node.ready:
            wire.close(errors.restarting(self.restart_delay()))
            return
        address = self.address
        if node.quotas.is_full(address):
            wire.close(errors.try_later(_spread(RETRY_SECONDS)))
            return
        if wait := node.quotas.admit_socket(address):
            wire.close(errors.try_later(wait))
            return
        node.quotas.opened(address)
        connection = None
        try:
            connection = await self._let_in(wire, address)
        finally:
            if connection is None:  # else it tells of its end
                node.quotas.closed(address)
        if connection is not None:
            await endpoint.arrived(connection)
            wire.start()

    async def _let_in(self, wire: Wire, address: str) -> SocketConnection | None:
        """None for one who has been told why not."""
        node = self.node
        try:
            async with asyncio.timeout(node.settings.storage_timeout + SLACK_SECONDS):
                claims = await self._identify()
                if wait := node.quotas.flood_wait(claims.user_id):
                    wire.close(errors.try_later(wait))
                    return None
                person = await node.people.arrive(claims.user_id)
        except Exception as unknown:
            error = as_api_error(unknown, request="open", request_id=self.request_id)
            self.note_refused_token(error, over="socket")
            wire.close(_refusal(error))
            return None
        close = self._unwelcome(claims, address)
        if close is not None or not wire.is_open:  # it may have gone while we looked
            node.people.depart(claims.user_id)
            if close is not None:
                wire.close(close)
            return None
        connection = SocketConnection(self.endpoint, wire, claims, address)
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
        return connection

    def _unwelcome(self, claims: Claims, address: str) -> Close | None:
        """Why this connection may not begin, if so.

        Asked when nothing waits any more: a login that ends from here on finds this connection and
        closes it, and those opened at the same time count it.
        """
        settings = self.node.settings
        try:
            self.node.tokens.check_login(claims)
            self.node.bans.check(claims.user_id)
        except ApiError as error:
            self.note_refused_token(error, over="socket")
            return _refusal(error)
        if (
            settings.rate_limits
            and len(self.endpoint.hub.of_user(claims.user_id)) >= settings.connections_per_user
        ):
            self.node.security.refused("connections_limited", address, by="user", user_id=claims.user_id)
            return errors.try_later(_spread(RETRY_SECONDS))
        return None


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


def _refusal(error: ApiError) -> Close:
    """How one who may not come in is sent away."""
    if error.code == "unavailable":
        return errors.try_later(_spread(OUTAGE_SECONDS))
    return errors.BANNED if isinstance(error, errors.Banned) else errors.token_refused(error.message)


def _spread(seconds: float) -> float:
    """A different time for each who is sent away, so that they do not come back together."""
    return random.uniform(0.5, 1.5) * seconds
