"""Area of interest: who sees whom, step by step, for all that watch.

It knows keys, places and watches, not people, connections or frames. `server.services.nearby` owns one, tells it of
moves as they come, and asks at each tick for the view; nothing changes between two steps.

A pair is told by a number, its code: the watch, then the slot of the one who is seen. Sets of pairs are sorted arrays
of codes, so that what has come and gone since the last step is found by merging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spatial.neighbours import Crowd, Floats, Ints
from spatial.shapes import check_radius

# One comes into view at the radius and goes out of it beyond this much of it: who walks along the edge does not flicker.
HYSTERESIS: Final = 1.1

_SLOT_BITS: Final = 24  # 16 million people on a node
_SLOTS: Final = (1 << _SLOT_BITS) - 1
_NOWHERE: Final = -1

Flags = NDArray[np.bool_]


def watches_of(codes: Ints) -> Ints:
    return codes >> _SLOT_BITS


def slots_of(codes: Ints) -> Ints:
    return codes & _SLOTS


def among(codes: Ints, others: Ints) -> Flags:
    """Which of `codes` are in `others`, which is sorted."""
    if not len(others):
        return np.zeros(len(codes), dtype=bool)
    place = np.searchsorted(others, codes)
    found: Flags = others[np.minimum(place, len(others) - 1)] == codes
    return found


class Interest:
    """Places and watches, and the pairs in view.

    Two who are shown and watch with the same radius see each other or neither does: being in view is a state of the
    pair, which a watch that begins takes over from the other side.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.pairs: Ints = _numbers(0)  # in view, sorted
        self.away: Floats = np.zeros(0)  # their distances
        # By slot
        self.keys: list[str] = []
        self.x: Floats = np.zeros(0)
        self.y: Floats = np.zeros(0)
        self.moved: Ints = _numbers(0)  # the step at which the place last changed
        self._world: Ints = _numbers(0)
        self._shown = _flags(0)
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._gone: list[int] = []  # not free yet: somebody may have to be told
        self._moves: dict[str, tuple[int, float, float]] = {}
        # By watch
        self._owners: list[str] = []
        self._slot: Ints = _numbers(0)
        self._radius: Floats = np.zeros(0)
        self._begun: Ints = _numbers(0)  # in which order they came; 0: over
        self._begins = 0
        self._over: list[int] = []  # since the last step
        self._free_watches: list[int] = []
        self._unplaced: set[int] = set()  # their owners have no place yet
        self._barred: Ints = _numbers(0)
        self._changed = False

    # Places

    def place(self, key: str, world: int, x: float, y: float) -> None:
        """Where somebody is from the next step on, `world` being any number of 0 or more."""
        self._moves[key] = (world, x, y)

    def remove(self, key: str) -> None:
        """Somebody is nowhere any more; one who comes back is somebody new. Their watches are over before."""
        self._moves.pop(key, None)
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._world[slot] = _NOWHERE
            self._gone.append(slot)
            self._changed = True

    # Watches

    def watch(self, key: str, radius: float) -> int:
        """Begins with the next step. Its number is its own until it is over and a step has passed."""
        check_radius(radius)
        if self._free_watches:
            watch = self._free_watches.pop()
            self._owners[watch] = key
        else:
            watch = len(self._owners)
            self._owners.append(key)
            if watch == len(self._slot):
                self._slot, self._begun = _longer(self._slot), _longer(self._begun)
                self._radius = _longer(self._radius)
        self._begins += 1
        self._slot[watch], self._radius[watch], self._begun[watch] = _NOWHERE, radius, self._begins
        self._unplaced.add(watch)
        return watch

    def unwatch(self, watch: int) -> None:
        self._begun[watch] = 0
        self._unplaced.discard(watch)
        self._over.append(watch)
        self._changed = True

    # Steps

    def step(self, is_shown: Callable[[str], bool], parted: Iterable[tuple[int, str]] = ()) -> None:
        """From now on `pairs`, `away` and `moved` are as things stand.

        `is_shown` says whether others may know where somebody is; `parted` are watches, and whom they may not see.
        """
        self.steps += 1
        self._move()
        used = len(self.keys)
        shown = np.fromiter(map(is_shown, self.keys), bool, used)
        before = self._shown[:used]
        barred = np.sort(
            _numbers(watch << _SLOT_BITS | self._slots[key] for watch, key in parted if key in self._slots)
        )
        if self._changed or not np.array_equal(shown, before) or not np.array_equal(barred, self._barred):
            self._look(shown, shown & ~before, barred)
        self._shown[:used] = shown
        self._barred = barred
        self._changed = False
        self._free_watches += self._over
        self._over.clear()

    def reclaim(self, told: Ints) -> None:
        """Slots of those who are gone, save those in `told`, a set of pairs, may serve others."""
        if self._gone:
            kept = set(slots_of(told)[np.isin(slots_of(told), self._gone)].tolist())
            self._free += [slot for slot in self._gone if slot not in kept]
            self._gone = [slot for slot in self._gone if slot in kept]

    def _move(self) -> None:
        if self._moves:
            slots = _numbers(self._slots.get(key, _NOWHERE) for key in self._moves)
            for place in np.flatnonzero(slots == _NOWHERE).tolist():
                slots[place] = self._enter(list(self._moves)[place])
            world, x, y = (np.array(part) for part in zip(*self._moves.values(), strict=True))
            other = (x != self.x[slots]) | (y != self.y[slots]) | (world != self._world[slots])
            self.x[slots], self.y[slots], self._world[slots] = x, y, world
            self.moved[slots[other]] = self.steps
            self._changed |= bool(other.any())
            self._moves.clear()
        for watch in list(self._unplaced):
            slot = self._slots.get(self._owners[watch])
            if slot is not None:
                self._slot[watch] = slot
                self._unplaced.discard(watch)
                self._changed = True

    def _enter(self, key: str) -> int:
        if self._free:
            slot = self._free.pop()
            self.keys[slot] = key
        else:
            slot = len(self.keys)
            self.keys.append(key)
            if slot == len(self.x):
                self.x, self.y = _longer(self.x), _longer(self.y)
                self.moved, self._world = _longer(self.moved), _longer(self._world)
                self._shown = _longer(self._shown)
        self._world[slot] = _NOWHERE
        self._slots[key] = slot
        return slot

    def _look(self, shown: Flags, appeared: Flags, barred: Ints) -> None:
        there = np.flatnonzero(shown & (self._world[: len(shown)] != _NOWHERE))
        watches = np.flatnonzero((self._begun > 0) & (self._slot != _NOWHERE))
        owners = self._slot[watches]
        crowd = Crowd(self.x[there], self.y[there], self._world[there])
        asker, found, away = crowd.within(
            self.x[owners], self.y[owners], self._world[owners], self._radius[watches] * HYSTERESIS
        )
        watch, owner, seen = watches[asker], owners[asker], there[found]
        inside = (away <= self._radius[watch]) & (owner != seen)
        edge = np.flatnonzero(~inside & (owner != seen) & ~appeared[seen] & ~appeared[owner])
        inside[edge] = self._held(watches, watch[edge], seen[edge])
        codes, away = watch[inside] << _SLOT_BITS | seen[inside], away[inside]
        if len(barred):
            free = ~among(codes, barred)
            codes, away = codes[free], away[free]
        order = np.argsort(codes, kind="stable")  # of a crowd they come in runs
        self.pairs, self.away = codes[order], away[order]

    def _held(self, watches: Ints, watch: Ints, seen: Ints) -> Flags:
        """Which of these pairs were in view before, from either side, with the same radius.

        Of somebody's several watches with one radius the eldest stands for all: they have had the same in view since
        they began.
        """
        radii, rank = np.unique(self._radius[watches], return_inverse=True)
        ranks = np.zeros(len(self._radius), dtype=np.int64)
        ranks[watches] = rank
        order = watches[np.lexsort((self._begun[watches], rank, self._slot[watches]))]
        names, first = np.unique(self._slot[order] * len(radii) + ranks[order], return_index=True)
        eldest = order[first]
        owner = self._slot[watch]
        held = np.zeros(len(watch), dtype=bool)
        for one, other in ((owner, seen), (seen, owner)):
            name = one * len(radii) + ranks[watch]
            place = np.minimum(np.searchsorted(names, name), len(names) - 1)
            code = eldest[place] << _SLOT_BITS | other
            held |= (names[place] == name) & among(code, self.pairs)
        return held


def _numbers(values: Iterable[int] | int) -> Ints:
    """So many zeros, or these."""
    if isinstance(values, int):
        return np.zeros(values, dtype=np.int64)
    return np.fromiter(values, dtype=np.int64)


def _flags(count: int) -> Flags:
    return np.zeros(count, dtype=bool)


def _longer(array: NDArray[Any]) -> NDArray[Any]:
    """Twice as long: 64 at least."""
    return np.concatenate([array, np.zeros(max(64, len(array)), dtype=array.dtype)])
