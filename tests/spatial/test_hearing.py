"""Gain and pan: in their range, never louder for being farther, and the same or mirrored seen from the other end."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from spatial.distance import distance
from spatial.hearing import NEAR, gain, pan
from spatial.pairing import LEAVE

RADII = st.floats(0.5, 100)
WAYS = st.one_of(st.floats(-20, 20), st.floats(-2e9, 2e9), st.sampled_from([0.0, -0.0, 5e-324, -1e-300, 2e9]))


@given(a=st.floats(0, 300), b=st.floats(0, 300), radius=RADII)
def test_nobody_is_louder_for_being_farther(a: float, b: float, radius: float) -> None:
    """From 1 down to 0."""
    near, far = sorted((a, b))
    assert 0 <= gain(far, radius) <= gain(near, radius) <= 1


@given(radius=RADII)
def test_as_loud_as_can_be_near_and_silent_where_pairs_part(radius: float) -> None:
    """And hardly to be heard where they begin."""
    assert gain(0, radius) == gain(NEAR * radius, radius) == 1
    assert gain(LEAVE * radius, radius) == gain(2 * radius, radius) == 0
    assert 0 < gain(radius, radius) < 0.02


@given(away=st.floats(0, 200), step=st.floats(0, 0.01), radius=RADII)
def test_a_small_step_changes_the_gain_a_little(away: float, step: float, radius: float) -> None:
    """There is no distance at which somebody pops up or falls silent: at most 2 for each radius walked."""
    change = gain(away, radius) - gain(away + step * radius, radius)
    assert 0 <= change <= 2.01 * step + 1e-12


@given(dx=WAYS, dy=WAYS, radius=RADII)
@example(dx=5e-324, dy=5e-324, radius=10)
def test_left_and_right_change_places_with_the_two(dx: float, dy: float, radius: float) -> None:
    """Who hears the other on the right is heard on the left, just as loud; straight ahead is the middle."""
    assert -1 <= pan(dx, dy, radius) <= 1
    assert pan(-dx, -dy, radius) == -pan(dx, dy, radius)
    assert pan(dx, -dy, radius) == pan(dx, dy, radius)
    assert pan(0, dy, radius) == 0
    assert gain(distance(0, 0, dx, dy), radius) == gain(distance(dx, dy, 0, 0), radius)


@given(dx=st.floats(1, 50), dy=WAYS, radius=st.floats(1, 10))
def test_the_side_is_that_of_x(dx: float, dy: float, radius: float) -> None:
    """Positive x is right; all the way where there is no more of y."""
    assert pan(dx, dy, radius) > 0 > pan(-dx, dy, radius)
    assert pan(dx, 0, radius) == 1


@given(dx=st.floats(-1, 1), step=st.floats(-0.01, 0.01), dy=st.floats(-1, 1))
def test_walking_through_somebody_turns_the_side_smoothly(dx: float, step: float, dy: float) -> None:
    """Within a radius of 10 a hundredth of a unit moves nobody by more than about as much."""
    assert abs(pan(dx + step, dy, 10) - pan(dx, dy, 10)) <= 2 * abs(step) + 1e-9
