"""A place as others may know it: the middle of a cell instead of the point itself.

What is computed from the middle alone (a distance, who is within a radius) is the same for every point of
the cell, and so tells nothing finer, however often and from wherever it is asked. Called by the services.
"""

from __future__ import annotations

from math import floor

from spatial.shapes import LIMIT


def middle_of_cell(x: float, y: float, side: float) -> tuple[float, float]:
    """The middle of the cell that holds this point; cells have `side` units, and the origin is a corner.

    At the world's edge, where a cell reaches beyond, its middle is at most on the edge.
    """
    return _middle(x, side), _middle(y, side)


def _middle(value: float, side: float) -> float:
    return max(-LIMIT, min(LIMIT, (floor(value / side) + 0.5) * side))
