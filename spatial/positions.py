"""Everybody's position in one world, and who is near: exact, in Chebyshev distance.

It knows keys and coordinates, not people, connections or who may see whom. The services own one
for each world and ask it on every move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from operator import itemgetter
from typing import Final, NamedTuple

from spatial.distance import distance, distance_to_rectangle
from spatial.shapes import Box, Rectangle, check_point, check_radius, check_rectangle
from spatial.tree import BoxTree

__all__ = ["Hit", "PositionIndex"]

# A new box lies ahead of one who walked out of the last by this part of the margin: straight on there is half as far
# again to go in it, and who turns back has the other half.
AHEAD: Final = 0.5
# Neighbours that a place keeps a list of: above it, to ask the tree costs no more than to measure them
# all, and in a crowd the lists would hold n² entries.
CROWD: Final = 64


class Hit(NamedTuple):
    """One position found, and its distance in world units from what was asked about."""

    key: str
    x: float
    y: float
    distance: float


class _Place:
    """Where one key is, its box on the tree, and its neighbours: those whose boxes are within reach of that box.

    Of two places that keep lists, each is in the other's or neither is.
    """

    __slots__ = ("box", "key", "near", "x", "y")

    def __init__(self, key: str, x: float, y: float, box: Box) -> None:
        self.key = key
        self.x = x
        self.y = y
        self.box = box
        self.near: set[_Place] | None = None  # None in a crowd


class PositionIndex:
    """Positions by key, each in a box with a margin on an R-tree.

    Walking is many small steps, and a change of the tree costs a hundred times what a dict does:
    so the tree holds a box of `margin` units around the place where each key was put last, and is
    not touched until the key leaves that box. Queries ask the tree for boxes, a superset of the
    positions wanted, and then measure each.

    What is asked most, who is `around` a key within `reach`, does not ask the tree at all: whose
    boxes are near enough changes only when a box does, so each place keeps a list of them. (The
    neighbour list of Verlet, Phys. Rev. 159, 98 (1967), with the margin for its skin.)
    """

    def __init__(self, margin: float = 5.0, reach: float = 10.0) -> None:
        check_radius(margin)
        check_radius(reach)
        self._margin = margin
        self._reach = reach
        self._places: dict[str, _Place] = {}
        self._tree = BoxTree()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def get(self, key: str) -> tuple[float, float] | None:
        place = self._places.get(key)
        return None if place is None else (place.x, place.y)

    def set(self, key: str, x: float, y: float) -> tuple[float, float] | None:
        """Puts the key there and returns where it was before.

        Raises ValueError, and changes nothing, unless both are finite and at most 1e9 in size.
        """
        check_point(x, y)
        place = self._places.get(key)
        if place is None:
            place = _Place(key, x, y, Box(x, y, x, y).grown(self._margin))
            self._tree.set(key, place.box)
            self._places[key] = place
            self._meet(place)
            return None
        before = (place.x, place.y)
        place.x, place.y = x, y
        x0, y0, x1, y1 = place.box
        if not (x0 <= x <= x1 and y0 <= y <= y1):
            self._part(place)
            place.box = self._box_ahead(x, y, x - (x0 + x1) / 2, y - (y0 + y1) / 2)
            self._tree.set(key, place.box)
            self._meet(place)
        return before

    def remove(self, key: str) -> tuple[float, float] | None:
        """Forgets the key and returns where it was, or None where it was unknown."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        self._part(place)
        self._tree.remove(key)
        before = (place.x, place.y)
        # Should rounding have left it in a list, it is at no distance from anywhere.
        place.x = place.y = inf
        return before

    def around(self, key: str, radius: float) -> list[tuple[str, float, float, float]]:
        """All others at a distance of at most `radius` from this key's position, nearest first, ties by key.

        As plain tuples in the order of `Hit`, which cost a quarter of it. Raises KeyError for a key without a position, and ValueError for a negative radius.
        """
        check_radius(radius)
        place = self._places[key]
        if place.near is None or radius > self._reach:
            return [hit for hit in self.within(place.x, place.y, radius) if hit.key != key]
        x, y = place.x, place.y
        hits: list[tuple[str, float, float, float]] = []
        for other in place.near:
            # `distance` spelled out: most are farther away than that, and one comparison shows it.
            dx = other.x - x
            if -radius <= dx <= radius:
                dy = other.y - y
                if -radius <= dy <= radius:
                    hits.append((other.key, other.x, other.y, max(abs(dx), abs(dy))))
        hits.sort(key=_NEAREST_FIRST)
        return hits

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
            place = self._places[key]
            away = distance_to_rectangle(place.x, place.y, rect)
            if away <= radius:
                hits.append(Hit(key, place.x, place.y, away))
        return _sorted_hits(hits)

    def _box_ahead(self, x: float, y: float, dx: float, dy: float) -> Box:
        """For one who is at (x, y) and came by (dx, dy), more than the margin, since the middle of the last box."""
        ahead = AHEAD * self._margin / max(abs(dx), abs(dy))
        x, y = x + dx * ahead, y + dy * ahead
        return Box(x, y, x, y).grown(self._margin)

    def _within_reach(self, place: _Place) -> list[_Place]:
        # Grown twice: rounding must not let one of two find the other and not be found by it.
        near = self._tree.touching(place.box.grown(self._reach).grown(0))
        return [self._places[key] for key in near if key != place.key]

    def _meet(self, place: _Place) -> None:
        """`place` has a new box: it and those within reach of it come into each other's lists."""
        others = self._within_reach(place)
        if len(others) <= CROWD:
            place.near = set(others)
        for other in others:
            if other.near is not None:
                other.near.add(place)
                if len(other.near) > CROWD:
                    other.near = None

    def _part(self, place: _Place) -> None:
        """`place` leaves its box: it goes out of everybody's list, and has none."""
        for other in self._within_reach(place) if place.near is None else place.near:
            if other.near is not None:
                other.near.discard(place)
        place.near = None

    def _measured(self, keys: Iterable[str], x: float, y: float) -> Iterator[Hit]:
        for key in keys:
            place = self._places[key]
            yield Hit(key, place.x, place.y, distance(x, y, place.x, place.y))


_NEAREST_FIRST: Final = itemgetter(3, 0)  # the distance, then the key


def _sorted_hits(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=_NEAREST_FIRST)
