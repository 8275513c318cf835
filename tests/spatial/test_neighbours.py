"""Everybody's neighbours at once are what measuring every pair finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatial.distance import distance
from spatial.neighbours import Crowd

# Near together, so that many are near each other; at the ends of the world; and on the edges of cells.
COORDINATES = st.one_of(
    st.floats(-40, 40),
    st.sampled_from([-1e9, 1e9, -5.5, 0.0, 5.5, 11.0, 1e9 - 10]),
    st.integers(-4, 4).map(float),
)
PLACES = st.lists(st.tuples(COORDINATES, COORDINATES, st.integers(0, 2)), max_size=30)


def arrays(places: list[tuple[float, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = list(zip(*places, strict=True)) or [(), (), ()]
    return np.array(columns[0], float), np.array(columns[1], float), np.array(columns[2], np.int64)


@given(PLACES, st.lists(st.tuples(COORDINATES, COORDINATES, st.integers(0, 2), st.floats(0, 60)), max_size=8))
def test_whoever_is_within_reach_is_found_and_nobody_else(places, askers) -> None:
    """In one's own world, at a distance of at most one's reach, with that distance."""
    reach = np.array([asker[3] for asker in askers], float)
    found = Crowd(*arrays(places)).within(*arrays([asker[:3] for asker in askers]), reach)
    expected = {
        (number, place): away
        for number, (x, y, world, radius) in enumerate(askers)
        for place, (px, py, other) in enumerate(places)
        if other == world and (away := distance(x, y, px, py)) <= radius
    }
    triples = list(zip(*(part.tolist() for part in found), strict=True))
    assert {(asker, place): away for asker, place, away in triples} == expected
    assert len(triples) == len(expected)
    assert [asker for asker, *_ in triples] == sorted(asker for asker, *_ in triples)
