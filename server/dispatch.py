"""From a frame to a service: one table a socket, one way through it.

A row says what a request costs and which function serves it; the struct comes with the `type`
(`server.protocol.requests`), permissions are asked for by the function at the door of the thing
itself (`Sessions.require`, the call book). A connection's requests are served one after another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from server.clock import Clock
from server.codec import Decoder
from server.errors import FLOODING, ApiError, invalid, not_found, unavailable
from server.hub import Connection
from server.limits import TokenBucket, take_all
from server.logs import log
from server.metrics import Metrics, Tally
from server.protocol import requests
from server.quotas import Quotas
from server.services.calls import Calls
from server.services.messages import Messages
from server.services.nearby import Nearby
from server.services.proximity import Proximity
from server.services.renewal import Renewal
from server.services.resuming import Resuming
from server.services.rooms import Rooms
from server.services.sessions import Sessions
from server.services.signals import Signals
from server.services.speech import Speaking
from server.services.voice import Voice
from server.settings import Settings
from storage.errors import SessionGone, StorageError

# What a request may take beyond a storage call's time: one that needs several of them gets no more for it.
SLACK_SECONDS = 0.5

# What a request's function returns. None: it is served. A future: it is under way (a message on its way
# to the disk), and the next one may begin meanwhile. A coroutine has to wait for something, and makes one of
# the two: what waits for nothing is a plain function, since a task costs as much as the rest of a request.
Outcome = Coroutine[Any, Any, "asyncio.Future[Any] | None"] | asyncio.Future[Any] | None
Serve = Callable[[Connection, Any], Outcome]

CONTROL_COST: Final = 0.5  # of a WebSocket ping or pong: as the request `ping`


@dataclass(frozen=True, slots=True)
class Row:
    """A request's function, and what it costs of a connection's, its user's and its address's rates.

    1 is a little work in memory. `patient`: it takes as long as the client reads, and has no deadline
    beyond those of its parts.
    """

    serve: Serve
    cost: float = 1.0
    patient: bool = False


Table = dict[type[requests.Request], Row]


def chat_table(
    rooms: Rooms,
    resuming: Resuming,
    sessions: Sessions,
    messages: Messages,
    speaking: Speaking,
    proximity: Proximity,
    nearby: Nearby,
    renewal: Renewal,
) -> Table:
    return {
        requests.JoinRoom: Row(rooms.join, 2),
        requests.LeaveRoom: Row(rooms.leave),
        # Seldom more than one a connection; of 200 rooms the most work there is.
        requests.Resume: Row(resuming.resume, 20, patient=True),
        requests.SendMessage: Row(messages.send, 2),
        # Up to 200 listeners are looked for, stored with it, and told each for themselves.
        requests.Say: Row(speaking.say, 5),
        requests.Typing: Row(rooms.typing),
        requests.MarkRead: Row(sessions.mark_read, 2),
        requests.UpdateLocation: Row(proximity.update_location),
        # Everybody in view is told, and in a crowd that is much.
        requests.WatchNearby: Row(nearby.watch, 10),
        requests.UnwatchNearby: Row(nearby.unwatch),
        requests.Ping: Row(renewal.ping, 0.5),
        requests.RenewToken: Row(renewal.renew, 2),
    }


def signal_table(calls: Calls, voice: Voice, signals: Signals, renewal: Renewal) -> Table:
    return {
        requests.CallInitiate: Row(calls.initiate, 5),
        requests.CallAccept: Row(calls.accept),
        requests.CallReject: Row(calls.reject),
        requests.CallHangup: Row(calls.hang_up),
        requests.CallRejoin: Row(calls.rejoin),
        # By their size: what one side may send at once must not overflow the buffer of the other, who may be slow.
        requests.Offer: Row(signals.describe, 10),
        requests.Answer: Row(signals.describe, 10),
        requests.IceCandidate: Row(signals.candidate),
        # What each makes up to six others do: begin anew, let go, be told.
        requests.VoiceJoin: Row(voice.join, 5),
        requests.VoiceLeave: Row(voice.leave, 2),
        requests.VoiceMute: Row(voice.mute, 2),
        requests.Ping: Row(renewal.ping, 0.5),
        requests.RenewToken: Row(renewal.renew, 2),
    }


class Client:
    """What the dispatcher keeps of one connection between its requests."""

    __slots__ = ("address", "buckets", "refused", "slot", "under_way")

    def __init__(self, buckets: tuple[TokenBucket, ...], address: str) -> None:
        self.buckets = buckets  # each request is charged to all of them
        self.address = address
        self.refused = 0  # requests over the rate, less those served since
        self.under_way = 0  # messages that await their commit
        self.slot: asyncio.Future[None] | None = None  # done when there are fewer than too many of them


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and what is looked up once rather than at each request."""

    kind: str
    serve: Serve
    cost: float
    seconds: float | None  # that it may take
    served: Tally


class Dispatcher:
    """Serves the frames of one kind of socket."""

    def __init__(
        self,
        table: Table,
        union: Any,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
        quotas: Quotas,
    ) -> None:
        self._table: dict[type[requests.Request], _Row] = {}
        for type_, row in table.items():
            kind = str(type_.__struct_config__.tag)
            served = metrics.tally(metrics.requests.labels(kind, "ok"))
            seconds = None if row.patient else settings.storage_timeout + SLACK_SECONDS
            self._table[type_] = _Row(kind, row.serve, row.cost, seconds, served)
        self._decoder = Decoder(union)
        self._ref_decoder = Decoder(requests.RefOnly)
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._quotas = quotas
        self._loop = asyncio.get_running_loop()
        self.under_way = 0  # requests that wait for something

    def serve(
        self, connection: Connection, client: Client, frame: str | bytes
    ) -> asyncio.Future[None] | None:
        """Serves one message; the next one is to wait for the future, if there is one. Never raises:
        whatever is wrong is answered, and closes nothing, save a flood."""
        kind = "unknown"
        ref = None
        try:
            if isinstance(frame, bytes):
                self._charge(connection, client, 1.0)
                raise invalid("expected a text frame, got a binary one")
            try:
                request: requests.Request = self._decoder.decode(frame)
            except ApiError:
                ref = self._ref_of(frame)
                self._charge(connection, client, 1.0)
                raise
            ref = request.ref
            row = self._table[type(request)]
            kind = row.kind
            self._charge(connection, client, row.cost)
            outcome = row.serve(connection, request)
            if outcome is None:
                row.served.count += 1
                return None
            if isinstance(outcome, asyncio.Future):
                return self._follow(connection, client, row, ref, outcome)
            self.under_way += 1  # from now on, not from its first step on
            return self._loop.create_task(self._finish(connection, client, row, ref, outcome))
        except Exception as error:
            self._answer_error(connection, kind, ref, error)
            return None

    async def _finish(
        self,
        connection: Connection,
        client: Client,
        row: _Row,
        ref: str | None,
        serving: Coroutine[Any, Any, asyncio.Future[Any] | None],
    ) -> None:
        started = self._loop.time()
        try:
            async with asyncio.timeout(row.seconds):
                later = await serving
        except Exception as error:
            self._answer_error(connection, row.kind, ref, error)
            return
        finally:
            self.under_way -= 1
        if later is None:
            row.served.count += 1
            return
        if row.seconds is not None:
            timer = self._loop.call_at(started + row.seconds, later.cancel)
            later.add_done_callback(lambda _: timer.cancel())
        if (slot := self._follow(connection, client, row, ref, later)) is not None:
            await slot

    def _follow(
        self,
        connection: Connection,
        client: Client,
        row: _Row,
        ref: str | None,
        later: asyncio.Future[Any],
    ) -> asyncio.Future[None] | None:
        """Answers for a future when it is done. With too many of them under way: a future for the next that is."""

        def done(future: asyncio.Future[Any]) -> None:
            client.under_way -= 1
            self.under_way -= 1
            error = TimeoutError() if future.cancelled() else future.exception()
            if error is None:
                row.served.count += 1
            else:
                self._answer_error(connection, row.kind, ref, error)
            if client.slot is not None and not client.slot.done():
                client.slot.set_result(None)

        client.under_way += 1
        self.under_way += 1
        later.add_done_callback(done)
        if client.under_way < self._settings.requests_in_flight:
            return None
        client.slot = self._loop.create_future()
        return client.slot

    def count_control(self, connection: Connection, client: Client) -> None:
        """Charges a ping or pong of the protocol's own: a flood of them is one too."""
        self._take(connection, client, CONTROL_COST)

    def _charge(self, connection: Connection, client: Client, cost: float) -> None:
        if wait := self._take(connection, client, cost):
            raise ApiError("rate_limited", "too many requests", retry_after=round(wait, 3))

    def _take(self, connection: Connection, client: Client, cost: float) -> float:
        """0, or the seconds until there is room; one for whom there is none too often is let go."""
        if not client.buckets:
            return 0.0
        wait = take_all(client.buckets, cost, self._clock.monotonic())
        if not wait:
            # Not back to 0: even in a flood the bucket lets one through now and then.
            client.refused = max(0, client.refused - 1)
            return 0.0
        client.refused += 1
        if client.refused > self._settings.flood_refusals:
            self._quotas.flooded(connection.user_id, connection.id, client.address)
            connection.close(FLOODING)
        return wait

    def _answer_error(self, connection: Connection, kind: str, ref: str | None, error: BaseException) -> None:
        error = as_api_error(error, request=kind, connection_id=connection.id)
        self._metrics.requests.labels(kind, error.code).inc()
        connection.answer(error_event(error), ref)

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
    if isinstance(error, StorageError | TimeoutError):
        detail = str(error) or "the request missed its deadline"
        log.warning("storage_failed", error=type(error).__name__, detail=detail, **context)
        return unavailable()
    log.error("unexpected_error", exc_info=error, **context)
    return ApiError("unavailable", "something went wrong on the server; it has been noted")


def error_event(error: ApiError) -> dict[str, Any]:
    event: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message}
    if error.retry_after is not None:
        event["retry_after"] = error.retry_after
    return event
