"""Cells: which middle stands for which points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.grid import middle_of_cell
from spatial.shapes import LIMIT, check_point
from tests.spatial.strategies import COORDINATES

SIDES = st.one_of(st.sampled_from([0.001, 0.5, 1.0, 10.0, 3e9]), st.floats(0.001, 1e6))


@pytest.mark.parametrize(
    ("x", "side", "middle"),
    [(0, 10, 5), (9.999, 10, 5), (10, 10, 15), (-0.0, 10, 5), (-1e-9, 10, -5), (7.25, 0.5, 7.25), (3, 2.5, 3.75)],
)  # fmt: skip
def test_the_middle_of_a_cell_stands_for_its_points(x: float, side: float, middle: float) -> None:
    """The origin is a corner; a cell's lower edges are its own."""
    assert middle_of_cell(x, -x, side)[0] == middle
    assert middle_of_cell(1, x, side)[1] == middle


@given(x=COORDINATES, y=COORDINATES, side=SIDES)
def test_the_middle_is_near_and_can_stand_in_the_index(x: float, y: float, side: float) -> None:
    """At most half a side away, save for rounding, and within the world."""
    middle = middle_of_cell(x, y, side)
    check_point(*middle)
    assert max(abs(middle[0] - x), abs(middle[1] - y)) <= side / 2 + 4e-16 * LIMIT
