"""Distance as the contract has it (§1), in world units. Nothing is stored here.

The indexes refine with these same functions, so what they find is what a caller computes.
"""

from __future__ import annotations

from spatial.shapes import Rectangle


def distance(ax: float, ay: float, bx: float, by: float) -> float:
    """Chebyshev distance, `max(|dx|, |dy|)`: the same whichever of the two comes first."""
    return max(abs(ax - bx), abs(ay - by))


def distance_to_rectangle(x: float, y: float, rect: Rectangle) -> float:
    """Chebyshev distance from a point to a rectangle: 0 inside and on all four edges."""
    return max(0.0, rect.x - x, x - rect.right, rect.y - y, y - rect.top)
