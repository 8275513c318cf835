"""What each watcher has been told of those in view, and what of the news goes out now: all of it, or what the budget
allows.

Pure, and all watchers at once: `server.services.nearby` asks for a plan at each tick and writes the frames. Where news
costs more than a watcher may be sent, half of the room is for the nearest; the others take turns, each in every n-th
tick, so that nobody is forgotten. A watcher who is behind is told nothing, and what has changed meanwhile later.

Pairs are told by codes, as in `spatial.interest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spatial.interest import Interest, among, slots_of, watches_of
from spatial.neighbours import Floats, Ints

Flags = NDArray[np.bool_]

# Bytes of a frame around its lists, and of one id in `left`.
FRAME_BYTES: Final = 96
LEFT_BYTES: Final = 35
# How finely the nearest are told from the others.
_RINGS: Final = 32
_SCATTER: Final = 2_654_435_761  # Knuth's multiplier: 2³² by the golden ratio
_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to tell, as sorted codes. Of a watch that is new `entered` is its snapshot, and due though it be empty."""

    entered: Ints
    moved: Ints
    left: Ints
    new: list[int]


@dataclass(frozen=True, slots=True)
class _News:
    """Pairs that there is something to say about, with their distances and the bytes that it takes."""

    codes: Ints
    watch: Ints
    away: Floats
    bytes: Floats

    def only(self, flags: Flags) -> _News:
        return _News(self.codes[flags], self.watch[flags], self.away[flags], self.bytes[flags])

    def cost(self, watches: int) -> Floats:
        return np.bincount(self.watch, self.bytes, watches).astype(float)


class Feeds:
    """One feed a watch."""

    def __init__(self, bytes_a_second: float, ticks_a_second: int) -> None:
        """A feed that was quiet may be sent a second's worth at once."""
        self._most = bytes_a_second
        self._a_tick = bytes_a_second / ticks_a_second
        self.told: Ints = _NONE
        self._new: set[int] = set()
        # By watch
        self._room = np.zeros(0)  # bytes that it may be sent; less than none: sent ahead of its time
        self._reach = np.ones(0)
        self._up_to: Ints = _NONE  # every move of this step or before has been told
        self._period: Ints = _NONE  # ticks from turn to turn
        self._since: Ints = _NONE  # the step from which on turns have had this period

    def begin(self, watch: int, radius: float, room: float) -> None:
        """`room` is what it may be sent at once, of a second's worth at most: what `end` gave, and what came since."""
        if watch >= len(self._room):
            more = np.zeros(max(64, watch + 1), dtype=np.int64)
            self._room, self._reach = np.append(self._room, more), np.append(self._reach, more + 1.0)
            self._up_to, self._since = np.append(self._up_to, more), np.append(self._since, more)
            self._period = np.append(self._period, more + 1)
        self._room[watch], self._reach[watch] = min(room, self._most), radius
        self._period[watch] = 1
        self._new.add(watch)

    def end(self, watch: int) -> float:
        """The room that is left."""
        self._new.discard(watch)
        self.told = self.told[watches_of(self.told) != watch]
        return float(self._room[watch])

    def plan(
        self, interest: Interest, behind: list[int], moved_bytes: Ints, entered_bytes: Ints, ticks: int = 1
    ) -> Plan:
        """What to tell at this step of `interest`. Sizes are of one entry of a list, by slot.

        `ticks` is how many are over since the plan before: of those that were left out the room is there.
        """
        step, watches = interest.steps, len(self._room)
        share = self._a_tick * ticks
        self._room = np.minimum(self._room + share, self._most)
        pairs, told = interest.pairs, self.told
        if pairs is told or np.array_equal(pairs, told):
            known = np.ones(len(pairs), dtype=bool)
            left = _NONE
        else:
            known = among(pairs, told)
            left = told[~among(told, pairs)]
        news = _News(pairs, watches_of(pairs), interest.away, np.zeros(len(pairs)))
        unheard = known & (interest.moved[slots_of(pairs)] > self._up_to[news.watch])
        entered, moved = _weighed(news, ~known, entered_bytes), _weighed(news, unheard, moved_bytes)
        gone = np.bincount(watches_of(left), minlength=watches).astype(float) * LEFT_BYTES
        cost = entered.cost(watches) + moved.cost(watches) + gone
        cost[list(self._new)] += 1  # a snapshot, be it an empty one
        cost[cost > 0] += FRAME_BYTES
        mute = self._room <= 0
        mute[behind] = True
        short = ~mute & (cost > self._room)
        whole = ~mute & ~short
        self._up_to[whole], self._period[whole] = step, 1
        new = [watch for watch in self._new if not mute[watch]]
        self._new.difference_update(new)
        if not whole.all():
            self._since[mute] = step + 1  # its turn is missed
            if mute.any():
                entered, moved = entered.only(~mute[entered.watch]), moved.only(~mute[moved.watch])
                left = left[~mute[watches_of(left)]]
            if short.any():
                entered, moved = self._rationed(short, entered, moved, gone, step, share)
            # What was told before, less what goes, and what comes.
            kept = told if not len(left) else told[~among(told, left)]
            self.told = (
                np.sort(np.concatenate([kept, entered.codes]), kind="stable") if len(entered.codes) else kept
            )
            cost = entered.cost(watches) + moved.cost(watches) + np.where(mute, 0, gone)
            cost[cost > 0] += FRAME_BYTES
        else:
            self.told = pairs
        self._room -= cost
        return Plan(entered.codes, moved.codes, left, new)

    def _rationed(
        self, short: Flags, entered: _News, moved: _News, gone: Floats, step: int, share: float
    ) -> tuple[_News, _News]:
        """As much of it as there is room for, for those who are short of it."""
        # A little more than a tick's share, where there is some: so the reserve is used up without a gush.
        room = np.minimum(self._room, 2 * share) - FRAME_BYTES - gone
        some = room / 2 * (entered.cost(len(short)) > 0)
        chosen, period = self._chosen(short, entered, some, np.ones_like(self._period), step)
        entered = entered.only(chosen)
        room = np.maximum(room - entered.cost(len(short)), share / 8)
        chosen, period = self._chosen(short, moved, room, self._period, step)
        other = short & (period != self._period)
        self._period[other], self._since[other] = period[other], step
        # After a whole round everybody has been told of since then.
        round_over = short & (step - self._since + 1 >= self._period)
        self._up_to[round_over] = step + 1 - self._period[round_over]
        return entered, moved.only(chosen)

    def _chosen(self, short: Flags, news: _News, room: Floats, period: Ints, step: int) -> tuple[Flags, Ints]:
        """Which of them: the nearest, and those whose turn it is. And from turn to turn how many ticks it takes now."""
        watch, rings = news.watch, np.minimum(news.away * (_RINGS / self._reach[news.watch]), _RINGS - 1)
        ring = rings.astype(np.int64)
        costs = np.bincount(watch * _RINGS + ring, news.bytes, len(short) * _RINGS).reshape(-1, _RINGS)
        sums = np.cumsum(costs, axis=1)
        near = (sums <= (room / 2)[:, None]).sum(axis=1)
        spent = np.where(near > 0, sums[np.arange(len(short)), near - 1], 0.0)
        share = (sums[:, -1] - spent) / np.maximum(room - spent, 1.0)
        needed = 1 << np.ceil(np.log2(np.maximum(share, 1.0))).astype(np.int64)
        # A period that would nearly do stays: its round can be finished.
        period = np.where((needed <= period) & (period <= 2 * needed), period, needed)
        slots = slots_of(news.codes)
        # Scattered, lest those who came by turns with others have their turns together.
        turn = (slots * _SCATTER >> 16 ^ step) & (period[watch] - 1) == 0
        return ~short[watch] | (ring < near[watch]) | turn, period


def _weighed(news: _News, flags: Flags, sizes: Ints) -> _News:
    some = news.only(flags)
    return _News(some.codes, some.watch, some.away, sizes[slots_of(some.codes)].astype(float))
