"""Boxes by key on an R-tree: the one place that speaks to rtree, and that knows its traps.

It knows neither points nor lands: `positions` and `lands` ask it for candidates and refine them
exactly. Coordinates must have been checked before they come here.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtree import index

from spatial.shapes import Box


def _properties() -> index.Property:
    # Small nodes and the linear split, since boxes move far more often than a query needs the best
    # tree: with 10,000 keys a delete and insert takes 20 µs, with rtree's defaults (R*, 100 a node)
    # over 400, and queries take the same. The quadratic and R* splits at this size differ by little.
    return index.Property(
        variant=index.RT_Linear,
        index_capacity=10,
        leaf_capacity=10,
        near_minimum_overlap_factor=4,  # unused by the linear split, but must be below the capacities
        fill_factor=0.4,
    )


class BoxTree:
    """At most one box a key.

    rtree keeps an id twice if it is inserted twice, and ignores a delete whose box is not the
    stored one to the last bit, which leaves a ghost. So each key's box is kept beside the tree,
    and only this class inserts and deletes.
    """

    def __init__(self) -> None:
        self._tree = index.Index(properties=_properties())
        self._entries: dict[str, tuple[int, Box]] = {}
        self._keys: dict[int, str] = {}
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Box | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def set(self, key: str, box: Box) -> None:
        """Puts the key's box there, in place of the one before."""
        entry = self._entries.get(key)
        if entry is None:
            number = self._next_id
            self._next_id += 1
            self._keys[number] = key
        else:
            number, before = entry
            self._tree.delete(number, before)
        self._tree.insert(number, box)
        self._entries[key] = (number, box)

    def remove(self, key: str) -> None:
        """Takes the key's box away; a key without one is an error (KeyError)."""
        number, box = self._entries.pop(key)
        del self._keys[number]
        self._tree.delete(number, box)

    def touching(self, box: Box) -> Iterator[str]:
        """The keys whose box shares a point with this one, edges included, in no order."""
        return map(self._keys.__getitem__, self._tree.intersection(box))

    def nearest(self, x: float, y: float, count: int) -> Iterator[str]:
        """About the `count` keys with the nearest boxes, by Euclidean distance; more where they tie."""
        return map(self._keys.__getitem__, self._tree.nearest((x, y, x, y), count))
