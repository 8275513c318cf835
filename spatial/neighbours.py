"""Who is within reach of whom, for everybody at once: a grid in numpy, made anew for each question.

For a thousand askers with 20 neighbours each it takes 1 ms, where an R-tree that is loaded in bulk and asked with
`intersection_v` takes 6 (`bench/neighbours.py`): when all have moved, there is nothing that a tree could keep.
`spatial.interest` asks it at each of its steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The side of a cell: half of what one sees by default, so that a square of them fits well around the circle of
# one who asks. Half or twice of it costs a little more.
CELL: Final = 5.5
_COLUMNS: Final = 1 << 32  # more than a row can have: coordinates are at most 1e9


class Crowd:
    """Points of several worlds, to be asked about. Arrays of equal length: where each is, and in which world (≥ 0)."""

    def __init__(self, x: Floats, y: Floats, world: Ints) -> None:
        rows, row = np.unique(_row(world, y), return_inverse=True)
        codes = row * _COLUMNS + _column(x)
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]
        self._rows = rows
        self._x = x[self._order]
        self._y = y[self._order]

    def within(self, x: Floats, y: Floats, world: Ints, reach: Floats) -> tuple[Ints, Ints, Floats]:
        """All pairs (asker, point, distance) with a distance of at most the asker's reach, by asker.

        Askers and points are told by their places in the arrays. Chebyshev; exact, as `spatial.distance` has it.
        """
        wide = reach + (np.abs(x) + np.abs(y) + reach) * 2.0**-50  # rounding must not lose a cell
        first, last = _row(world, y - wide), _row(world, y + wide)
        asker, rows = _ranges(first, last + 1)
        place = np.searchsorted(self._rows, rows)
        there = self._rows[np.minimum(place, len(self._rows) - 1)] == rows if len(self._rows) else place < 0
        asker, place = asker[there], place[there] * _COLUMNS
        left, right = _column(x - wide), _column(x + wide)
        start = np.searchsorted(self._codes, place + left[asker], "left")
        end = np.searchsorted(self._codes, place + right[asker], "right")
        which, point = _ranges(start, end)
        asker = asker[which]
        away = np.maximum(np.abs(self._x[point] - x[asker]), np.abs(self._y[point] - y[asker]))
        near = away <= reach[asker]
        return asker[near], self._order[point[near]], away[near]


def _row(world: Ints, y: Floats) -> Ints:
    return world * _COLUMNS + _column(y)


def _column(x: Floats) -> Ints:
    return np.floor(x / CELL).astype(np.int64) + _COLUMNS // 2


def _ranges(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Every number of every range [start, end), and the place of the range that it is of."""
    count = end - start
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count - start, count)
