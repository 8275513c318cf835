"""The state of every call: ringing, active, ended. Pure: time is passed in, what is to be told comes out.

`server.services.calls` decides who may call whom, arms the timers and delivers the tellings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from server.errors import ApiError, invalid, not_found


@dataclass(frozen=True, slots=True)
class Tell:
    """An event for one user: for all signaling connections, for `only` one, or for all `but` one."""

    user_id: str
    event: dict[str, Any]
    only: str | None = None
    but: str | None = None


@dataclass(slots=True)
class Side:
    """A user in a call, and the connection that speaks for them (a callee has none while it rings)."""

    user_id: str
    connection_id: str | None = None
    lost_until: float | None = None


@dataclass(slots=True)
class Call:
    id: str
    call_type: str
    caller: Side
    callee: Side
    rings_until: float
    started_at: float | None = None
    unheard: bool = False  # answered while the caller's connection was lost: told when there is another

    @property
    def active(self) -> bool:
        return self.started_at is not None

    @property
    def deadline(self) -> float | None:
        """When the call ends by itself, as things stand."""
        moments = [side.lost_until for side in (self.caller, self.callee) if side.lost_until is not None]
        if not self.active:
            moments.append(self.rings_until)
        return min(moments, default=None)

    def side(self, user_id: str) -> Side:
        return self.caller if self.caller.user_id == user_id else self.callee

    def other(self, user_id: str) -> Side:
        return self.callee if self.caller.user_id == user_id else self.caller


class CallBook:
    """Calls by id and by user. Each method returns what is to be told, in order; a refusal is an `ApiError`."""

    def __init__(self, ring_seconds: float, rejoin_seconds: float) -> None:
        self._ring_seconds = ring_seconds
        self._rejoin_seconds = rejoin_seconds
        self._calls: dict[str, Call] = {}
        self._by_user: dict[str, Call] = {}

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def get(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    def of(self, user_id: str) -> Call | None:
        return self._by_user.get(user_id)

    def counts(self) -> tuple[int, int]:
        """Ringing, active."""
        active = sum(call.active for call in self._calls.values())
        return len(self._calls) - active, active

    def initiate(
        self,
        call_id: str,
        caller: str,
        username: str,
        connection_id: str,
        callee: str,
        call_type: str,
        now: float,
    ) -> list[Tell]:
        mine = self._by_user.get(caller)
        if mine and self.rings(callee, caller):
            # Both called at once: the second call answers the first.
            return self.accept(caller, connection_id, mine.id, now)
        if mine or callee in self._by_user:
            raise ApiError("busy", "one of you is in a call already")
        call = Call(call_id, call_type, Side(caller, connection_id), Side(callee), now + self._ring_seconds)
        self._calls[call_id] = self._by_user[caller] = self._by_user[callee] = call
        return [
            Tell(caller, {"type": "call_initiated", "call_id": call_id}, only=connection_id),
            Tell(callee, incoming(call, username)),
        ]

    def rings(self, caller: str, callee: str) -> bool:
        """Whether this caller's call rings at this callee."""
        call = self._by_user.get(caller)
        return call is not None and not call.active and call.callee.user_id == callee

    def accept(self, user_id: str, connection_id: str, call_id: str, now: float) -> list[Tell]:
        call = self._ringing_for(user_id, call_id)
        call.callee.connection_id = connection_id
        call.started_at = now
        tells = [
            Tell(user_id, self._started(call, call.callee), only=connection_id),
            Tell(user_id, self._moved(call), but=connection_id),
        ]
        if call.caller.connection_id is None:
            call.unheard = True
            return [*tells, Tell(user_id, self._reconnecting(call), only=connection_id)]
        return [*self._accepted(call), *tells]

    def reject(self, user_id: str, connection_id: str, call_id: str, now: float) -> list[Tell]:
        call = self._ringing_for(user_id, call_id)
        self._close(call)
        rejected = {"type": "call_rejected", "call_id": call.id}
        return [
            Tell(call.caller.user_id, rejected, only=call.caller.connection_id),
            Tell(user_id, rejected, only=connection_id),
            Tell(user_id, self._ended(call, "rejected", now), but=connection_id),
        ]

    def hang_up(self, user_id: str, connection_id: str, call_id: str, now: float) -> list[Tell]:
        call = self._own(user_id, call_id)
        unanswered = "cancelled" if user_id == call.caller.user_id else "rejected"
        reason = "hangup" if call.active else unanswered
        self._close(call)
        event = self._ended(call, reason, now)
        side, other = call.side(user_id), call.other(user_id)
        tells = [Tell(user_id, event, only=connection_id), *self._to_side(other, event)]
        if side.connection_id is None:
            # A phone that rings on all devices, or a lost connection: the user's other devices hear of it too.
            tells.append(Tell(user_id, event, but=connection_id))
        elif side.connection_id != connection_id:
            tells.append(Tell(user_id, event, only=side.connection_id))
        return tells

    def rejoin(self, user_id: str, connection_id: str, call_id: str) -> list[Tell]:
        call = self._own(user_id, call_id)
        side, other = call.side(user_id), call.other(user_id)
        if not call.active and side is call.callee:
            raise invalid("this call is still ringing: accept it")
        before = side.connection_id
        side.connection_id, side.lost_until = connection_id, None
        tells = [Tell(user_id, {"type": "call_rejoined", "call_id": call.id}, only=connection_id)]
        if call.unheard and side is call.caller:
            call.unheard = False
            tells += self._accepted(call)
        if other.connection_id is not None:
            reconnected = {"type": "peer_reconnected", "call_id": call.id}
            tells.append(Tell(other.user_id, reconnected, only=other.connection_id))
        elif call.active:
            # Both were lost, and this side could not hear of it.
            tells.append(Tell(user_id, self._reconnecting(call), only=connection_id))
        if before not in (None, connection_id):
            # A client may notice a loss before we do. Should the old connection live, it must not go on.
            tells.append(Tell(user_id, self._moved(call), only=before))
        return tells

    def relay(self, user_id: str, connection_id: str, call_id: str, event: dict[str, Any]) -> list[Tell]:
        """A session description or a candidate, for the one connection on the other side."""
        call = self._own(user_id, call_id)
        side, other = call.side(user_id), call.other(user_id)
        if not call.active:
            raise invalid("this call has not been accepted yet")
        if side.connection_id != connection_id:
            raise invalid("another connection of yours holds this call; call_rejoin takes it over")
        if other.connection_id is None:
            raise ApiError("unavailable", "the other side is reconnecting", retry_after=1)
        return [Tell(other.user_id, {**event, "from_user_id": user_id}, only=other.connection_id)]

    def lost(self, user_id: str, connection_id: str, now: float) -> list[Tell]:
        """A signaling connection is gone; where it spoke for its user, the call waits a while."""
        call = self._by_user.get(user_id)
        if call is None or call.side(user_id).connection_id != connection_id:
            return []
        side, other = call.side(user_id), call.other(user_id)
        side.connection_id, side.lost_until = None, now + self._rejoin_seconds
        if not call.active or other.connection_id is None:
            return []
        return [Tell(other.user_id, self._reconnecting(call), only=other.connection_id)]

    def expire(self, call_id: str, now: float) -> list[Tell]:
        """Ends the call if its deadline has passed."""
        call = self._calls.get(call_id)
        if call is None or call.deadline is None or call.deadline > now:
            return []
        lost = any(
            side.lost_until is not None and side.lost_until <= now for side in (call.caller, call.callee)
        )
        return self._end(call, "disconnected" if lost else "no_answer", now)

    def end(self, call: Call, reason: str, now: float) -> list[Tell]:
        return self._end(call, reason, now)

    def _own(self, user_id: str, call_id: str) -> Call:
        call = self._calls.get(call_id)
        if call is None or user_id not in (call.caller.user_id, call.callee.user_id):
            raise not_found("call")
        return call

    def _ringing_for(self, user_id: str, call_id: str) -> Call:
        call = self._own(user_id, call_id)
        if call.active:
            raise invalid("this call is answered already")
        if user_id != call.callee.user_id:
            raise invalid("this call is yours: the other side answers it")
        return call

    def _end(self, call: Call, reason: str, now: float) -> list[Tell]:
        self._close(call)
        event = self._ended(call, reason, now)
        return [*self._to_side(call.caller, event), *self._to_side(call.callee, event)]

    def _close(self, call: Call) -> None:
        del self._calls[call.id]
        for side in (call.caller, call.callee):
            del self._by_user[side.user_id]

    def _ended(self, call: Call, reason: str, now: float) -> dict[str, Any]:
        duration = round(now - call.started_at, 3) if call.started_at is not None else 0.0
        return {"type": "call_ended", "call_id": call.id, "reason": reason, "duration_seconds": duration}

    def _accepted(self, call: Call) -> list[Tell]:
        """For the caller, who makes the offer then."""
        caller = call.caller
        accepted = {"type": "call_accepted", "call_id": call.id}
        return [
            Tell(caller.user_id, accepted, only=caller.connection_id),
            Tell(caller.user_id, self._started(call, caller), only=caller.connection_id),
        ]

    def _started(self, call: Call, side: Side) -> dict[str, Any]:
        return {
            "type": "call_started",
            "call_id": call.id,
            "peer_id": call.other(side.user_id).user_id,
            "call_type": call.call_type,
        }

    def _moved(self, call: Call) -> dict[str, Any]:
        """The end of the call for one device, while it goes on at another of the same user."""
        return {
            "type": "call_ended",
            "call_id": call.id,
            "reason": "answered_elsewhere",
            "duration_seconds": 0.0,
        }

    def _reconnecting(self, call: Call) -> dict[str, Any]:
        return {"type": "peer_reconnecting", "call_id": call.id}

    def _to_side(self, side: Side, event: dict[str, Any]) -> list[Tell]:
        """To the connection that speaks for a side, or to all of them while none does."""
        return [Tell(side.user_id, event, only=side.connection_id)]


def incoming(call: Call, caller_username: str) -> dict[str, Any]:
    return {
        "type": "incoming_call",
        "call_id": call.id,
        "caller_id": call.caller.user_id,
        "caller_username": caller_username,
        "call_type": call.call_type,
    }
