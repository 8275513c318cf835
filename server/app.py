"""A node on the network: opens what it stands on, listens, does the recurring work, and stops in good order."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from handlers.base import RESTART_SPREAD_SECONDS, Base
from handlers.routes import url_specs
from handlers.socket import Heartbeat, sharing
from handlers.wire import Wires
from server.clock import Clock
from server.errors import restarting
from server.logs import log
from server.node import Node
from server.services import bans, retention
from server.settings import BadSetting, Settings
from storage.errors import StorageError
from storage.store import Store

# Tornado's own bound on a request's body, for what is no `handlers.bodies.BodyHandler`: pages and sockets take none,
# and Tornado would look for a form in it.
HARD_BODY_BYTES: Final = 1_024
# A request's line and headers together: several times a token.
HEADER_BYTES: Final = 16_384
# From a connection's opening, or the request before, to the end of the headers: the handshake of TLS, headers
# that trickle, and idleness. A descriptor each; Tornado's default is an hour.
HEADER_SECONDS: Final = 20.0
# From there to the end of the body: 64 KiB over the slowest of mobile networks.
BODY_SECONDS: Final = 20.0
LAG_SECONDS: Final = 0.5
# The shares of the time that stopping may take: until what was asked is answered, until the sockets have
# closed (`handlers.wire.CLOSE_SECONDS` by default); the rest is for what they leave to be written.
ANSWERED_BY: Final = 0.5
CLOSED_BY: Final = 0.75
# Connections that may wait to be accepted: a crowd that returns at once. The system has a bound of its own
# (net.core.somaxconn); one that finds no place tries again after a second, then after three.
LISTEN_BACKLOG: Final = 4_096


class App:
    """One running server. `start`, then `stop`; `port` is the real one."""

    def __init__(
        self, settings: Settings, store: Store, token_secret: bytes, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.store = store
        self.node = Node(settings, store, token_secret, clock or Clock())
        self.port = 0
        self._wires = Wires(
            message_bytes=settings.message_bytes,
            buffer_bytes=settings.buffer_bytes,
            on_close=lambda code: self.node.metrics.closes.labels(code).inc(),
        )
        self.node.chat.share = self.node.signal.share = sharing(self._wires)
        self._tasks: list[asyncio.Task[None]] = []
        self._server: HTTPServer | None = None

    async def start(self) -> None:
        """Listens and takes connections. `BadSetting` for a port that is taken or a certificate that does not load."""
        settings = self.settings
        await self.node.load()
        application = Application(
            url_specs(self.node, self._wires),
            log_function=_log_request,
            compress_response=False,
        )
        self._server = HTTPServer(
            application,
            ssl_options=_tls(settings),
            max_body_size=HARD_BODY_BYTES,
            max_header_size=HEADER_BYTES,
            idle_connection_timeout=HEADER_SECONDS,
            body_timeout=BODY_SECONDS,
        )
        try:
            listening = bind_sockets(settings.port, settings.host, backlog=LISTEN_BACKLOG, reuse_port=False)
        except OSError as error:
            raise BadSetting(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
        self.port = listening[0].getsockname()[1]
        self._server.add_sockets(listening)
        heartbeat = Heartbeat(
            (self.node.chat, self.node.signal), settings.heartbeat_seconds, self.node.clock.now
        )

        async def beat() -> None:
            heartbeat.tick()

        self._every(heartbeat.tick_seconds, beat)
        self._every(retention.EVERY_SECONDS, self._purge)
        self._every(bans.LOOK_SECONDS, self.node.bans.look)
        self._tasks.append(asyncio.create_task(self._measure_lag()))
        self.node.ready = True

    async def stop(self) -> None:
        """Not ready; no new connections; what was accepted is finished and acknowledged; then 1012 to everybody."""
        self.node.ready = False
        if self._server is not None:
            self._server.stop()
        self.node.calls.end_all()
        began, seconds = asyncio.get_running_loop().time(), self.settings.shutdown_seconds
        try:
            async with asyncio.timeout_at(began + ANSWERED_BY * seconds):
                await _until(lambda: not self.node.busy)
        except TimeoutError:
            log.warning("stopped_with_work_under_way")
        self.node.calls.end_all()
        wires = list(self._wires.open)
        slot = RESTART_SPREAD_SECONDS / max(1, len(wires))
        for place, wire in enumerate(wires):
            # A slot of the time for each, less a random part of it: no two are told the same.
            wire.close(restarting(slot * (place + 1 - random.random() / 2)))
        try:
            async with asyncio.timeout_at(began + CLOSED_BY * seconds):
                await _until(lambda: not self._wires.open)
        except TimeoutError:
            log.info("sockets_cut", count=len(self._wires.open))
        for wire in list(self._wires.open):
            wire.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.node.accounts.close()
        if self._server is not None:
            await self._server.close_all_connections()
        try:
            async with asyncio.timeout_at(began + seconds):
                await self.node.presence.close()
        except TimeoutError:
            log.warning("last_seen_not_kept")
        await self.store.close(until=began + seconds)

    async def _purge(self) -> None:
        store, node = self.store, self.node
        await retention.purge(self.settings, store.messages, store.speech, node.recent, node.clock)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.node.metrics.loop_lag.observe(max(0.0, loop.time() - due))

    def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        async def repeat() -> None:
            while True:
                try:
                    await work()
                except StorageError as error:
                    log.warning("recurring_work_failed", work=work.__name__, error=str(error))
                except Exception:
                    log.exception("recurring_work_failed", work=work.__name__)
                await asyncio.sleep(seconds)

        self._tasks.append(asyncio.create_task(repeat()))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise BadSetting(f"tls_cert and tls_key: {error.strerror or 'cannot be read'}") from None
    return context


def _log_request(handler: RequestHandler) -> None:
    """Tornado's own line would have the query string, and with it tokens; ours are in `handlers.rest`.

    A 503 is no error of ours: what stands behind it has a line of its own, and a crowd that is told to come back
    later would fill the log.
    """
    if handler.get_status() >= 500 and handler.get_status() != 503:
        log.warning(
            "server_error",
            request_id=handler.request_id if isinstance(handler, Base) else None,
            status=handler.get_status(),
            method=handler.request.method,
            path=handler.request.path,
        )
