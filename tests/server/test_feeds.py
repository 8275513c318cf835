"""What each watcher is told: within the budget, the nearest first, nobody forgotten, and in the end the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from server.feeds import FRAME_BYTES, LEFT_BYTES, Feeds
from spatial.interest import Interest, slots_of, watches_of

TICKS = 10
RADIUS = 10.0
MOVED_BYTES, ENTERED_BYTES = 70, 130


class Watchers:
    """People who all watch, and what each of them knows: every name in view, and the place that was told last."""

    def __init__(self, count: int, budget: float) -> None:
        self.budget = budget
        self.interest = Interest()
        self.feeds = Feeds(budget, TICKS)
        self.places = {f"person-{number}": (0.0, 0.0) for number in range(count)}
        self.watches = {name: self.interest.watch(name, RADIUS) for name in self.places}
        self.names = {watch: name for name, watch in self.watches.items()}
        for watch in self.watches.values():
            self.feeds.begin(watch, RADIUS, budget)
        self.known: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in self.places}
        # Of some watchers, the step at which what is known of somebody was true last.
        self.aged = set(list(self.places)[::17])
        self.true_at: dict[str, dict[str, int]] = {name: {} for name in self.aged}
        self.bytes: dict[str, list[int]] = {name: [] for name in self.places}
        self.snapshots: list[str] = []

    def put(self, name: str, x: float, y: float) -> None:
        self.places[name] = (x, y)
        self.interest.place(name, 0, x, y)

    def leave(self, name: str) -> None:
        """For good; the watch is over with it."""
        watch = self.watches.pop(name)
        self.interest.unwatch(watch)
        self.feeds.end(watch)
        self.interest.remove(name)
        del self.names[watch], self.places[name], self.known[name]

    def tick(self, behind: list[str] = []) -> None:  # noqa: B006
        interest = self.interest
        interest.step(lambda key: True)
        sizes = np.ones(len(interest.moved), dtype=np.int64)
        mute = [self.watches[name] for name in behind]
        plan = self.feeds.plan(interest, mute, sizes * MOVED_BYTES, sizes * ENTERED_BYTES)
        spent = dict.fromkeys(self.known, 0)
        for watch in plan.new:
            self.snapshots.append(self.names[watch])
        for codes, size in (
            (plan.left, LEFT_BYTES),
            (plan.entered, ENTERED_BYTES),
            (plan.moved, MOVED_BYTES),
        ):
            for watch, slot in zip(watches_of(codes).tolist(), slots_of(codes).tolist(), strict=True):
                name, other = self.names[watch], interest.keys[slot]
                assert name not in behind
                spent[name] += size
                assert (other in self.known[name]) == (size != ENTERED_BYTES)
                if size == LEFT_BYTES:
                    del self.known[name][other]
                else:
                    self.known[name][other] = (float(interest.x[slot]), float(interest.y[slot]))
        for name, size in spent.items():
            self.bytes[name].append(size + FRAME_BYTES if size else 0)
        for name in self.aged & self.known.keys():
            for other, place in self.known[name].items():
                if place == self.places.get(other):
                    self.true_at[name][other] = interest.steps
        interest.reclaim(self.feeds.told)

    def in_view(self, name: str) -> dict[str, tuple[float, float]]:
        """By the index, which has tests of its own."""
        pairs = self.interest.pairs
        mine = slots_of(pairs[watches_of(pairs) == self.watches[name]])
        return {self.interest.keys[slot]: self.places[self.interest.keys[slot]] for slot in mine}

    def check_budget(self) -> None:
        """Over no span of ticks more than the budget for it, a second's worth that was saved, and one tick's."""
        for name, sizes in self.bytes.items():
            sums = np.cumsum([0, *sizes])
            for start in range(len(sums)):
                spans = np.arange(len(sums) - start)
                most = self.budget * (1 + (spans + 1) / TICKS) + ENTERED_BYTES + FRAME_BYTES
                assert (sums[start:] - sums[start] <= most).all(), (name, start)


def crowd(count: int, budget: float, place: Callable[[int], tuple[float, float]]) -> Watchers:
    watchers = Watchers(count, budget)
    for number, name in enumerate(watchers.places):
        watchers.put(name, *place(number))
    return watchers


def test_news_is_told_once_to_each() -> None:
    """Where the budget allows it: who entered, who moved, who left, and nothing where nothing changed."""
    watchers = crowd(20, 65_536, lambda number: (number, 0))
    watchers.tick()
    assert sorted(watchers.snapshots) == sorted(watchers.places)
    watchers.tick()
    assert all(sizes[1] == 0 for sizes in watchers.bytes.values())
    watchers.put("person-0", 0.5, 0)
    watchers.tick()
    assert [name for name, sizes in watchers.bytes.items() if sizes[2]] == [
        f"person-{n}" for n in range(1, 11)
    ]
    watchers.leave("person-5")
    watchers.tick()
    assert all("person-5" not in known for known in watchers.known.values())
    assert all(known == watchers.in_view(name) for name, known in watchers.known.items())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32).map(Random), st.sampled_from([3_000.0, 10_000.0, 65_536.0]))
def test_in_the_end_everybody_knows_what_is_in_view(random: Random, budget: float) -> None:
    """Whatever the crowd did, whoever was behind or left, and within the budget all along."""
    watchers = crowd(40, budget, lambda number: (random.uniform(0, 25), 0))
    behind: list[str] = []
    for _ in range(40):
        for name, (x, y) in list(watchers.places.items()):
            if random.random() < 0.02 and len(watchers.places) > 10:
                behind = [other for other in behind if other != name]
                watchers.leave(name)
            elif random.random() < 0.7:
                watchers.put(name, x + random.uniform(-1, 1), y + random.uniform(-1, 1))
        if random.random() < 0.3:
            behind = [name for name in watchers.places if random.random() < 0.2]
        watchers.tick(behind)
    for _ in range(math.ceil(40 * ENTERED_BYTES / budget * TICKS * 4) + 2):
        watchers.tick()
    for name, known in watchers.known.items():
        assert known == watchers.in_view(name)
    watchers.check_budget()


def test_of_a_crowd_the_nearest_are_told_at_every_tick_and_nobody_is_forgotten() -> None:
    """Three hundred, half of whom move at every tick and half now and then, for a budget that is a sixth of it and
    watchers who are behind at times: what is known of anybody is never older than six seconds, and of those next
    to one it is never old at all."""
    random = Random(1)
    watchers = crowd(300, 32_768, lambda number: (number % 18 / 2, number // 18 / 2))
    for tick in range(160):
        for number, (name, (x, y)) in enumerate(watchers.places.items()):
            if number % 2 or random.random() < 0.05:
                watchers.put(name, x + random.uniform(-0.01, 0.01), y)
        behind = [name for name in watchers.aged if random.random() < 0.05]
        watchers.tick(behind)
        if tick < 50:
            continue
        for name in watchers.aged:
            known, true_at = watchers.known[name], watchers.true_at[name]
            assert known.keys() == watchers.places.keys() - {name}
            assert min(true_at[other] for other in known) > watchers.interest.steps - 6 * TICKS
            x, y = watchers.places[name]
            near = [
                other for other, (ox, oy) in watchers.places.items() if max(abs(ox - x), abs(oy - y)) < 0.6
            ]
            if name not in behind:
                assert all(true_at[other] == watchers.interest.steps for other in near if other != name)
    watchers.check_budget()


def test_a_thousand_on_one_spot_stay_within_the_budget() -> None:
    """And each knows all of them within some seconds, none of the places older than three."""
    watchers = crowd(1_000, 65_536, lambda number: (0, 0))
    for tick in range(70):
        for number, name in enumerate(watchers.places):
            watchers.put(name, tick / 1000, number / 1e6)
        watchers.tick()
    for name in watchers.aged:
        assert watchers.known[name].keys() == watchers.places.keys() - {name}
        assert min(watchers.true_at[name].values()) > watchers.interest.steps - 3 * TICKS
    watchers.check_budget()


def test_turns_are_even_whoever_came_before_whom() -> None:
    """Of two crowds that came by turns one goes away: those who are left do not have their turns at once."""
    watchers = crowd(640, 65_536, lambda number: (0, 0) if number % 16 == 0 else (500, 0))
    near = list(watchers.places)[::16]
    watchers.feeds._most, watchers.feeds._a_tick = 4_096.0, 409.6
    for tick in range(120):
        for number, name in enumerate(near):
            watchers.put(name, tick / 1000, number / 1e6)
        watchers.tick()
    for name in near:
        assert watchers.known[name].keys() == {*near} - {name}
        assert max(watchers.bytes[name][60:]) < 3 * 409.6
