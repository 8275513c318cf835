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
from handlers.socket import Heartbeat
from handlers.wire import CLOSE_SECONDS, Wires
from server.clock import Clock
from server.errors import restarting
from server.logs import log
from server.node import Node
from server.services import retention
from server.settings import BadSetting, Settings
from storage.errors import StorageError
from storage.store import Store

# Tornado's own bound on a request's body, for what is no `handlers.bodies.BodyHandler`.
HARD_BODY_BYTES: Final = 1_048_576
LAG_SECONDS: Final = 0.5
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
        # Idle and half-sent requests cost a descriptor each: Tornado's defaults are an hour.
        self._server = HTTPServer(
            application,
            ssl_options=_tls(settings),
            max_body_size=HARD_BODY_BYTES,
            max_header_size=16_384,
            idle_connection_timeout=75,
            body_timeout=30,
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
        self._tasks.append(asyncio.create_task(self._measure_lag()))
        self.node.ready = True

    async def stop(self) -> None:
        """Not ready; no new connections; what was accepted is finished and acknowledged; then 1012 to everybody."""
        self.node.ready = False
        if self._server is not None:
            self._server.stop()
        self.node.calls.end_all()
        deadline = asyncio.get_running_loop().time() + self.settings.shutdown_seconds
        try:
            async with asyncio.timeout_at(deadline - CLOSE_SECONDS):
                await self.store.writer.drain()
                await _until(lambda: not self.node.requests_under_way)
        except (TimeoutError, StorageError) as error:
            log.warning("stopped_with_work_under_way", error=type(error).__name__)
        wires = list(self._wires.open)
        slot = RESTART_SPREAD_SECONDS / max(1, len(wires))
        for place, wire in enumerate(wires):
            # A slot of the time for each, less a random part of it: no two are told the same.
            wire.close(restarting(slot * (place + 1 - random.random() / 2)))
        try:
            async with asyncio.timeout_at(deadline):
                await _until(lambda: not self._wires.open)
        except TimeoutError:
            log.info("sockets_cut", count=len(self._wires.open))
        for wire in list(self._wires.open):
            wire.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.node.presence.close()
        self.node.accounts.close()
        if self._server is not None:
            await self._server.close_all_connections()
        await self.store.close()

    async def _purge(self) -> None:
        await retention.purge(self.settings, self.store.messages, self.node.recent, self.node.clock)

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
