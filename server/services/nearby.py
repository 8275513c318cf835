"""The area of interest: each who watches is told who comes into view, moves and goes out of it.

One tick for everybody. Who sees whom is `spatial.interest`'s, how much of it a connection is sent now `server.feeds`';
here are the requests, the clock and the frames. What is told of somebody is encoded once and joined for each watcher.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from server.clock import Clock
from server.codec import encode
from server.feeds import Feeds
from server.frames import text_frame
from server.hub import Connection
from server.metrics import Metrics
from server.protocol import requests
from server.settings import Settings
from spatial.interest import Interest, slots_of, watches_of
from spatial.neighbours import Ints

if TYPE_CHECKING:
    from server.services.people import People

TICKS: Final = 10  # a second, as the contract has it
TICK_SECONDS: Final = 1 / TICKS


class _Watcher:
    """A connection that watches, and the version of what it was told last."""

    __slots__ = ("connection", "request", "version")

    def __init__(self, connection: Connection, request: requests.WatchNearby) -> None:
        self.connection = connection
        self.request = request
        self.version = 1


class Nearby:
    """The watches of the chat hub."""

    def __init__(
        self, settings: Settings, interest: Interest, people: People, clock: Clock, metrics: Metrics
    ) -> None:
        self._interest = interest
        self._people = people
        self._clock = clock
        self._metrics = metrics
        self._budget = settings.nearby_bytes
        self._feeds = Feeds(self._budget, TICKS)
        self._watchers: dict[int, _Watcher] = {}
        self._by_connection: dict[Connection, int] = {}
        # Of connections that have watched: what the feed had left, and when. A new watch is no new budget.
        self._left_over: dict[Connection, tuple[float, float]] = {}
        # By slot: an entry of `moved`, its bytes, and the bytes that one of `entered` has more.
        self._texts: NDArray[Any] = np.zeros(0, dtype=object)
        self._bytes: Ints = np.zeros(0, dtype=np.int64)
        self._more: Ints = np.zeros(0, dtype=np.int64)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ticks = 1  # since the last one, it and those that were left out

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, connection: Connection, request: requests.WatchNearby) -> None:
        """The snapshot comes with the next tick, at which everybody's view is of one moment."""
        self._end(connection)
        watch = self._interest.watch(connection.user_id, request.radius)
        now = self._clock.monotonic()
        room, since = self._left_over.pop(connection, (self._budget, now))
        self._feeds.begin(watch, request.radius, room + (now - since) * self._budget)
        self._watchers[watch] = _Watcher(connection, request)
        self._by_connection[connection] = watch
        connection.watching = True
        if self._timer is None:
            self._due = self._clock.monotonic()
            self._wait(0.0)

    def unwatch(self, connection: Connection, request: requests.UnwatchNearby) -> None:
        self._end(connection)

    def departed(self, connection: Connection) -> None:
        """To be called before the user's position is forgotten."""
        self._end(connection)
        self._left_over.pop(connection, None)

    def _end(self, connection: Connection) -> None:
        watch = self._by_connection.pop(connection, None)
        if watch is not None:
            connection.watching = False
            del self._watchers[watch]
            self._interest.unwatch(watch)
            self._left_over[connection] = self._feeds.end(watch), self._clock.monotonic()

    # The tick

    def _wait(self, took: float) -> None:
        """For the next tick. Those whose time is over already are left out, and those that would leave the rest of
        the server less time than the last one took."""
        self._due += TICK_SECONDS
        late = self._clock.monotonic() + took - self._due
        if late > 0:
            missed = int(late * TICKS) + 1
            self._due += missed * TICK_SECONDS
            self._metrics.nearby_skipped.inc(missed)
            self._ticks += missed
        delay = self._due - self._clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._tick)

    def _tick(self) -> None:
        began = self._clock.monotonic()
        self._metrics.nearby_lateness.observe(max(0.0, began - self._due))
        self._timer = None
        try:
            self._look()
        finally:
            took = self._clock.monotonic() - began
            self._metrics.nearby_ticks.observe(took)
            if self._watchers:
                self._wait(took)

    def _look(self) -> None:
        interest = self._interest
        interest.step(self._is_shown, self._parted())
        self._write_down()
        behind = [watch for watch, watcher in self._watchers.items() if watcher.connection.behind]
        sizes = (self._bytes, self._bytes + self._more)
        plan = self._feeds.plan(interest, behind, *sizes, min(self._ticks, TICKS))
        self._ticks = 1
        entered = self._joined(plan.entered, self._introductions(plan.entered))
        moved = self._joined(plan.moved, self._texts)
        left = self._left(plan.left, plan.entered)
        interest.reclaim(self._feeds.told)
        for watch in plan.new:
            watcher = self._watchers[watch]
            self._tell(watcher, self._snapshot(watcher, entered.pop(watch, b"")))
        for watch in entered.keys() | moved.keys() | left.keys():
            update = b'{"type":"nearby_update","version":%d,"entered":[%b],"moved":[%b],"left":[%b]}' % (
                self._watchers[watch].version,
                entered.get(watch, b""),
                moved.get(watch, b""),
                left.get(watch, b""),
            )
            self._tell(self._watchers[watch], update)

    def _tell(self, watcher: _Watcher, event: bytes) -> None:
        watcher.version += 1
        watcher.connection.send(text_frame(event))

    def _snapshot(self, watcher: _Watcher, users: bytes) -> bytes:
        request = watcher.request
        head = {"type": "nearby_snapshot", "version": watcher.version, "radius": request.radius}
        if request.ref is not None:
            head["ref"] = request.ref
        return b'%b,"users":[%b]}' % (encode(head)[:-1], users)

    def _is_shown(self, user_id: str) -> bool:
        person = self._people.connected(user_id)
        return person is not None and person.locatable

    def _parted(self) -> Iterator[tuple[int, str]]:
        """Whom watchers may not see."""
        for watch, watcher in self._watchers.items():
            person = self._people.connected(watcher.connection.user_id)
            if person is not None and person.hidden_from:
                for other in person.hidden_from:
                    yield watch, other

    # What is said of somebody

    def _write_down(self) -> None:
        """Encodes the places of those who have moved."""
        interest = self._interest
        if len(self._texts) < len(interest.moved):
            more = len(interest.moved) - len(self._texts)
            self._texts = np.append(self._texts, np.zeros(more, dtype=object))
            self._bytes = np.append(self._bytes, np.zeros(more, dtype=np.int64))
            self._more = np.append(self._more, np.zeros(more, dtype=np.int64))
        slots = np.flatnonzero(interest.moved == interest.steps)
        places = zip(slots.tolist(), interest.x[slots].tolist(), interest.y[slots].tolist(), strict=True)
        for slot, x, y in places:
            user_id = interest.keys[slot]
            self._texts[slot] = text = b'["%b",%r,%r]' % (user_id.encode(), x, y)
            self._bytes[slot] = len(text) + 1
            self._more[slot] = len(_INTRODUCTION) + len(self._people.name(user_id))

    def _introductions(self, codes: Ints) -> NDArray[Any]:
        """By slot, an entry of `entered` for those in these pairs."""
        interest = self._interest
        introductions = np.zeros(len(self._texts) if len(codes) else 0, dtype=object)
        for slot in np.unique(slots_of(codes)).tolist():
            user_id = interest.keys[slot]
            introductions[slot] = encode(
                {
                    "user_id": user_id,
                    "username": self._people.name(user_id),
                    "x": float(interest.x[slot]),
                    "y": float(interest.y[slot]),
                }
            )
        return introductions

    def _left(self, left: Ints, entered: Ints) -> dict[int, bytes]:
        """Of those who went out of view. Not of one who came back as somebody new meanwhile: who entered is there."""
        if not len(left):
            return {}
        keys = self._interest.keys
        back = {(watch, keys[slot]) for watch, slot in _pairs(entered)}
        gone: dict[int, list[str]] = {}
        for watch, slot in _pairs(left):
            if (watch, keys[slot]) not in back:
                gone.setdefault(watch, []).append(f'"{keys[slot]}"')
        return {watch: ",".join(ids).encode() for watch, ids in gone.items()}

    def _joined(self, codes: Ints, texts: NDArray[Any]) -> dict[int, bytes]:
        """By watch, the texts of those in its pairs."""
        if not len(codes):
            return {}
        watch = watches_of(codes)
        starts = np.flatnonzero(np.diff(watch, prepend=-1))
        ends = [*starts[1:].tolist(), len(codes)]
        parts = texts[slots_of(codes)].tolist()
        return {
            key: b",".join(parts[start:end])
            for key, start, end in zip(watch[starts].tolist(), starts.tolist(), ends, strict=True)
        }


_INTRODUCTION: Final = '{"user_id":,"username":"","x":,"y":}'


def _pairs(codes: Ints) -> Iterator[tuple[int, int]]:
    return zip(watches_of(codes).tolist(), slots_of(codes).tolist(), strict=True)
