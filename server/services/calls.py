"""Calls between two people: who may ring whom, ringing, and what is passed on between the two.

The state of the calls is `server.call_book`'s; here are the permissions, the timers and the
delivery. Media goes from peer to peer and never through the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from server.broker import Broker, ToConnection, ToUsers
from server.call_book import Call, CallBook, Tell, incoming
from server.clock import Clock
from server.errors import ApiError, forbidden, invalid
from server.hub import Connection, Hub
from server.ids import new_id
from server.limits import Throttle
from server.protocol import requests
from server.protocol.shapes import CallStatsShape
from server.settings import Settings
from storage.sessions import Sessions as StoredSessions

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.proximity import Proximity

KNOWN_DISTANCE: Final = 50.0
CALL_RATE: Final = (
    0.2  # calls a second that one user may start, from all their connections: a phone is no alarm
)
CALL_BURST: Final = 10.0  # at once: a mistaken tap, a redial, a connection that does not hold


class Calls:
    """The calls of the signaling hub."""

    def __init__(
        self,
        settings: Settings,
        hub: Hub,
        broker: Broker,
        chat: Hub,
        people: People,
        proximity: Proximity,
        stored_sessions: StoredSessions,
        clock: Clock,
    ) -> None:
        self._only_known = settings.calls == "known"
        self._hub = hub
        self._broker = broker
        self._chat = chat
        self._people = people
        self._proximity = proximity
        self._stored_sessions = stored_sessions
        self._clock = clock
        self._book = CallBook(settings.ring_seconds, settings.rejoin_seconds)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._talking: dict[str, tuple[str, str]] = {}  # the two of each call that is active
        # Told when somebody's call begins (is accepted), and when it ends; set by the app.
        self.on_talking: Callable[[str, bool], None] = lambda user_id, talking: None
        self._started = Throttle(CALL_RATE, CALL_BURST) if settings.rate_limits else None

    # Connections

    async def arrived(self, connection: Connection) -> None:
        self._hub.attach(connection)
        call = self._book.of(connection.user_id)
        if call and not call.active and call.callee.user_id == connection.user_id:
            caller = await self._people.get(call.caller.user_id)
            if self._book.get(call.id) is call and not call.active:
                connection.answer(incoming(call, caller.username or ""))

    def departed(self, connection: Connection) -> None:
        self._hub.detach(connection)
        connection.closed = True
        call = self._book.of(connection.user_id)
        self._tell(self._book.lost(connection.user_id, connection.id, self._clock.monotonic()))
        if call:
            self._arm(call.id)

    # Requests

    async def initiate(self, connection: Connection, request: requests.CallInitiate) -> None:
        caller, callee = connection.user_id, request.callee_id
        if caller == callee:
            raise invalid("one cannot call oneself")
        if not self._book.rings(callee, caller):  # whom one answers is there, also one who is hidden
            if self._started and (wait := self._started.take(caller, self._clock.monotonic())):
                raise ApiError("rate_limited", "too many calls; wait a moment", retry_after=round(wait, 3))
            await self._check_reachable(caller, callee)
        if connection.closed:
            return  # gone while we looked: nobody would hang up
        call_id = new_id()
        tells = self._book.initiate(
            call_id,
            caller,
            self._people.name(caller),
            connection.id,
            callee,
            request.call_type,
            self._clock.monotonic(),
        )
        self._tell(tells, connection, request.ref)
        self._arm(tells[0].event["call_id"])

    async def _check_reachable(self, caller: str, callee: str) -> None:
        await self._check_there(caller, callee)
        if self._only_known and not await self._know_each_other(caller, callee):
            # Only said of those who are there for all to see: how near a hidden one is shows in no answer.
            raise forbidden("only people who share a room or are near may call each other")
        # Again: it must hold when the phone rings.
        await self._check_there(caller, callee)

    async def _check_there(self, caller: str, callee: str) -> None:
        """Absent, hidden and blocked look alike."""
        blocked = await self._people.are_blocked(caller, callee)
        person = self._people.connected(callee)
        if blocked or person is None or person.user.invisible or not self._hub.is_online(callee):
            raise ApiError("offline", "this person is not there")

    async def _know_each_other(self, a: str, b: str) -> bool:
        rooms = [
            {room for connection in self._chat.of_user(user) for room in connection.rooms} for user in (a, b)
        ]
        if rooms[0] & rooms[1]:
            return True
        # Of both: where one who does not share it is, the other would learn from the ringing.
        if all((person := self._people.connected(user)) and person.locatable for user in (a, b)):
            distance = self._proximity.distance(a, b)
            if distance is not None and distance <= KNOWN_DISTANCE:
                return True
        return await self._stored_sessions.shared(a, b)

    async def accept(self, connection: Connection, request: requests.CallAccept) -> None:
        tells = self._book.accept(connection.user_id, connection.id, request.call_id, self._clock.monotonic())
        self._tell(tells, connection, request.ref)
        self._arm(request.call_id)

    async def reject(self, connection: Connection, request: requests.CallReject) -> None:
        tells = self._book.reject(connection.user_id, connection.id, request.call_id, self._clock.monotonic())
        self._tell(tells, connection, request.ref)
        self._arm(request.call_id)

    async def hang_up(self, connection: Connection, request: requests.CallHangup) -> None:
        tells = self._book.hang_up(
            connection.user_id, connection.id, request.call_id, self._clock.monotonic()
        )
        self._tell(tells, connection, request.ref)
        self._arm(request.call_id)

    async def rejoin(self, connection: Connection, request: requests.CallRejoin) -> None:
        self._tell(
            self._book.rejoin(connection.user_id, connection.id, request.call_id), connection, request.ref
        )
        self._arm(request.call_id)

    def relay(self, connection: Connection, event: dict[str, Any]) -> None:
        """Passes a session description or a candidate on, by its `call_id`."""
        self._tell(self._book.relay(connection.user_id, connection.id, event["call_id"], event))

    # Endings from elsewhere

    def part(self, user_id: str, other_id: str) -> None:
        """A user has blocked another: their call ends, to the other as if the user had hung up."""
        call = self._book.of(user_id)
        if call is not None and call.other(user_id).user_id == other_id:
            self._tell(self._book.hang_up(user_id, "", call.id, self._clock.monotonic()))
            self._arm(call.id)

    def end_all(self) -> None:
        """The server stops. What was on its way then may still make a call: to be called again after that."""
        for call in self._book:
            self._tell(self._book.end(call, "server_shutdown", self._clock.monotonic()))
            self._arm(call.id)

    def stats(self) -> CallStatsShape:
        ringing, active = self._book.counts()
        return {"ringing": ringing, "active": active}

    def _arm(self, call_id: str) -> None:
        """After each change of a call: sets its one timer to its deadline as it stands now."""
        if timer := self._timers.pop(call_id, None):
            timer.cancel()
        call = self._book.get(call_id)
        self._note_talking(call_id, call)
        if call is not None and call.deadline is not None:
            delay = max(0.0, call.deadline - self._clock.monotonic())
            self._timers[call_id] = asyncio.get_running_loop().call_later(delay, self._expire, call_id)

    def _note_talking(self, call_id: str, call: Call | None) -> None:
        if call is None:
            for user_id in self._talking.pop(call_id, ()):
                self.on_talking(user_id, False)
        elif call.active and call_id not in self._talking:
            self._talking[call_id] = (call.caller.user_id, call.callee.user_id)
            for user_id in self._talking[call_id]:
                self.on_talking(user_id, True)

    def _expire(self, call_id: str) -> None:
        del self._timers[call_id]
        self._tell(self._book.expire(call_id, self._clock.monotonic()))
        self._arm(call_id)

    def _tell(self, tells: Iterable[Tell], asker: Connection | None = None, ref: str | None = None) -> None:
        """The first that is for the asker alone is the answer, with its `ref`."""
        for tell in tells:
            if asker is not None and tell.only == asker.id:
                asker.answer(tell.event, ref)
                ref = None
            elif tell.only is not None:
                self._broker.publish(ToConnection(tell.user_id, tell.only), tell.event)
            else:
                self._broker.publish(ToUsers([tell.user_id], but_connection=tell.but), tell.event)
