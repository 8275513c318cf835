"""Numbers that hurt an index: equal ones, neighbouring ones, tiny, huge, and steps that just leave a box."""

from __future__ import annotations

from math import inf, nan, nextafter

from hypothesis import strategies as st

from spatial.shapes import LIMIT, Rectangle

COORDINATES = st.one_of(
    st.integers(-20, 20).map(float),
    st.floats(-50, 50),
    st.floats(-LIMIT, LIMIT),
    st.floats(LIMIT - 30, LIMIT),
    st.sampled_from([0.0, -0.0, 5e-324, 0.1, nextafter(10, inf), nextafter(10, 0), LIMIT, -LIMIT]),
)
RADII = st.one_of(
    st.integers(0, 60).map(float),
    st.floats(0, 60),
    st.floats(0, 4 * LIMIT),
    st.sampled_from([0.0, 5e-324, 10.0, 1e308]),
)
UNUSABLE = st.sampled_from([inf, -inf, nan, nextafter(LIMIT, inf), -2 * LIMIT, 1e308])
KEYS = st.sampled_from("abcdefghijklmnopqrstuvwx")


def _fits(rect: Rectangle) -> bool:
    return rect.x < rect.right <= LIMIT and rect.y < rect.top <= LIMIT


RECTANGLES = st.builds(
    Rectangle,
    COORDINATES,
    COORDINATES,
    st.one_of(st.integers(1, 30).map(float), st.floats(0.001, 1_000)),
    st.one_of(st.integers(1, 30).map(float), st.floats(0.001, 1_000)),
).filter(_fits)
