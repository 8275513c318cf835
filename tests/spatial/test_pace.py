"""Speed: which steps are possible, and what a refused one changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spatial.distance import distance
from spatial.pace import EARLY, WORLDS, Pace


def test_the_first_place_is_free_and_then_time_is_needed() -> None:
    """Five units a second: a second's worth of them may come early, once."""
    pace = Pace(5)
    assert pace.step("main", 1e9, -1e9, 100.0) is None
    assert pace.step("main", 1e9, -1e9 + 5, 100.0) is None
    assert pace.step("main", 1e9, -1e9 + 5.5, 100.0) == 0
    assert pace.step("main", 1e9, -1e9 + 15, 102.0) is None


def test_a_refused_step_changes_nothing() -> None:
    """One is still where one was, and waiting makes the same step possible."""
    pace = Pace(5)
    pace.step("main", 0, 0, 0.0)
    assert pace.step("main", 100, 0, 1.0) == 10
    assert pace.step("main", 0, 0, 1.0) is None
    assert pace.step("main", 100, 0, 18.9) is not None
    assert pace.step("main", 100, 0, 20.0) is None


def test_who_stands_still_saves_no_more_than_the_early_second() -> None:
    """Reports from one place, for an hour, are no run-up for a jump."""
    pace = Pace(5)
    for second in range(3600):
        assert pace.step("main", 0, 0, float(second)) is None
    assert pace.step("main", 5 * (EARLY + 1) + 0.1, 0, 3600.0) is not None
    assert pace.step("main", 5 * (EARLY + 1), 0, 3600.0) is None


def test_a_detour_through_another_world_is_no_short_cut() -> None:
    """Its first place is free; back again, one is measured from where one left."""
    pace = Pace(5)
    pace.step("main", 0, 0, 0.0)
    assert pace.step("moon", 1e6, 1e6, 0.0) is None
    assert pace.step("main", 1000, 0, 1.0) is not None
    assert pace.step("moon", 1e6 + 1, 1e6, 1.0) is None
    assert pace.step("main", 10, 0, 1.0) is None


def test_of_many_worlds_the_latest_are_known() -> None:
    """Their names come from clients: nobody fills the memory with them."""
    pace = Pace(5)
    for world in range(1000):
        pace.step(str(world), 0, 0, 0.0)
    assert pace.step(str(1000 - WORLDS), 1e6, 0, 0.0) is not None
    assert pace.step(str(1000 - WORLDS - 1), 1e6, 0, 0.0) is None


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-40, 40), st.floats(-40, 40)), max_size=30))
def test_nobody_gets_farther_than_the_speed_allows(steps: list[tuple[float, float, float]]) -> None:
    """Whatever is tried, and however the steps are cut: the way is at most speed by time, and the early second."""
    pace, now, here, way = Pace(5), 0.0, (0.0, 0.0), 0.0
    pace.step("main", *here, now)
    for seconds, x, y in steps:
        now += seconds
        if pace.step("main", x, y, now) is None:
            way += distance(*here, x, y)
            here = (x, y)
    assert way <= 5 * (now + EARLY) + 1e-6
