"""The state machine of calls: every transition with plain values, then thousands of mixed histories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.call_book import CallBook, Tell, incoming
from server.errors import ApiError

RING, REJOIN = 30.0, 10.0


def book() -> CallBook:
    return CallBook(RING, REJOIN)


def ringing() -> CallBook:
    """Ann, on connection a1, has called Bob at 0."""
    calls = book()
    calls.initiate("c", "ann", "Ann", "a1", "bob", "audio", 0)
    return calls


def answered() -> CallBook:
    """Bob has answered on b1 at 5."""
    calls = ringing()
    calls.accept("bob", "b1", "c", 5)
    return calls


def ended(reason: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"type": "call_ended", "call_id": "c", "reason": reason, "duration_seconds": seconds}


def refused(code: str, act: Callable[[], object]) -> None:
    with pytest.raises(ApiError) as raised:
        act()
    assert raised.value.code == code


# One transition after the other


def test_initiating_tells_the_caller_and_rings_everywhere() -> None:
    """The caller's one connection has the id, each of the callee's connections the call."""
    told = book().initiate("c", "ann", "Ann", "a1", "bob", "video", 0)
    call = {"call_id": "c", "caller_id": "ann", "caller_username": "Ann", "call_type": "video"}
    assert told == [
        Tell("ann", {"type": "call_initiated", "call_id": "c"}, only="a1"),
        Tell("bob", {"type": "incoming_call", **call}),
    ]


def test_a_ringing_call_can_be_told_again() -> None:
    """What a connection opened later gets is the same `incoming_call`."""
    calls = book()
    told = calls.initiate("c", "ann", "Ann", "a1", "bob", "audio", 0)
    call = calls.of("bob")
    assert call is not None and calls.of("ann") is call and calls.get("c") is call
    assert incoming(call, "Ann") == told[1].event


def test_accepting_starts_the_call_on_both_sides() -> None:
    """The caller hears it first; the callee's other connections stop ringing."""
    assert ringing().accept("bob", "b1", "c", 5) == [
        Tell("ann", {"type": "call_accepted", "call_id": "c"}, only="a1"),
        Tell(
            "ann",
            {"type": "call_started", "call_id": "c", "peer_id": "bob", "call_type": "audio"},
            only="a1",
        ),
        Tell(
            "bob",
            {"type": "call_started", "call_id": "c", "peer_id": "ann", "call_type": "audio"},
            only="b1",
        ),
        Tell("bob", ended("answered_elsewhere"), but="b1"),
    ]


def test_rejecting_tells_the_caller() -> None:
    """And the callee's other connections, as an end."""
    calls = ringing()
    assert calls.reject("bob", "b1", "c", 5) == [
        Tell("ann", {"type": "call_rejected", "call_id": "c"}, only="a1"),
        Tell("bob", {"type": "call_rejected", "call_id": "c"}, only="b1"),
        Tell("bob", ended("rejected"), but="b1"),
    ]
    assert calls.counts() == (0, 0)


def test_hanging_up_before_the_answer_cancels() -> None:
    """Every connection that rings hears of it."""
    assert ringing().hang_up("ann", "a1", "c", 5) == [
        Tell("ann", ended("cancelled"), only="a1"),
        Tell("bob", ended("cancelled")),
    ]


@pytest.mark.parametrize(("user", "connection"), [("ann", "a1"), ("bob", "b1")])
def test_hanging_up_ends_the_call_for_both(user: str, connection: str) -> None:
    """With the seconds since it was answered, whoever does it."""
    told = answered().hang_up(user, connection, "c", 17.5)
    assert sorted(told, key=lambda tell: tell.user_id) == [
        Tell("ann", ended("hangup", 12.5), only="a1"),
        Tell("bob", ended("hangup", 12.5), only="b1"),
    ]


def test_hanging_up_what_rings_answers_the_one_who_does_it() -> None:
    """By itself, as the answer has the request's `ref`; the other devices that ring hear of it too."""
    assert ringing().hang_up("bob", "b1", "c", 5) == [
        Tell("bob", ended("rejected"), only="b1"),
        Tell("ann", ended("rejected"), only="a1"),
        Tell("bob", ended("rejected"), but="b1"),
    ]


def test_hanging_up_from_another_device() -> None:
    """The one that asks hears of the end, and so does the one that speaks."""
    told = answered().hang_up("bob", "b2", "c", 6)
    assert {(tell.user_id, tell.only) for tell in told} == {("ann", "a1"), ("bob", "b1"), ("bob", "b2")}
    assert {tell.event["reason"] for tell in told} == {"hangup"}


def test_nobody_answers() -> None:
    """After the ring time, and not before, it ends for both."""
    calls = ringing()
    assert calls.expire("c", RING - 0.001) == []
    assert calls.expire("c", RING) == [
        Tell("ann", ended("no_answer"), only="a1"),
        Tell("bob", ended("no_answer")),
    ]
    assert calls.expire("c", RING) == []


def test_an_answered_call_has_no_deadline() -> None:
    """However long two people talk."""
    calls = answered()
    assert calls.expire("c", 1e6) == []
    assert calls.counts() == (0, 1)


def test_a_lost_connection_has_its_time_to_come_back() -> None:
    """The other side is told, and told again when it is back; then there is no deadline any more."""
    calls = answered()
    assert calls.lost("ann", "a1", 20) == [
        Tell("bob", {"type": "peer_reconnecting", "call_id": "c"}, only="b1")
    ]
    assert calls.expire("c", 20 + REJOIN - 0.001) == []
    assert calls.rejoin("ann", "a2", "c") == [
        Tell("ann", {"type": "call_rejoined", "call_id": "c"}, only="a2"),
        Tell("bob", {"type": "peer_reconnected", "call_id": "c"}, only="b1"),
    ]
    assert calls.expire("c", 1e6) == []
    offer = {"type": "offer", "call_id": "c", "sdp": "v=0"}
    assert calls.relay("bob", "b1", "c", offer) == [Tell("ann", {**offer, "from_user_id": "bob"}, only="a2")]


def test_a_lost_connection_that_stays_away() -> None:
    """The call ends as `disconnected`, with the time it was answered."""
    calls = answered()
    calls.lost("ann", "a1", 20)
    told = calls.expire("c", 20 + REJOIN)
    assert [tell.event for tell in told] == [ended("disconnected", 25.0)] * 2
    assert {(tell.user_id, tell.only) for tell in told} == {("ann", None), ("bob", "b1")}


def test_both_sides_lost() -> None:
    """The call waits for the first of the two that was lost."""
    calls = answered()
    calls.lost("ann", "a1", 20)
    assert calls.lost("bob", "b1", 25) == []
    assert calls.expire("c", 29.9) == []
    assert calls.rejoin("ann", "a2", "c") == [
        Tell("ann", {"type": "call_rejoined", "call_id": "c"}, only="a2"),
        Tell("ann", {"type": "peer_reconnecting", "call_id": "c"}, only="a2"),
    ]
    assert calls.expire("c", 34.9) == []
    assert {tell.event["reason"] for tell in calls.expire("c", 35)} == {"disconnected"}


def test_a_caller_lost_while_it_rings() -> None:
    """The phone stops ringing when the caller does not come back."""
    calls = ringing()
    assert calls.lost("ann", "a1", 1) == []
    told = calls.expire("c", 11)
    assert Tell("bob", ended("disconnected")) in told


def test_answered_while_the_caller_is_lost() -> None:
    """The callee waits for the caller, who hears of the answer on coming back, once."""
    calls = ringing()
    calls.lost("ann", "a1", 1)
    started = {"type": "call_started", "call_id": "c", "call_type": "audio"}
    moved = ended("answered_elsewhere")
    assert calls.accept("bob", "b1", "c", 2) == [
        Tell("bob", {**started, "peer_id": "ann"}, only="b1"),
        Tell("bob", moved, but="b1"),
        Tell("bob", {"type": "peer_reconnecting", "call_id": "c"}, only="b1"),
    ]
    rejoined = Tell("ann", {"type": "call_rejoined", "call_id": "c"}, only="a2")
    reconnected = Tell("bob", {"type": "peer_reconnected", "call_id": "c"}, only="b1")
    assert calls.rejoin("ann", "a2", "c") == [
        rejoined,
        Tell("ann", {"type": "call_accepted", "call_id": "c"}, only="a2"),
        Tell("ann", {**started, "peer_id": "bob"}, only="a2"),
        reconnected,
    ]
    assert calls.rejoin("ann", "a2", "c") == [rejoined, reconnected]


def test_a_device_that_does_not_speak_is_not_missed() -> None:
    """Only the connection that holds the call can be lost to it."""
    calls = answered()
    assert calls.lost("ann", "a2", 20) == []
    assert calls.lost("eve", "e1", 20) == []
    assert calls.expire("c", 1e6) == []


def test_rejoining_takes_over_from_a_connection_still_there() -> None:
    """A client notices its loss before the server does; the connection it left, if it lives, hears of it."""
    told = answered().rejoin("ann", "a2", "c")
    assert Tell("ann", ended("answered_elsewhere"), only="a1") in told
    assert Tell("ann", {"type": "call_rejoined", "call_id": "c"}, only="a2") in told
    assert Tell("bob", {"type": "peer_reconnected", "call_id": "c"}, only="b1") in told


def test_rejoining_with_the_same_connection_changes_nothing() -> None:
    """It is confirmed, and does not end the call for the one who asked."""
    told = answered().rejoin("ann", "a1", "c")
    assert [tell.event["type"] for tell in told] == ["call_rejoined", "peer_reconnected"]


def test_two_who_call_each_other() -> None:
    """The second call answers the first."""
    calls = ringing()
    told = calls.initiate("d", "bob", "Bob", "b1", "ann", "video", 2)
    assert [(tell.user_id, tell.event["type"], tell.event["call_id"]) for tell in told] == [
        ("ann", "call_accepted", "c"),
        ("ann", "call_started", "c"),
        ("bob", "call_started", "c"),
        ("bob", "call_ended", "c"),
    ]
    assert calls.counts() == (0, 1)


@pytest.mark.parametrize("calls", [ringing, answered])
@pytest.mark.parametrize(
    ("caller", "callee"), [("ann", "eve"), ("bob", "eve"), ("eve", "ann"), ("eve", "bob")]
)
def test_one_call_a_user(calls: Callable[[], CallBook], caller: str, callee: str) -> None:
    """Ringing or active, one's own or another's."""
    refused("busy", lambda: calls().initiate("d", caller, caller, "x", callee, "audio", 6))


@pytest.mark.parametrize("calls", [ringing, answered])
def test_calling_the_same_person_twice_is_busy(calls: Callable[[], CallBook]) -> None:
    """Only the other side's call answers one's own."""
    refused("busy", lambda: calls().initiate("d", "ann", "Ann", "a2", "bob", "audio", 6))


@pytest.mark.parametrize(
    "end", [lambda calls: calls.hang_up("ann", "a1", "c", 6), lambda calls: calls.reject("bob", "b1", "c", 6)]
)
def test_after_the_end_both_are_free(end: Callable[[CallBook], object]) -> None:
    """And the id is nobody's any more."""
    calls = ringing()
    end(calls)
    refused("not_found", lambda: calls.hang_up("ann", "a1", "c", 7))
    refused("not_found", lambda: calls.accept("bob", "b1", "c", 7))
    calls.initiate("d", "bob", "Bob", "b1", "ann", "audio", 7)
    assert calls.counts() == (1, 0)


@pytest.mark.parametrize("calls", [ringing, answered])
def test_a_call_that_is_not_ones_own(calls: Callable[[], CallBook]) -> None:
    """It does not exist, whatever is asked of it."""
    asked: list[Callable[[], object]] = [
        lambda: calls().accept("eve", "e1", "c", 6),
        lambda: calls().reject("eve", "e1", "c", 6),
        lambda: calls().hang_up("eve", "e1", "c", 6),
        lambda: calls().rejoin("eve", "e1", "c"),
        lambda: calls().relay("eve", "e1", "c", {"type": "offer"}),
        lambda: calls().accept("bob", "b1", "no such call", 6),
    ]
    for ask in asked:
        refused("not_found", ask)


def test_what_does_not_fit_the_state() -> None:
    """Is refused, and changes nothing."""
    early, late = ringing(), answered()
    refused("invalid_message", lambda: early.accept("ann", "a1", "c", 6))
    refused("invalid_message", lambda: early.reject("ann", "a1", "c", 6))
    refused("invalid_message", lambda: early.rejoin("bob", "b1", "c"))
    refused("invalid_message", lambda: early.relay("ann", "a1", "c", {"type": "offer"}))
    refused("invalid_message", lambda: late.accept("bob", "b1", "c", 6))
    refused("invalid_message", lambda: late.reject("bob", "b1", "c", 6))
    refused("invalid_message", lambda: late.relay("ann", "a2", "c", {"type": "offer"}))
    assert (early.counts(), late.counts()) == ((1, 0), (0, 1))


def test_signaling_to_a_side_that_is_away() -> None:
    """Is worth trying again."""
    calls = answered()
    calls.lost("bob", "b1", 6)
    refused("unavailable", lambda: calls.relay("ann", "a1", "c", {"type": "offer"}))


def test_the_server_stops() -> None:
    """Every call ends, with the reason."""
    calls = answered()
    calls.initiate("d", "eve", "Eve", "e1", "dan", "audio", 6)
    told = [tell for call in calls for tell in calls.end(call, "server_shutdown", 7)]
    assert {tell.user_id for tell in told} == {"ann", "bob", "dan", "eve"}
    assert {tell.event["reason"] for tell in told} == {"server_shutdown"}
    assert calls.counts() == (0, 0)


# Any history

USERS = ("ann", "bob", "eve", "dan")
users = st.sampled_from(USERS)
devices = st.sampled_from((1, 2))
recent = st.integers(0, 3)
# What puts a call on the screen of a connection, and what takes it away.
SHOWING = {"call_initiated", "incoming_call", "call_started", "call_rejoined"}
GONE = {"call_ended", "call_rejected"}


class AnyHistory(RuleBasedStateMachine):
    """Four people with two devices each do whatever they like, and time passes.

    The model is what each open connection shows, from what it was told, and who the two of a call are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.book = book()
        self.now = 0.0
        self.members: dict[str, set[str]] = {}
        self.opened = 0
        self.open: dict[tuple[str, int], str] = {}
        self.shown: dict[str, set[str]] = {}
        for user in USERS:
            for device in (1, 2):
                self._open(user, device)

    def _open(self, user: str, device: int) -> str:
        self.opened += 1
        connection = self.open[user, device] = f"{user}-{device}-{self.opened}"
        self.shown[connection] = set()
        return connection

    def _deliver(self, tells: list[Tell]) -> None:
        for tell in tells:
            call_id, kind = tell.event["call_id"], tell.event["type"]
            assert tell.user_id in self.members[call_id], "told of somebody else's call"
            if kind == "call_ended":
                assert tell.event["duration_seconds"] >= 0
            for (user, _), connection in self.open.items():
                if user != tell.user_id or tell.only not in (None, connection) or tell.but == connection:
                    continue
                # A side that nobody speaks for just now is told on all its devices: that shows nothing new.
                if kind in SHOWING and (tell.only or kind == "incoming_call"):
                    self.shown[connection].add(call_id)
                elif kind in GONE:
                    self.shown[connection].discard(call_id)

    def _call(self, index: int) -> str:
        ids = list(self.members)
        return ids[-1 - index] if index < len(ids) else "no such call"

    def _try(self, call_id: str, user: str, act: Callable[[str], list[Tell]], device: int) -> None:
        connection = self.open.get((user, device))
        if connection is None:
            return
        gone = self.book.get(call_id) is None
        try:
            told = act(connection)
        except ApiError as error:
            foreign = gone or user not in self.members.get(call_id, ())
            assert (error.code == "not_found") == foreign
            return
        assert not gone and user in self.members[call_id]
        assert any(tell.user_id == user and tell.only in (None, connection) for tell in told), "unanswered"
        self._deliver(told)

    @rule(caller=users, callee=users, device=devices, call_type=st.sampled_from(("audio", "video")))
    def initiate(self, caller: str, callee: str, device: int, call_type: str) -> None:
        connection = self.open.get((caller, device))
        if caller == callee or connection is None:
            return  # the service refuses the first, and nobody can do the second
        call_id = f"call-{len(self.members)}"
        theirs = {id for id, both in self.members.items() if self.book.get(id) and {caller, callee} & both}
        crossing = self.book.of(caller)
        answers = crossing is not None and not crossing.active and crossing.caller.user_id == callee
        try:
            told = self.book.initiate(call_id, caller, caller, connection, callee, call_type, self.now)
        except ApiError as error:
            assert error.code == "busy" and theirs and not answers
            return
        assert answers or not theirs
        if not answers:
            self.members[call_id] = {caller, callee}
        self._deliver(told)

    @rule(user=users, device=devices, index=recent)
    def accept(self, user: str, device: int, index: int) -> None:
        id = self._call(index)
        self._try(id, user, lambda connection: self.book.accept(user, connection, id, self.now), device)

    @rule(user=users, device=devices, index=recent)
    def reject(self, user: str, device: int, index: int) -> None:
        id = self._call(index)
        self._try(id, user, lambda connection: self.book.reject(user, connection, id, self.now), device)

    @rule(user=users, device=devices, index=recent)
    def hang_up(self, user: str, device: int, index: int) -> None:
        id = self._call(index)
        self._try(id, user, lambda connection: self.book.hang_up(user, connection, id, self.now), device)

    @rule(user=users, device=devices, index=recent)
    def rejoin(self, user: str, device: int, index: int) -> None:
        id = self._call(index)
        self._try(id, user, lambda connection: self.book.rejoin(user, connection, id), device)

    @rule(user=users, device=devices, index=recent)
    def relay(self, user: str, device: int, index: int) -> None:
        """What is passed on goes to one connection of the other side, which shows the call."""
        id, connection = self._call(index), self.open.get((user, device))
        if connection is None:
            return
        try:
            told = self.book.relay(user, connection, id, {"type": "offer", "call_id": id})
        except ApiError as error:
            foreign = self.book.get(id) is None or user not in self.members.get(id, ())
            assert (error.code == "not_found") == foreign
            return
        (tell,) = told
        assert {user, tell.user_id} == self.members[id] and user != tell.user_id
        assert tell.event["from_user_id"] == user
        assert tell.only is not None and id in self.shown[tell.only]

    @rule(user=users, device=devices)
    def lose(self, user: str, device: int) -> None:
        connection = self.open.pop((user, device), None)
        if connection is not None:
            del self.shown[connection]
            self._deliver(self.book.lost(user, connection, self.now))

    @rule(user=users, device=devices)
    def come_back(self, user: str, device: int) -> None:
        """With a new connection, which is told of a phone that rings, as the service does."""
        if (user, device) in self.open:
            return
        connection = self._open(user, device)
        call = self.book.of(user)
        if call and not call.active and call.callee.user_id == user:
            self._deliver([Tell(user, incoming(call, "somebody"), only=connection)])

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds: float) -> None:
        """Each call's timer goes off at its deadline, in order."""
        until = self.now + seconds
        while due := [call for call in self.book if call.deadline is not None and call.deadline <= until]:
            call = min(due, key=lambda call: call.deadline or 0)
            assert call.deadline is not None
            self.now = max(self.now, call.deadline)
            told = self.book.expire(call.id, self.now)
            assert told, "a deadline at which nothing happens would go off for ever"
            self._deliver(told)
        self.now = until

    @precondition(lambda self: len(self.members) > 3)
    @rule()
    def stop(self) -> None:
        for call in self.book:
            self._deliver(self.book.end(call, "server_shutdown", self.now))
        assert self.book.counts() == (0, 0)

    @invariant()
    def one_call_a_user(self) -> None:
        taken = [user for call in self.book for user in self.members[call.id]]
        assert len(taken) == len(set(taken))
        for call in self.book:
            assert {call.caller.user_id, call.callee.user_id} == self.members[call.id]
            assert all(self.book.of(user) is call for user in self.members[call.id])
        assert sum(self.book.counts()) == len(list(self.book))

    @invariant()
    def every_call_ends_for_both(self) -> None:
        """No connection shows a call that is over, or one that its user is not in."""
        for connection, calls in self.shown.items():
            for call_id in calls:
                assert self.book.get(call_id) is not None, f"{connection} still shows {call_id}"

    @invariant()
    def an_active_call_is_on_one_device_a_side(self) -> None:
        for call in self.book:
            for side in (call.caller, call.callee):
                showing = {
                    connection
                    for (user, _), connection in self.open.items()
                    if user == side.user_id and call.id in self.shown[connection]
                }
                if call.active:
                    assert showing == ({side.connection_id} if side.connection_id else set())
                elif side is call.callee:
                    assert len(showing) == sum(user == side.user_id for user, _ in self.open)

    @invariant()
    def a_call_without_somebody_has_a_deadline(self) -> None:
        for call in self.book:
            away = [side for side in (call.caller, call.callee) if side.connection_id is None]
            if away or not call.active:
                assert call.deadline is not None and call.deadline <= self.now + max(RING, REJOIN)

    def teardown(self) -> None:
        """When all have gone, every call ends by itself."""
        for user, device in list(self.open):
            self.lose(user, device)
        self.wait(RING + REJOIN)
        assert list(self.book) == [] and self.book.counts() == (0, 0)
        assert all(self.book.of(user) is None for user in USERS)


AnyHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
