"""Everybody's neighbours at once: the grid of `spatial.neighbours` beside an R-tree that is loaded in bulk.

`python -m bench.neighbours` prints milliseconds for both, the best of several alternating runs, and checks that both find
the same. People stand at random, 20 within the radius of each.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
from rtree import index

from spatial.neighbours import Crowd

REACH: Final = 11.0
RUNS: Final = 9


def main() -> None:
    random = np.random.default_rng(1)
    print(f"{'people':>7} {'grid ms':>8} {'tree ms':>8} {'ratio':>6}")
    for people in (100, 1_000, 2_000, 10_000):
        places = random.random((people, 2)) * np.sqrt(people * 20.0)
        results = dict.fromkeys((grid, tree), (np.inf, 0))
        for _ in range(RUNS):
            for way in results:
                began = time.perf_counter()
                pairs = way(places)
                results[way] = min(results[way], (time.perf_counter() - began, pairs))
        (ours, found), (others, expected) = results.values()
        assert found == expected, (found, expected)
        print(f"{people:7} {ours * 1e3:8.2f} {others * 1e3:8.2f} {others / ours:6.1f}")


def grid(places: Any) -> int:
    x, y = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
    world, reach = np.zeros(len(x), dtype=np.int64), np.full(len(x), REACH)
    return len(Crowd(x, y, world).within(x, y, world, reach)[0])


def tree(places: Any) -> int:
    loaded = index.Index((np.arange(len(places)), places, places))
    return len(loaded.intersection_v(places - REACH, places + REACH)[0])


if __name__ == "__main__":
    main()
