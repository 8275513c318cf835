"""The shapes of a world and the range of its coordinates: what a number must be to enter an index.

An R-tree takes `inf` and `nan` without a word and then loses the entry, so finiteness is checked
here, at the edge. Used by every other module of this package.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

LIMIT = 1e9  # the contract's largest coordinate; doubles are 1.2e-7 apart there


class Rectangle(NamedTuple):
    """`[x, x + width) × [y, y + height)` in world units: the lower edges belong to it, the upper do not."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def top(self) -> float:
        return self.y + self.height

    def contains(self, x: float, y: float) -> bool:
        return self.x <= x < self.right and self.y <= y < self.top

    def overlaps(self, other: Rectangle) -> bool:
        """Whether the two share a point. Touching edges share none, both being half-open."""
        return self.x < other.right and other.x < self.right and self.y < other.top and other.y < self.top


class Box(NamedTuple):
    """A closed box by its corners, in world units: what the tree stores and is asked for."""

    x0: float
    y0: float
    x1: float
    y1: float

    def holds(self, x: float, y: float) -> bool:
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1

    def grown(self, by: float) -> Box:
        """Wider by `by` on every side, rounded outwards.

        Each sum below may round by half of its last place, and so may the difference that a
        distance is made of: without the slack, a point at exactly `by` could fall outside.
        """
        slack = (max(map(abs, self)) + by) * 2**-50
        by += slack
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)


def check_point(x: float, y: float) -> None:
    """Raises ValueError unless both are finite and at most `LIMIT` in size."""
    # Not `abs(x) > LIMIT`: every comparison with nan is false, and this way round it is refused.
    if not (-LIMIT <= x <= LIMIT and -LIMIT <= y <= LIMIT):
        raise ValueError(f"expected coordinates of at most {LIMIT:g} in size, got ({x}, {y})")


def check_radius(radius: float) -> None:
    """Raises ValueError unless the radius is finite and not negative."""
    if not (isfinite(radius) and radius >= 0):
        raise ValueError(f"expected a finite radius of 0 or more, got {radius}")


def check_rectangle(rect: Rectangle) -> None:
    """Raises ValueError unless all corners are in range and the rectangle holds a point.

    A side so short that `x + width == x` in floating point holds none.
    """
    check_point(rect.x, rect.y)
    check_point(rect.right, rect.top)
    if not (rect.right > rect.x and rect.top > rect.y):
        raise ValueError(f"expected sides longer than 0, got {rect}")
