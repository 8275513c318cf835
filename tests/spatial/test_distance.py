"""The two distances of the contract, on values worked out by hand and on any others."""

from __future__ import annotations

import pytest
from hypothesis import given

from spatial.distance import distance, distance_to_rectangle
from spatial.shapes import Rectangle
from tests.spatial.strategies import COORDINATES, RECTANGLES

LAND = Rectangle(10, 20, 5, 2)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((0, 0), (3, 4), 4), ((0, 0), (-3, 0), 3), ((1, 1), (1, 1), 0), ((-1e9, 0), (1e9, 0), 2e9)],
)
def test_distance_is_the_longer_of_the_two_differences(
    a: tuple[float, float], b: tuple[float, float], expected: float
) -> None:
    assert distance(*a, *b) == expected


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((12, 21), 0),
        ((10, 20), 0),
        ((15, 22), 0),
        ((9, 21), 1),
        ((18, 21), 3),
        ((12, 18), 2),
        ((12, 26), 4),
        ((7, 27), 5),
    ],
)
def test_distance_to_a_rectangle_is_0_inside_and_on_its_edges(
    point: tuple[float, float], expected: float
) -> None:
    assert distance_to_rectangle(*point, LAND) == expected


@given(COORDINATES, COORDINATES, COORDINATES, COORDINATES)
def test_distance_is_the_same_from_either_end(ax: float, ay: float, bx: float, by: float) -> None:
    assert distance(ax, ay, bx, by) == distance(bx, by, ax, ay) >= 0


@given(COORDINATES, COORDINATES, RECTANGLES)
def test_distance_to_a_rectangle_is_the_distance_to_its_nearest_point(
    x: float, y: float, rect: Rectangle
) -> None:
    nearest_x = min(max(x, rect.x), rect.right)
    nearest_y = min(max(y, rect.y), rect.top)
    assert distance_to_rectangle(x, y, rect) == distance(x, y, nearest_x, nearest_y)
