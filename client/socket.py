"""A WebSocket that stays: authenticates, reconnects, renews its token before it expires, and pairs
requests with answers by `ref`. What the frames mean is the business of its subclasses, ChatSocket and
SignalSocket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from client.auth import Auth
from client.backoff import asked_retry_delay, full_jitter
from client.emitter import Emitter, log
from client.errors import HereaboutsError
from client.http import error_of

CONNECT_SECONDS: Final = 10.0  # until the WebSocket handshake is done
HANDSHAKE_SECONDS: Final = 10.0  # from there until `connected`
REQUEST_SECONDS: Final = 10.0
FLOOD_PAUSE: Final = 10.0  # seconds, on top of the jitter: whoever flooded was too fast
MAX_SENT: Final = (
    64 * 2**10
)  # bytes, the contract's: a larger frame would close the connection, each time anew
MAX_MESSAGE: Final = 16 * 2**20  # bytes; the largest frames, lists of hundreds, are far below

# Close codes of the contract that decide what happens next.
CLOSE_TOKEN: Final = 4001
CLOSE_LOGGED_OUT: Final = 4003
CLOSE_FLOODING: Final = 4029

Frame = dict[str, Any]


def _closed(message: str = "not connected") -> HereaboutsError:
    return HereaboutsError("closed", message)


class _Inbox:
    """What one connection brings. Tornado's own queue of one holds up its closing handshake if nobody reads."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()  # None at the end
        self.ended = asyncio.Event()

    def arrived(self, message: str | bytes | None) -> None:
        self.messages.put_nowait(message)
        if message is None:
            self.ended.set()


class ReconnectingSocket(Emitter):
    """Events: `state {state, retry_at}` with a state of closed, connecting, open or waiting (`retry_at` in
    seconds since the epoch, while waiting), and every frame of the server under its own `type`, `connected`
    and `error` included."""

    def __init__(self, url: str, auth: Auth) -> None:
        """`url`: `ws:` or `wss:`."""
        super().__init__()
        self._url = url
        self._auth = auth
        self._connection: WebSocketClientConnection | None = None
        self._deadline: asyncio.Timeout  # of the connection, for as long as there is one
        self._heard_at = 0.0  # by the loop's clock
        self._attempt = 0
        self._refs = count(1)
        self._pending: dict[str, asyncio.Future[Frame]] = {}
        self._running: asyncio.Task[None] | None = None
        self._keeping: list[asyncio.Task[None]] = []  # what lasts as long as a connection
        self._ending: set[asyncio.Task[Any]] = set()
        self._retry = asyncio.Event()
        self._ready = asyncio.Event()
        self.state = "closed"
        self.retry_at: float | None = None
        self.close_code: int | None = None  # of the last connection that was open: 1012 for a restart

    def open(self) -> None:
        """Connects, and keeps connecting until `close()` or the end of the login."""
        if self._running is None:
            self._ready.clear()
            self._running = asyncio.create_task(self._stay())

    def close(self) -> None:
        """Closes for good; requests under way fail with `closed`."""
        running, self._running = self._running, None
        if running is None:
            return
        running.cancel()
        self._ending.add(running)
        running.add_done_callback(self._ending.discard)
        self._drop()
        self._set_state("closed")
        self._ready.set()  # whoever waits is to learn that it will not be

    async def ended(self) -> None:
        """After `close()`: waits until the connections are closed on the network too, 5 s at most."""
        while self._ending:
            await asyncio.wait(self._ending)

    async def ready(self) -> None:
        """Waits until requests can be made. Raises HereaboutsError: `closed` when nobody is signed in."""
        if self._running is not None:
            await self._ready.wait()
        if self._running is None:
            raise _closed("closed for good: nobody is signed in")

    def retry_now(self) -> None:
        """Tries at once instead of at the end of the wait: the network is back, or the user asks."""
        self._retry.set()

    def restart(self) -> None:
        """Gives up a connection that no longer answers, and makes another."""
        if self._connection is not None and not self._deadline.expired():
            self._deadline.reschedule(0)  # long past

    async def request(self, type: str, **fields: Any) -> Frame:
        """The frame that answers.

        Raises HereaboutsError: the server's code, `timeout` after 10 s, `closed`, or `too_large` for what no
        frame holds.
        """
        if self.state != "open" or self._connection is None:
            raise _closed()
        ref = str(next(self._refs))
        text = json.dumps({"type": type, **fields, "ref": ref})
        if len(text) > MAX_SENT:  # it is ASCII
            raise HereaboutsError("too_large", "too much for one frame")
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._pending[ref] = answer
        self._send(text)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await answer
        except TimeoutError:
            raise HereaboutsError("timeout", f"no answer to {type}") from None
        finally:
            self._pending.pop(ref, None)

    def notify(self, type: str, **fields: Any) -> bool:
        """Sends what has no answer. False when there is no connection: it was not sent."""
        if self.state != "open" or self._connection is None:
            return False
        self._send(json.dumps({"type": type, **fields}))
        return True

    def _send(self, text: str) -> None:
        assert self._connection is not None
        try:
            written = self._connection.write_message(text)
        except WebSocketClosedError:
            return  # whoever reads is about to notice, and fails what waits
        written.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _stay(self) -> None:
        """One connection after the other, until cancelled or the login ends."""
        while True:
            self._set_state("connecting")
            try:
                token = await self._auth.token()
                code, reason = await self._converse(token)
            except HereaboutsError as error:
                if not error.transient:
                    break
                delay = error.retry_after
            else:
                if code == CLOSE_LOGGED_OUT:
                    self._auth.end("ended")
                    break
                if code == CLOSE_TOKEN:
                    self._auth.discard_token(token)
                delay = asked_retry_delay(code, reason)
                if code == CLOSE_FLOODING:
                    delay = FLOOD_PAUSE + full_jitter(self._attempt)
            if delay is None:
                delay = full_jitter(self._attempt)
                self._attempt += 1
            await self._wait(delay)
        self.close()

    async def _wait(self, delay: float) -> None:
        self._retry.clear()
        self._set_state("waiting", time.time() + delay)
        try:
            async with asyncio.timeout(delay):
                await self._retry.wait()
        except TimeoutError:
            return

    async def _connect(self, token: str, inbox: _Inbox) -> WebSocketClientConnection:
        request = HTTPRequest(
            self._url,
            headers={"Authorization": f"Bearer {token}"},
            connect_timeout=CONNECT_SECONDS,
            request_timeout=CONNECT_SECONDS,
        )
        connecting = asyncio.ensure_future(
            websocket_connect(request, on_message_callback=inbox.arrived, max_message_size=MAX_MESSAGE)
        )
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_late)
            raise
        except HTTPClientError as error:
            if error.response is not None and error.code != 599:
                refusal = error_of(error.response)
                raise HereaboutsError(
                    "unavailable", f"refused with HTTP {error.code}", retry_after=refusal.retry_after
                ) from error
            raise HereaboutsError("network", str(error)) from error
        except (OSError, WebSocketError) as error:
            raise HereaboutsError("network", str(error)) from error

    async def _converse(self, token: str) -> tuple[int | None, str]:
        """One connection, until it ends or falls silent; the code and reason that it was closed with."""
        inbox = _Inbox()
        connection = self._connection = await self._connect(token, inbox)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS) as self._deadline:
                while (message := await inbox.messages.get()) is not None:
                    self._heard_at = loop.time()
                    self._receive(json.loads(message))
        except TimeoutError:
            log.info("%s: the connection is given up", self._url)
        except (ValueError, KeyError, TypeError):  # not the server that this is written for
            log.exception("%s: a frame that is none of the protocol's", self._url)
        finally:
            if self._connection is connection:
                # What follows fails for the same reason: only one that was open says why it went.
                if self.state == "open":
                    self.close_code = connection.close_code
                self._drop()
            connection.close()
            ending = asyncio.create_task(inbox.ended.wait())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        return connection.close_code, connection.close_reason or ""

    def _receive(self, frame: Frame) -> None:
        if frame["type"] == "connected":
            self._opened(frame)
        answer = self._pending.pop(frame.get("ref", ""), None)
        if answer is not None and not answer.done():
            if frame["type"] == "error":
                answer.set_exception(as_error(frame))
                return
            answer.set_result(frame)
        self._deliver(frame)

    def _deliver(self, frame: Frame) -> None:
        """Hands a frame on; a subclass may put some of them in order first."""
        self.emit(frame["type"], frame)

    def _opened(self, frame: Frame) -> None:
        seconds = frame["heartbeat_seconds"]
        self._attempt = 0
        self._deadline.reschedule(None)
        self._keep(self._stay_alive(seconds))
        self._keep(self._stay_known())
        self._keep(self._prepare())
        self._set_state("open")  # last: a listener may close

    async def _prepare(self) -> None:
        """What a new connection needs before it is ready."""
        self._ready.set()

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs until the connection ends."""
        self._keeping = [task for task in self._keeping if not task.done()]
        task = asyncio.create_task(coroutine)
        self._keeping.append(task)
        return task

    async def _stay_alive(self, heartbeat: float) -> None:
        """Silence of two heartbeats is a dead connection. The server's own pings are answered by Tornado and
        not seen here, so one who has heard nothing for one heartbeat asks."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(heartbeat / 2)
            silent = loop.time() - self._heard_at
            if silent >= 2 * heartbeat:
                self.restart()
            elif silent >= heartbeat:
                self.notify("ping")

    async def _stay_known(self) -> None:
        """Hands the server a new token before the one that it knows expires."""
        while self._auth.renew_at != float("inf"):
            await asyncio.sleep(max(0.0, self._auth.renew_at - time.monotonic()))
            try:
                await self.request("renew_token", access_token=await self._auth.token())
            except HereaboutsError as error:
                # Nothing is lost: the server closes with 4001 when the old token ends, and reconnecting
                # starts with a new one. Until then, try again.
                if not error.transient:
                    log.warning("token renewal refused: %s", error)
                await asyncio.sleep(REQUEST_SECONDS)

    def _drop(self) -> None:
        """Lets go of the connection: what waits for it fails, what lasts as long as it ends."""
        self._connection = None
        self._ready.clear()
        for task in self._keeping:
            task.cancel()
        self._keeping.clear()
        pending, self._pending = self._pending, {}
        for answer in pending.values():
            if not answer.done():
                answer.set_exception(_closed("the connection went away"))

    def _set_state(self, state: str, retry_at: float | None = None) -> None:
        self.state = state
        self.retry_at = retry_at
        self.emit("state", {"state": state, "retry_at": retry_at})


def _close_late(connecting: asyncio.Future[WebSocketClientConnection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()


def as_error(frame: Frame) -> HereaboutsError:
    return HereaboutsError(frame["code"], frame["message"], retry_after=frame.get("retry_after"))
