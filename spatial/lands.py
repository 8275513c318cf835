"""The lands of one world by id: which one holds a point, which ones are near or in the way.

It does not know their names, owners or rooms, nor forbid overlaps: the service asks `overlapping`
first and refuses. Every answer is refined with the half-open rectangle itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spatial.distance import distance_to_rectangle
from spatial.shapes import Box, Rectangle, check_point, check_radius, check_rectangle
from spatial.tree import BoxTree

__all__ = ["LandIndex", "LandWalker", "Rectangle"]

# How far around it a walker looks: far enough to walk for a while, near enough to hold few lands.
SIGHT: Final = 16.0
# Above so many in sight, asking the tree anew costs no more.
KEPT: Final = 32


class LandIndex:
    """Rectangles by land id. Lists of ids are in the order of the ids, unless a method says otherwise."""

    def __init__(self) -> None:
        self._rectangles: dict[str, Rectangle] = {}
        self._tree = BoxTree()
        self.changes = 0  # rises with every one

    def __len__(self) -> int:
        return len(self._rectangles)

    def __contains__(self, land_id: object) -> bool:
        return land_id in self._rectangles

    def __iter__(self) -> Iterator[str]:
        return iter(self._rectangles)

    def get(self, land_id: str) -> Rectangle | None:
        return self._rectangles.get(land_id)

    def set(self, land_id: str, rect: Rectangle) -> None:
        """Puts the land there, in place of where it was before.

        Raises ValueError, and changes nothing, for sides of 0 or less and corners beyond 1e9.
        """
        check_rectangle(rect)
        self._tree.set(land_id, _closed(rect))
        self._rectangles[land_id] = rect
        self.changes += 1

    def remove(self, land_id: str) -> Rectangle | None:
        """Forgets the land and returns where it was, or None where it was unknown."""
        rect = self._rectangles.pop(land_id, None)
        if rect is not None:
            self._tree.remove(land_id)
            self.changes += 1
        return rect

    def at(self, x: float, y: float) -> str | None:
        """The land that holds this point (of several, should they overlap, the least id)."""
        check_point(x, y)
        holders = (
            land_id
            for land_id in self._tree.touching(Box(x, y, x, y))
            if self._rectangles[land_id].contains(x, y)
        )
        return min(holders, default=None)

    def touching(self, box: Box) -> list[tuple[str, Rectangle]]:
        """The lands that share a point or an edge with this closed box, in the order of their ids."""
        return [(land_id, self._rectangles[land_id]) for land_id in sorted(self._tree.touching(box))]

    def overlapping(self, rect: Rectangle) -> list[str]:
        """The lands that share a point with this rectangle; touching edges are no overlap."""
        check_rectangle(rect)
        return sorted(
            land_id
            for land_id in self._tree.touching(_closed(rect))
            if self._rectangles[land_id].overlaps(rect)
        )

    def intersecting(self, x0: float, y0: float, x1: float, y1: float) -> list[str]:
        """The lands of which at least one point lies in the query box, its four edges included.

        The query is closed and lands are half-open: a land that begins on the query's upper edge
        is in, one that ends on its lower edge is not. A query of one point asks what `at` does.
        Raises ValueError where `x1 < x0` or `y1 < y0`, or for coordinates beyond 1e9.
        """
        check_point(x0, y0)
        check_point(x1, y1)
        if x1 < x0 or y1 < y0:
            raise ValueError(f"expected x0 <= x1 and y0 <= y1, got ({x0}, {y0}, {x1}, {y1})")
        found = []
        for land_id in self._tree.touching(Box(x0, y0, x1, y1)):
            rect = self._rectangles[land_id]
            if rect.x <= x1 and x0 < rect.right and rect.y <= y1 and y0 < rect.top:
                found.append(land_id)
        return sorted(found)

    def within(self, x: float, y: float, radius: float) -> list[str]:
        """The lands at a distance of at most `radius` (0 inside and on the edges), nearest first, ties by id."""
        check_point(x, y)
        check_radius(radius)
        found = []
        for land_id in self._tree.touching(Box(x, y, x, y).grown(radius)):
            away = distance_to_rectangle(x, y, self._rectangles[land_id])
            if away <= radius:
                found.append((away, land_id))
        return [land_id for _, land_id in sorted(found)]


class LandWalker:
    """Answers `at` for one who moves in small steps: asks the tree only when far from where it last did."""

    __slots__ = ("_box", "_changes", "_in_sight", "_lands")

    def __init__(self, lands: LandIndex) -> None:
        self._lands = lands
        self._changes = -1
        self._box = Box(0, 0, 0, 0)
        self._in_sight: list[tuple[Rectangle, str]] = []

    def at(self, x: float, y: float) -> str | None:
        """As `LandIndex.at`."""
        x0, y0, x1, y1 = self._box
        if not (x0 <= x <= x1 and y0 <= y <= y1 and self._changes == self._lands.changes):
            check_point(x, y)
            self._look_around(x, y)
        if len(self._in_sight) > KEPT:
            return self._lands.at(x, y)
        for rect, land_id in self._in_sight:
            if rect.contains(x, y):
                return land_id
        return None

    def _look_around(self, x: float, y: float) -> None:
        self._box = Box(x, y, x, y).grown(SIGHT)
        self._in_sight = [(rect, land_id) for land_id, rect in self._lands.touching(self._box)]
        self._changes = self._lands.changes


def _closed(rect: Rectangle) -> Box:
    return Box(rect.x, rect.y, rect.right, rect.top)
