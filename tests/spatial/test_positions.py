"""The position index against a dict that is searched from end to end."""

from __future__ import annotations

from math import inf, nan
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spatial import positions
from spatial.distance import distance, distance_to_rectangle
from spatial.positions import Hit, PositionIndex
from spatial.shapes import Box, Rectangle
from spatial.tree import BoxTree
from tests.spatial.strategies import COORDINATES, KEYS, RADII, RECTANGLES, UNUSABLE

Model = dict[str, tuple[float, float]]


def by_distance(model: Model, x: float, y: float) -> list[Hit]:
    hits = [Hit(key, *at, distance(x, y, *at)) for key, at in model.items()]
    return sorted(hits, key=lambda hit: (hit.distance, hit.key))


class PositionsAgainstDict(RuleBasedStateMachine):
    """Whatever people do, and in whatever order, the index answers as the dict does."""

    def __init__(self) -> None:
        super().__init__()
        self.index = PositionIndex()
        self.model: Model = {}

    @rule(key=KEYS, x=COORDINATES, y=COORDINATES)
    def appear_or_teleport(self, key: str, x: float, y: float) -> None:
        assert self.index.set(key, x, y) == self.model.get(key)
        self.model[key] = (x, y)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), steps=st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), max_size=6))
    def walk(self, data: st.DataObject, steps: list[tuple[float, float]]) -> None:
        key = data.draw(st.sampled_from(sorted(self.model)))
        for dx, dy in steps:
            x, y = self.model[key]
            to = (max(-1e9, min(1e9, x + dx)), max(-1e9, min(1e9, y + dy)))
            assert self.index.set(key, *to) == (x, y)
            self.model[key] = to

    @precondition(lambda self: self.model)
    @rule(data=st.data(), key=KEYS)
    def stand_where_another_stands(self, data: st.DataObject, key: str) -> None:
        at = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        self.index.set(key, *at)
        self.model[key] = at

    @rule(key=KEYS)
    def leave(self, key: str) -> None:
        assert self.index.remove(key) == self.model.pop(key, None)

    @rule(key=KEYS, x=UNUSABLE, y=COORDINATES, swap=st.booleans())
    def refused(self, key: str, x: float, y: float, swap: bool) -> None:
        with pytest.raises(ValueError, match="coordinates"):
            self.index.set(key, *((y, x) if swap else (x, y)))

    @rule(x=COORDINATES, y=COORDINATES, radius=RADII)
    def who_is_within(self, x: float, y: float, radius: float) -> None:
        expected = [hit for hit in by_distance(self.model, x, y) if hit.distance <= radius]
        assert self.index.within(x, y, radius) == expected

    @precondition(lambda self: self.model)
    @rule(data=st.data(), radius=st.one_of(RADII, st.floats(0, 10)))
    def who_is_around_somebody(self, data: st.DataObject, radius: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.model)))
        hits = by_distance(self.model, *self.model[key])
        assert self.index.around(key, radius) == [
            hit for hit in hits if hit.distance <= radius and hit.key != key
        ]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), other=KEYS)
    def the_edge_of_a_radius_is_inside(self, data: st.DataObject, other: str) -> None:
        x, y = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        if other in self.model:
            radius = distance(x, y, *self.model[other])
            assert other in [hit.key for hit in self.index.within(x, y, radius)]

    @rule(x=COORDINATES, y=COORDINATES, count=st.integers(-1, 30))
    def who_is_nearest(self, x: float, y: float, count: int) -> None:
        assert self.index.nearest(x, y, count) == by_distance(self.model, x, y)[: max(count, 0)]

    @rule(rect=RECTANGLES, radius=RADII)
    def who_is_near_a_rectangle(self, rect: Rectangle, radius: float) -> None:
        hits = [Hit(key, *at, distance_to_rectangle(*at, rect)) for key, at in self.model.items()]
        near = [hit for hit in hits if hit.distance <= radius]
        expected = sorted(near, key=lambda hit: (hit.distance, hit.key))
        assert self.index.within_rectangle(rect, radius) == expected

    @invariant()
    def it_holds_the_same_keys(self) -> None:
        assert sorted(self.index) == sorted(self.model)
        assert len(self.index) == len(self.model)
        assert all(key in self.index for key in self.model)
        assert {key: self.index.get(key) for key in self.index} == self.model


PositionsAgainstDict.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPositionsAgainstDict = PositionsAgainstDict.TestCase


class CrowdsAgainstDict(PositionsAgainstDict):
    """The same where three neighbours are a crowd, so that lists are given up and taken up again."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = patch.object(positions, "CROWD", 3)
        self.patch.start()

    def teardown(self) -> None:
        self.patch.stop()


CrowdsAgainstDict.TestCase.settings = PositionsAgainstDict.TestCase.settings
TestCrowdsAgainstDict = CrowdsAgainstDict.TestCase


@settings(deadline=None, max_examples=60)
@given(
    places=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=100, max_size=300),
    at=st.tuples(COORDINATES, COORDINATES),
    count=st.integers(1, 120),
    radius=RADII,
)
def test_a_tree_of_several_levels_answers_as_brute_force_does(
    places: list[tuple[float, float]], at: tuple[float, float], count: int, radius: float
) -> None:
    index = PositionIndex()
    model = {f"u{number}": place for number, place in enumerate(places)}
    for key, place in model.items():
        index.set(key, *place)
    for key in list(model)[::3]:
        del model[key]
        index.remove(key)
    expected = by_distance(model, *at)
    assert index.nearest(*at, count) == expected[:count]
    assert index.within(*at, radius) == [hit for hit in expected if hit.distance <= radius]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Box]:
    """What goes into a tree."""
    boxes: list[Box] = []
    plain_set = BoxTree.set
    monkeypatch.setattr(BoxTree, "set", lambda *args: (boxes.append(args[2]), plain_set(*args)))
    return boxes


def test_a_step_inside_the_margin_box_leaves_the_tree_alone(written: list[Box]) -> None:
    index = PositionIndex(margin=5)
    index.set("ann", 0, 0)
    for x in (1.0, -4.0, 5.0, 4.0):
        index.set("ann", x, 5)
    assert len(written) == 1
    assert index.within(4, 5, 0) == [Hit("ann", 4, 5, 0)]

    index.set("ann", 5.1, 0)
    assert len(written) == 2


def test_a_new_box_lies_ahead_of_one_who_walks(written: list[Box]) -> None:
    """By half of the margin, in the direction of the walk: so far again goes who walks on, and half is left behind."""
    index = PositionIndex(margin=4)
    index.set("ann", 0, 0)
    index.set("ann", -5, 2.5)  # in the middle of [-11, -3] and [-0.5, 7.5]
    for x, y in ((-10.9, 2.5), (-3.1, -0.4), (-5, 7.4)):
        index.set("ann", x, y)
    _, box = written
    assert box == pytest.approx((-11, -0.5, -3, 7.5))
    index.set("ann", -2.9, 2.5)
    assert len(written) == 3
    # However far the last step led, one stands well within the new box.
    index.set("ann", 1e9, -1e9)
    x0, y0, x1, y1 = written[-1]
    assert x0 + 2 <= 1e9 + 1e-6 <= x1 and y0 <= -1e9 <= y1 - 2 + 1e-6


def test_who_is_around_does_not_ask_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within reach, and while nobody leaves a box; beyond it the tree is asked."""
    index = PositionIndex(margin=5, reach=10)
    for number in range(20):
        index.set(f"u{number:02}", number * 4.0, 0)
    asked: list[Box] = []
    plain_touching = BoxTree.touching
    monkeypatch.setattr(BoxTree, "touching", lambda *args: (asked.append(args[1]), plain_touching(*args))[1])

    index.set("u10", 41, 1)
    assert [key for key, *_ in index.around("u10", 10)] == ["u10", "u11", "u09", "u12", "u08"][1:]
    assert asked == []
    assert len(index.around("u10", 10.5)) == 4
    assert len(asked) == 1


def test_nobody_without_a_position_has_anybody_around() -> None:
    """An error, and not an empty list, which would say that all is well."""
    with pytest.raises(KeyError):
        PositionIndex().around("ann", 1)


def test_positions_at_the_end_of_the_world_are_found() -> None:
    index = PositionIndex()
    index.set("far", 1e9, -1e9)
    index.set("near", 1e9 - 10, -1e9)
    assert index.within(1e9, -1e9, 10) == [Hit("far", 1e9, -1e9, 0), Hit("near", 1e9 - 10, -1e9, 10)]
    assert [hit.key for hit in index.nearest(-1e9, 1e9, 1)] == ["far"]


def test_neighbouring_doubles_are_told_apart() -> None:
    """Single precision anywhere on the way would make these two one place."""
    index = PositionIndex(margin=0)
    index.set("a", 1.0, 0)
    index.set("b", 1.0 + 2**-52, 0)
    assert [hit.key for hit in index.within(0, 0, 1)] == ["a"]


def test_ties_are_in_the_order_of_the_keys() -> None:
    index = PositionIndex()
    for key in "dbca":
        index.set(key, 3, 3)
    assert [hit.key for hit in index.nearest(0, 0, 3)] == ["a", "b", "c"]
    assert [hit.key for hit in index.within(0, 0, 3)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("bad", [inf, -inf, nan, 1.1e9])
def test_a_refused_position_leaves_the_one_before(bad: float) -> None:
    index = PositionIndex()
    index.set("ann", 1, 2)
    with pytest.raises(ValueError, match="coordinates"):
        index.set("ann", bad, 2)
    assert index.get("ann") == (1, 2)
    assert index.within(1, 2, 1) == [Hit("ann", 1, 2, 0)]


@pytest.mark.parametrize("bad", [inf, nan, -1.0])
def test_a_radius_that_is_none_is_refused(bad: float) -> None:
    index = PositionIndex()
    with pytest.raises(ValueError, match="radius"):
        index.within(0, 0, bad)
    with pytest.raises(ValueError, match="radius"):
        index.within_rectangle(Rectangle(0, 0, 1, 1), bad)
    with pytest.raises(ValueError, match="radius"):
        PositionIndex(margin=bad)


@pytest.mark.parametrize("bad", [inf, nan, 2e9])
def test_a_question_about_no_place_is_refused(bad: float) -> None:
    index = PositionIndex()
    with pytest.raises(ValueError, match="coordinates"):
        index.within(0, bad, 1)
    with pytest.raises(ValueError, match="coordinates"):
        index.nearest(bad, 0, 1)
