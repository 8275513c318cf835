"""Everybody's position in one world, and who is near: exact, in Chebyshev distance.

It knows keys and coordinates, not people, connections or who may see whom. The services own one
for each world and ask it on every move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from spatial.distance import distance, distance_to_rectangle
from spatial.shapes import Box, Rectangle, check_point, check_radius, check_rectangle
from spatial.tree import BoxTree

__all__ = ["Hit", "PositionIndex"]


class Hit(NamedTuple):
    """One position found, and its distance in world units from what was asked about."""

    key: str
    x: float
    y: float
    distance: float


class PositionIndex:
    """Positions by key, each in a box with a margin on an R-tree.

    Walking is many small steps, and a change of the tree costs a hundred times what a dict does:
    so the tree holds a box of `margin` units around the place where each key was put last, and is
    not touched until the key leaves that box. Queries ask the tree for boxes, a superset of the
    positions wanted, and then measure each.
    """

    def __init__(self, margin: float = 5.0) -> None:
        check_radius(margin)
        self._margin = margin
        self._positions: dict[str, tuple[float, float]] = {}
        self._tree = BoxTree()

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, key: object) -> bool:
        return key in self._positions

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def get(self, key: str) -> tuple[float, float] | None:
        return self._positions.get(key)

    def set(self, key: str, x: float, y: float) -> tuple[float, float] | None:
        """Puts the key there and returns where it was before.

        Raises ValueError, and changes nothing, unless both are finite and at most 1e9 in size.
        """
        check_point(x, y)
        box = self._tree.get(key)
        if box is None or not box.holds(x, y):
            self._tree.set(key, Box(x, y, x, y).grown(self._margin))
        before = self._positions.get(key)
        self._positions[key] = (x, y)
        return before

    def remove(self, key: str) -> tuple[float, float] | None:
        """Forgets the key and returns where it was, or None where it was unknown."""
        before = self._positions.pop(key, None)
        if before is not None:
            self._tree.remove(key)
        return before

    def within(self, x: float, y: float, radius: float) -> list[Hit]:
        """All at a distance of at most `radius`, nearest first, ties by key.

        Raises ValueError for coordinates that `set` would refuse, and for a negative radius.
        """
        check_point(x, y)
        check_radius(radius)
        candidates = self._tree.touching(Box(x, y, x, y).grown(radius))
        return _sorted_hits(hit for hit in self._measured(candidates, x, y) if hit.distance <= radius)

    def nearest(self, x: float, y: float, count: int) -> list[Hit]:
        """The `count` nearest at any distance (fewer if there are fewer), nearest first, ties by key.

        The tree's own nearest is Euclidean, to boxes, and unordered among ties. But any `count`
        positions will do for a bound: no answer is farther than the farthest of them.
        """
        check_point(x, y)
        if count <= 0:
            return []
        if count >= len(self):
            return _sorted_hits(self._measured(self, x, y))
        bound = max(hit.distance for hit in self._measured(self._tree.nearest(x, y, count), x, y))
        return self.within(x, y, bound)[:count]

    def within_rectangle(self, rect: Rectangle, radius: float) -> list[Hit]:
        """All at a distance of at most `radius` from the rectangle (0 inside), nearest first, ties by key."""
        check_rectangle(rect)
        check_radius(radius)
        hits = []
        for key in self._tree.touching(Box(rect.x, rect.y, rect.right, rect.top).grown(radius)):
            x, y = self._positions[key]
            away = distance_to_rectangle(x, y, rect)
            if away <= radius:
                hits.append(Hit(key, x, y, away))
        return _sorted_hits(hits)

    def _measured(self, keys: Iterable[str], x: float, y: float) -> Iterator[Hit]:
        for key in keys:
            at = self._positions[key]
            yield Hit(key, *at, distance(x, y, *at))


def _sorted_hits(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (hit.distance, hit.key))
