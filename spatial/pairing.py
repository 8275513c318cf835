"""Who is paired with whom in a crowd: the nearest, so many peers each, and no change for a little.

It knows keys and coordinates, not people or connections. `server.services.voice` asks it, for each world, on
every tick on which something changed, and keeps what it answers until the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from math import floor
from typing import Final

from spatial.distance import distance
from spatial.shapes import check_radius

# Peers of one key. Each is a stream of sound up and one down for whoever is behind it (6 × 40 kbit/s are a thin
# uplink), and more voices than that at once nobody can follow.
PEERS: Final = 6
# A pair comes together within the radius, and parts beyond this much of it: who stands on the edge does not flicker.
LEAVE: Final = 1.1
# Who is nearer is measured in steps of this part of the radius, between the cells of a grid: those in one
# cell are equally near. So a crowd on one spot is served in any order, and not in n² comparisons.
STEPS: Final = 40
# Steps by which a pair counts as nearer than it is, so that a newcomer has to be nearer by more than them. One who
# moves by less than a step changes a distance in steps by one, two who do by two, and two pairs of them by four.
STAY: Final = 4
# Cells around one with so many others or fewer are put in a list at once.
FEW: Final = 100

Pair = tuple[str, str]  # the smaller key first
Cell = tuple[int, int]


def pair(
    places: Mapping[str, tuple[float, float]],
    apart: Mapping[str, Collection[str]],
    before: Iterable[Pair],
    taken: Mapping[str, int],
    radius: float,
) -> set[Pair]:
    """The pairs that there should be, given those `before`.

    `apart` has for a key those that it may not be paired with, and is to be symmetric; `taken` for a key how many of
    its `PEERS` are taken by others that are not in `places`. Nobody has more than `PEERS`. Two who both have a free
    place and may be paired are. Of two pairs the one with the lower rank comes first: the distance in steps, less
    `STAY` for one that there was before (no less than 0). So nobody is passed over for somebody farther, but for
    two steps (a cell's width at either end) among new pairs, and `STAY` more for one that there was. The same
    arguments always give the same pairs, and the pairs given back as `before` are given again.

    The rule is greedy: of all pairs the nearest first, where both have a free place. In the work for n keys every pair
    is not looked at: from step to step, each cell with a free place in it looks at the cells so many steps
    away, and cells with none are gone from the grid. Where people are few, that is a list of those around, of
    O(neighbours) for each; in a crowd they are all taken within a few steps. On one spot it is O(n · PEERS) after a sort.
    """
    check_radius(radius)
    grid = _Grid(places, apart, taken, radius)
    ranked: list[list[Pair]] = [[] for _ in range(STEPS + 2)]
    for a, b in sorted(before):
        if a in places and b in places and grid.may(a, b, radius * LEAVE):
            rank = grid.steps(a, b) - STAY
            ranked[min(max(rank, 0), STEPS + 1)].append((a, b))
    # Rounding may put two within the radius one step farther apart than STEPS.
    for rank, known in enumerate(ranked):
        for a, b in known:
            grid.join(a, b)
        grid.fill(rank)
    return grid.pairs


class _Grid:
    """Those with a free place, by cell, and the pairs so far."""

    def __init__(
        self,
        places: Mapping[str, tuple[float, float]],
        apart: Mapping[str, Collection[str]],
        taken: Mapping[str, int],
        radius: float,
    ) -> None:
        self._places = places
        self._apart = apart
        self._radius = radius
        self.pairs: set[Pair] = set()
        self._peers: dict[str, set[str]] = {key: set() for key in places}
        self._left = {key: PEERS - taken.get(key, 0) for key in sorted(places)}
        self._cell_of: dict[str, Cell] = {}
        self._free: dict[Cell, dict[str, None]] = {}
        side = radius / STEPS or 1.0
        for key, left in self._left.items():
            x, y = places[key]
            cell = self._cell_of[key] = (floor(x / side), floor(y / side))
            if left > 0:
                self._free.setdefault(cell, {})[key] = None
        # Those cells that look around them step by step, and for the others what they will find: by steps, of each two
        # cells once.
        self._wide = sorted(self._free)
        self._due: list[list[tuple[Cell, Cell]]] = [[] for _ in range(STEPS + 2)]
        self._squares: dict[Cell, list[Cell]] = {}
        for x, y in self._wide:
            self._squares.setdefault((x // _WIDTH, y // _WIDTH), []).append((x, y))

    def steps(self, a: str, b: str) -> int:
        """How far from each other two are."""
        return _steps(self._cell_of[a], self._cell_of[b])

    def may(self, a: str, b: str, radius: float) -> bool:
        """Whether two may be paired within a radius."""
        return b not in self._apart.get(a, ()) and distance(*self._places[a], *self._places[b]) <= radius

    def join(self, a: str, b: str) -> None:
        """Pairs two, if both have a free place."""
        if self._left[a] > 0 and self._left[b] > 0:
            self._join(a, b)
            self._drop_full((a, b))

    def fill(self, steps: int) -> None:
        """Pairs those with a free place who are so many steps from each other. To be called for 0, then 1, and so on."""
        self._wide = [cell for cell in self._wide if cell in self._free and not self._list(cell, steps)]
        for cell in self._wide:
            x, y = cell
            for dx, dy in _HALF_RINGS[steps]:
                if cell not in self._free:
                    break
                if (other := (x + dx, y + dy)) in self._free:
                    self._match(cell, other)
        for cell, other in self._due[steps]:
            if cell in self._free and other in self._free:
                self._match(cell, other)

    def _list(self, cell: Cell, steps: int) -> bool:
        """Finds the cells around one, from so many steps on, and says whether it did: not where to look into each
        place on the grid is less work."""
        x, y = cell
        squares = [self._squares.get((x // _WIDTH + i, y // _WIDTH + j), ()) for i, j in _SQUARES]
        if sum(map(len, squares)) > max(FEW, len(_HALF_RINGS[steps])):
            return False
        due, most = self._due, STEPS + 2
        for other in chain.from_iterable(squares):
            # `_steps` spelled out, since this is most of the work where people are few.
            if other >= cell and (dx := other[0] - x) < most:
                dy = abs(other[1] - y)
                if steps <= (away := dx if dx > dy else dy) < most:
                    due[away].append((cell, other))
        return True

    def _match(self, cell: Cell, other: Cell) -> None:
        """Pairs those of two cells, or of one, as many as may be."""
        ours, theirs = self._free[cell], self._free[other]
        for a in list(ours):
            if not self._left[a]:
                continue
            peers, joined = self._peers[a], [a]
            for b in theirs:
                if b != a and b not in peers and self.may(a, b, self._radius):
                    self._join(a, b)
                    joined.append(b)
                    if not self._left[a]:
                        break
            self._drop_full(joined)

    def _join(self, a: str, b: str) -> None:
        self.pairs.add((a, b) if a < b else (b, a))
        for key, peer in ((a, b), (b, a)):
            self._peers[key].add(peer)
            self._left[key] -= 1

    def _drop_full(self, keys: Iterable[str]) -> None:
        for key in keys:
            if not self._left[key]:
                cell = self._cell_of[key]
                del self._free[cell][key]
                if not self._free[cell]:
                    del self._free[cell]


def _steps(a: Cell, b: Cell) -> int:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]))


_WIDTH: Final = STEPS + 2  # so that whoever is within the radius is in the same square or one beside it
_SQUARES: Final = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
# For each number of steps, the cells at that distance from the cell (0, 0) that do not come before it.
_HALF_RINGS: Final = [
    [
        (dx, dy)
        for dx in range(steps + 1)
        for dy in (range(-steps, steps + 1) if dx == steps else (-steps, steps))
        if (dx, dy) >= (0, 0)
    ]
    for steps in range(STEPS + 2)
]
