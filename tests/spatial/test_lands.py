"""The land index against a dict that is searched from end to end."""

from __future__ import annotations

from math import inf, nan
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spatial import lands
from spatial.distance import distance_to_rectangle
from spatial.lands import LandIndex, LandWalker, Rectangle
from tests.spatial.strategies import COORDINATES, KEYS, RADII, RECTANGLES


class LandsAgainstDict(RuleBasedStateMachine):
    """Overlapping lands included: the index does not forbid them, and must still be right."""

    def __init__(self) -> None:
        super().__init__()
        self.index = LandIndex()
        self.model: dict[str, Rectangle] = {}
        self.walker = LandWalker(self.index)

    @rule(land_id=KEYS, rect=RECTANGLES)
    def set_land(self, land_id: str, rect: Rectangle) -> None:
        self.index.set(land_id, rect)
        self.model[land_id] = rect

    @precondition(lambda self: self.model)
    @rule(data=st.data(), land_id=KEYS, to_the_right=st.booleans())
    def build_beside(self, data: st.DataObject, land_id: str, to_the_right: bool) -> None:
        beside = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        corner = (beside.right, beside.y) if to_the_right else (beside.x, beside.top)
        rect = Rectangle(*corner, 7, 7)
        if max(rect.right, rect.top) <= 1e9:
            self.set_land(land_id, rect)

    @rule(land_id=KEYS)
    def remove_land(self, land_id: str) -> None:
        assert self.index.remove(land_id) == self.model.pop(land_id, None)

    @rule(x=COORDINATES, y=COORDINATES)
    def which_holds(self, x: float, y: float) -> None:
        holders = [land_id for land_id, rect in self.model.items() if rect.contains(x, y)]
        assert self.index.at(x, y) == self.walker.at(x, y) == min(holders, default=None)
        assert self.index.intersecting(x, y, x, y) == sorted(holders)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def which_holds_a_corner(self, data: st.DataObject) -> None:
        rect = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        for x in (rect.x, rect.right):
            for y in (rect.y, rect.top):
                self.which_holds(x, y)

    @rule(x=COORDINATES, y=COORDINATES, steps=st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4))))
    def walk_across(self, x: float, y: float, steps: list[tuple[float, float]]) -> None:
        for dx, dy in steps:
            x, y = (max(-1e9, min(1e9, at + step)) for at, step in ((x, dx), (y, dy)))
            assert self.walker.at(x, y) == self.index.at(x, y)

    @rule(rect=RECTANGLES)
    def which_overlap(self, rect: Rectangle) -> None:
        expected = sorted(
            land_id
            for land_id, other in self.model.items()
            if max(rect.x, other.x) < min(rect.right, other.right)
            and max(rect.y, other.y) < min(rect.top, other.top)
        )
        assert self.index.overlapping(rect) == expected

    @rule(a=st.tuples(COORDINATES, COORDINATES), b=st.tuples(COORDINATES, COORDINATES))
    def which_lie_in_view(self, a: tuple[float, float], b: tuple[float, float]) -> None:
        x0, x1 = sorted((a[0], b[0]))
        y0, y1 = sorted((a[1], b[1]))
        expected = sorted(
            land_id
            for land_id, rect in self.model.items()
            # The first point of the land at or after the query's lower corner decides.
            if rect.contains(max(rect.x, x0), max(rect.y, y0))
            and max(rect.x, x0) <= x1
            and max(rect.y, y0) <= y1
        )
        assert self.index.intersecting(x0, y0, x1, y1) == expected

    @rule(x=COORDINATES, y=COORDINATES, radius=RADII)
    def which_are_near(self, x: float, y: float, radius: float) -> None:
        measured = [(distance_to_rectangle(x, y, rect), key) for key, rect in self.model.items()]
        expected = [key for away, key in sorted(measured) if away <= radius]
        assert self.index.within(x, y, radius) == expected

    @invariant()
    def it_holds_the_same_lands(self) -> None:
        assert {land_id: self.index.get(land_id) for land_id in self.index} == self.model
        assert len(self.index) == len(self.model)
        assert all(land_id in self.index for land_id in self.model)


LandsAgainstDict.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLandsAgainstDict = LandsAgainstDict.TestCase


class ManyLandsAgainstDict(LandsAgainstDict):
    """The same where a walker keeps two lands at most, and asks the tree where there are more."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = patch.object(lands, "KEPT", 2)
        self.patch.start()

    def teardown(self) -> None:
        self.patch.stop()


ManyLandsAgainstDict.TestCase.settings = LandsAgainstDict.TestCase.settings
TestManyLandsAgainstDict = ManyLandsAgainstDict.TestCase


@pytest.mark.parametrize("bad", [inf, nan, 2e9])
def test_a_walker_is_nowhere_else(bad: float) -> None:
    """What `at` refuses, a walker refuses."""
    walker = LandWalker(LandIndex())
    assert walker.at(0, 0) is None
    with pytest.raises(ValueError, match="coordinates"):
        walker.at(0, bad)


@pytest.fixture
def street() -> LandIndex:
    """Two lands side by side along x, and one beyond a gap."""
    index = LandIndex()
    index.set("west", Rectangle(0, 0, 10, 10))
    index.set("middle", Rectangle(10, 0, 10, 10))
    index.set("east", Rectangle(40, 0, 10, 10))
    return index


def test_a_shared_edge_belongs_to_the_land_that_begins_there(street: LandIndex) -> None:
    assert street.at(9.999, 5) == "west"
    assert street.at(10, 5) == "middle"
    assert street.at(20, 5) is None
    assert street.at(5, 10) is None


def test_touching_edges_are_no_overlap(street: LandIndex) -> None:
    assert street.overlapping(Rectangle(20, 0, 20, 10)) == []
    assert street.overlapping(Rectangle(19.5, 0, 20, 10)) == ["middle"]
    assert street.overlapping(Rectangle(0, 10, 60, 10)) == []


def test_a_view_shows_lands_that_begin_on_its_upper_edge_but_none_that_end_on_its_lower(
    street: LandIndex,
) -> None:
    assert street.intersecting(20, 0, 40, 10) == ["east"]
    assert street.intersecting(5, 5, 6, 6) == ["west"]
    assert street.intersecting(-100, -100, 100, 100) == ["east", "middle", "west"]


def test_lands_within_a_radius_come_nearest_first_then_by_id(street: LandIndex) -> None:
    assert street.within(41, 5, 21) == ["east", "middle"]
    assert street.within(10, 5, 0) == ["middle", "west"]
    assert street.within(25, 5, 5) == ["middle"]


def test_a_land_that_moves_leaves_nothing_behind(street: LandIndex) -> None:
    street.set("west", Rectangle(0, 100, 10, 10))
    assert street.at(5, 5) is None
    assert street.at(5, 105) == "west"
    assert street.remove("west") == Rectangle(0, 100, 10, 10)
    assert street.remove("west") is None
    assert street.at(5, 105) is None


@pytest.mark.parametrize(
    "rect",
    [
        Rectangle(nan, 0, 1, 1),
        Rectangle(0, 0, inf, 1),
        Rectangle(0, 0, 1, nan),
        Rectangle(1e9, 0, 1, 1),
        Rectangle(0, 0, 0, 1),
        Rectangle(0, 0, 1, -1),
        Rectangle(1e8, 0, 1e-9, 1),
    ],
)
def test_a_rectangle_that_holds_no_point_of_the_world_is_refused(street: LandIndex, rect: Rectangle) -> None:
    with pytest.raises(ValueError, match="expected"):
        street.set("west", rect)
    with pytest.raises(ValueError, match="expected"):
        street.overlapping(rect)
    assert street.at(5, 5) == "west"


def test_a_view_the_wrong_way_round_is_refused(street: LandIndex) -> None:
    with pytest.raises(ValueError, match="x0 <= x1"):
        street.intersecting(1, 0, 0, 1)
    with pytest.raises(ValueError, match="coordinates"):
        street.intersecting(0, 0, inf, 1)
    with pytest.raises(ValueError, match="radius"):
        street.within(0, 0, -1)
