"""From a frame to a service: one table a socket, one way through it.

A row says what a request costs and which function serves it; the struct comes with the `type`
(`server.protocol.requests`), permissions are asked for by the function at the door of the thing
itself (`Sessions.require`, the call book). A connection's requests are served one after another;
a function that returns a future (a message on its way to the disk) lets the next one begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from server.codec import Decoder
from server.errors import FLOODING, ApiError, invalid, not_found, unavailable
from server.hub import Connection
from server.limits import TokenBucket
from server.logs import log
from server.metrics import Metrics
from server.protocol import requests
from server.services.calls import Calls
from server.services.messages import Messages
from server.services.proximity import Proximity
from server.services.renewal import Renewal
from server.services.rooms import Rooms
from server.services.sessions import Sessions
from server.settings import Settings
from storage.errors import SessionGone, StorageError

Serve = Callable[[Connection, Any], Awaitable["asyncio.Future[Any] | None"]]


@dataclass(frozen=True, slots=True)
class Row:
    """A request's function, and what it costs of a connection's rate: 1 is a little work in memory."""

    serve: Serve
    cost: float = 1.0


Table = dict[type[requests.Request], Row]


def chat_table(
    rooms: Rooms, sessions: Sessions, messages: Messages, proximity: Proximity, renewal: Renewal
) -> Table:
    return {
        requests.JoinRoom: Row(rooms.join, 2),
        requests.LeaveRoom: Row(rooms.leave),
        requests.SendMessage: Row(messages.send, 2),
        requests.Typing: Row(rooms.typing),
        requests.MarkRead: Row(sessions.mark_read, 2),
        requests.UpdateLocation: Row(proximity.update_location),
        requests.Ping: Row(renewal.ping, 0.5),
        requests.RenewToken: Row(renewal.renew, 2),
    }


def signal_table(calls: Calls, renewal: Renewal) -> Table:
    return {
        requests.CallInitiate: Row(calls.initiate, 5),
        requests.CallAccept: Row(calls.accept),
        requests.CallReject: Row(calls.reject),
        requests.CallHangup: Row(calls.hang_up),
        requests.CallRejoin: Row(calls.rejoin),
        requests.Offer: Row(calls.describe),
        requests.Answer: Row(calls.describe),
        requests.IceCandidate: Row(calls.candidate, 0.5),
        requests.Ping: Row(renewal.ping, 0.5),
        requests.RenewToken: Row(renewal.renew, 2),
    }


class Client:
    """What the dispatcher keeps of one connection between its requests."""

    __slots__ = ("bucket", "connection", "refused", "under_way")

    def __init__(self, connection: Connection, bucket: TokenBucket | None) -> None:
        self.connection = connection
        self.bucket = bucket
        self.refused = 0  # requests over the rate, less those served since
        self.under_way: set[asyncio.Future[Any]] = set()


class Dispatcher:
    """Serves the frames of one kind of socket."""

    def __init__(self, table: Table, union: Any, settings: Settings, metrics: Metrics) -> None:
        self._table = table
        self._decoder = Decoder(union)
        self._ref_decoder = Decoder(requests.RefOnly)
        self._settings = settings
        self._metrics = metrics
        self._now = asyncio.get_running_loop().time

    def client(self, connection: Connection) -> Client:
        settings = self._settings
        limited = settings.rate_limits
        bucket = TokenBucket(settings.request_rate, settings.request_burst, self._now()) if limited else None
        return Client(connection, bucket)

    async def serve(self, client: Client, frame: str | bytes) -> None:
        """Serves one message. Whatever is wrong with it is answered and closes nothing, save a flood."""
        kind = "unknown"
        ref = None
        try:
            if isinstance(frame, bytes):
                self._charge(client, 1.0)
                raise invalid("expected a text frame, got a binary one")
            try:
                request: requests.Request = self._decoder.decode(frame)
            except ApiError:
                ref = self._ref_of(frame)
                self._charge(client, 1.0)
                raise
            kind, ref = str(request.__struct_config__.tag), request.ref
            row = self._table[type(request)]
            self._charge(client, row.cost)
            later = await row.serve(client.connection, request)
            if later is None:
                self._metrics.requests.labels(kind, "ok").inc()
            else:
                await self._follow(client, kind, ref, later)
        except Exception as error:
            self._answer_error(client, kind, ref, error)

    async def _follow(self, client: Client, kind: str, ref: str | None, later: asyncio.Future[Any]) -> None:
        """Answers for a future when it is done; with too many of them, reads on only after the next one."""

        def done(future: asyncio.Future[Any]) -> None:
            client.under_way.discard(future)
            if future.cancelled() or (error := future.exception()) is None:
                self._metrics.requests.labels(kind, "ok").inc()
            else:
                self._answer_error(client, kind, ref, error)

        client.under_way.add(later)
        later.add_done_callback(done)
        if len(client.under_way) >= self._settings.requests_in_flight:
            await asyncio.wait(client.under_way, return_when=asyncio.FIRST_COMPLETED)

    def _charge(self, client: Client, cost: float) -> None:
        if client.bucket is None:
            return
        wait = client.bucket.take(cost, self._now())
        if not wait:
            # Not back to 0: even in a flood the bucket lets one through now and then.
            client.refused = max(0, client.refused - 1)
            return
        client.refused += 1
        if client.refused > self._settings.flood_refusals:
            client.connection.close(FLOODING)
        raise ApiError("rate_limited", "too many requests on this connection", retry_after=round(wait, 3))

    def _answer_error(self, client: Client, kind: str, ref: str | None, error: BaseException) -> None:
        error = as_api_error(error, request=kind, connection_id=client.connection.id)
        self._metrics.requests.labels(kind, error.code).inc()
        client.connection.answer(error_event(error), ref)

    def _ref_of(self, frame: str) -> str | None:
        """The `ref` of a message that could not be read as a request, if it can be made out."""
        try:
            ref: str | None = self._ref_decoder.decode(frame).ref
        except ApiError:
            return None
        return ref


def as_api_error(error: BaseException, **context: Any) -> ApiError:
    """What to tell a client of an error. What nobody foresaw is logged whole and told as `unavailable`."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, SessionGone):
        return not_found("room")
    if isinstance(error, StorageError):
        log.warning("storage_failed", error=type(error).__name__, detail=str(error), **context)
        return unavailable()
    log.error("unexpected_error", exc_info=error, **context)
    return ApiError("unavailable", "something went wrong on the server; it has been noted")


def error_event(error: ApiError) -> dict[str, Any]:
    event: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message}
    if error.retry_after is not None:
        event["retry_after"] = error.retry_after
    return event
