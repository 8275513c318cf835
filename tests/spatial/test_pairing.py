"""Pairing against its rule, on crowds that hurt: on one spot, on a line, at the edge, with blocks and with jitter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from unittest.mock import patch

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial import pairing
from spatial.distance import distance
from spatial.pairing import LEAVE, PEERS, STAY, STEPS, Pair, pair

RADIUS = 10.0
STEP = RADIUS / STEPS
Places = dict[str, tuple[float, float]]
KEYS = [f"{number:02}" for number in range(24)]
NEARBY = st.one_of(
    st.sampled_from([0.0, 0.1, STEP, 1.0, RADIUS, RADIUS * LEAVE, -RADIUS]),
    st.floats(-1, 1),
    st.floats(-12, 12),
    st.floats(-40, 40),
)
CROWDS = st.dictionaries(st.sampled_from(KEYS), st.tuples(NEARBY, NEARBY), max_size=24)
PAIRS = st.sets(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).filter(lambda two: two[0] < two[1]))
# More than have a place: of those nearly as near some are taken and some are not.
PACKED = st.dictionaries(
    st.sampled_from(KEYS[:12]), st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=9, max_size=12
)
TOO_MANY = st.sets(st.sampled_from(list(combinations(KEYS[:10], 2))), min_size=35)
BLOCKS = st.sets(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).filter(lambda two: two[0] < two[1]), max_size=20
)
TAKEN = st.dictionaries(st.sampled_from(KEYS), st.integers(0, PEERS), max_size=4)


def both_ways(blocks: set[Pair]) -> dict[str, set[str]]:
    apart: dict[str, set[str]] = {}
    for a, b in blocks:
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    return apart


def peers_of(pairs: set[Pair], key: str) -> list[str]:
    return [b if a == key else a for a, b in pairs if key in (a, b)]


def away(places: Places, a: str, b: str) -> float:
    return distance(*places[a], *places[b])


def follows_the_rule(
    places: Places, blocks: set[Pair], before: set[Pair], taken: Mapping[str, int], pairs: set[Pair]
) -> None:
    """All that the function promises of one answer."""
    for a, b in pairs:
        assert a < b and (a, b) not in blocks
        assert away(places, a, b) <= (RADIUS * LEAVE if (a, b) in before else RADIUS)
    peers = {key: peers_of(pairs, key) for key in places}
    full = {key for key in places if len(peers[key]) + taken.get(key, 0) >= PEERS}
    for key in places:
        assert len(peers[key]) <= max(0, PEERS - taken.get(key, 0))
    for a, b in combinations(sorted(places), 2):
        if (a, b) in pairs or (a, b) in blocks or away(places, a, b) > RADIUS:
            continue
        # They are not paired, so one of them has no place, and none of its peers is much farther away.
        assert any(
            key in full
            and all(
                away(places, key, peer)
                <= away(places, a, b) + STEP * (2 + (STAY if tuple(sorted((key, peer))) in before else 0))
                for peer in peers[key]
            )
            for key in (a, b)
        ), (a, b)


@given(places=CROWDS, blocks=BLOCKS, before=PAIRS, taken=TAKEN)
@settings(max_examples=400, deadline=None)
def test_the_nearest_come_first(
    places: Places, blocks: set[Pair], before: set[Pair], taken: dict[str, int]
) -> None:
    """At most six each; two with a free place are together; nobody is passed over for somebody farther."""
    pairs = pair(places, both_ways(blocks), before, taken, RADIUS)
    follows_the_rule(places, blocks, before, taken, pairs)


@given(places=CROWDS, blocks=BLOCKS, before=PAIRS, taken=TAKEN)
@settings(max_examples=200, deadline=None)
def test_the_ways_to_look_around_agree(
    places: Places, blocks: set[Pair], before: set[Pair], taken: dict[str, int]
) -> None:
    """Through a list of those around or over the grid, each way the rule holds, also where both are in use."""
    for few in (0, 3, 30):
        with patch.object(pairing, "FEW", few):
            pairs = pair(places, both_ways(blocks), before, taken, RADIUS)
        follows_the_rule(places, blocks, before, taken, pairs)


@given(
    places=st.one_of(CROWDS, PACKED),
    blocks=BLOCKS,
    before=st.one_of(PAIRS, TOO_MANY),
    taken=TAKEN,
    order=st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_the_same_gives_the_same(
    places: Places, blocks: set[Pair], before: set[Pair], taken: dict[str, int], order: object
) -> None:
    """In whatever order it is told; and asked again with what it said, it says that again."""
    apart = both_ways(blocks)
    pairs = pair(places, apart, before, taken, RADIUS)
    keys = list(places)
    order.shuffle(keys)  # type: ignore[attr-defined]
    assert pair({key: places[key] for key in keys}, apart, list(before)[::-1], taken, RADIUS) == pairs
    assert pair(places, apart, pairs, taken, RADIUS) == pairs


@given(places=st.one_of(CROWDS, PACKED), data=st.data())
@settings(deadline=None)
def test_those_who_hardly_move_stay_together(places: Places, data: st.DataObject) -> None:
    """However often everybody takes less than a step from where they stand, nobody changes partners."""
    assume(not any(RADIUS < away(places, a, b) < RADIUS + 2 * STEP for a, b in combinations(places, 2)))
    pairs = first = pair(places, {}, (), {}, RADIUS)
    for _ in range(4):
        pairs = pair(jittered(places, data), {}, pairs, {}, RADIUS)
        assert pairs == first


@given(places=st.one_of(CROWDS, PACKED), before=PAIRS, data=st.data())
@settings(deadline=None)
def test_swaying_to_and_fro_comes_to_rest(places: Places, before: set[Pair], data: st.DataObject) -> None:
    """Also at the edge of the radius, and after whatever was before: two states alternate, the pairs do not."""
    here, there = jittered(places, data), jittered(places, data)
    pairs = before
    for _ in range(30):
        pairs = pair(there, {}, pair(here, {}, pairs, {}, RADIUS), {}, RADIUS)
    assert pair(here, {}, pairs, {}, RADIUS) == pairs


def jittered(places: Places, data: st.DataObject) -> Places:
    jitter = st.tuples(*[st.floats(-0.999 * STEP, 0.999 * STEP)] * 2)
    moved = {}
    for key, (x, y) in places.items():
        dx, dy = data.draw(jitter)
        moved[key] = (x + dx, y + dy)
    return moved


def test_a_newcomer_displaces_nobody_for_being_a_little_nearer() -> None:
    """The person in the middle keeps the six there are, until the seventh is nearer by more than the steps that hold."""
    ring: Places = {f"r{number}": (3.0, number * 0.01) for number in range(6)}
    apart = both_ways(set(combinations(sorted(["new", *ring]), 2)))
    places: Places = {"middle": (0.0, 0.0), **ring}
    pairs = pair(places, apart, (), {}, RADIUS)
    assert sorted(peers_of(pairs, "middle")) == sorted(ring)
    a_little = 3.0 - STAY * STEP
    assert pair({**places, "new": (-a_little, 0.0)}, apart, pairs, {}, RADIUS) == pairs
    much = a_little - 2 * STEP
    assert "new" in peers_of(pair({**places, "new": (-much, 0.0)}, apart, pairs, {}, RADIUS), "middle")


def test_a_pair_parts_later_than_it_comes_together() -> None:
    """In at the radius, out above 1.1 of it."""

    def pairs(x: float, before: set[Pair]) -> set[Pair]:
        return pair({"a": (0.0, 0.0), "b": (x, 0.0)}, {}, before, {}, RADIUS)

    both = {("a", "b")}
    assert pairs(RADIUS, set()) == both
    assert pairs(10.001, set()) == set()
    assert pairs(10.999, both) == both
    assert pairs(11.001, both) == set()


def test_who_is_apart_parts() -> None:
    """A pair that there was, and that may not be any more, is gone, and the places are others'."""
    places: Places = dict.fromkeys(KEYS[: PEERS + 2], (0.0, 0.0))
    pairs = pair(places, {}, (), {}, RADIUS)
    a, b = min(pairs)
    after = pair(places, both_ways({(a, b)}), pairs, {}, RADIUS)
    follows_the_rule(places, {(a, b)}, pairs, {}, after)


class Asked(dict[str, Collection[str]]):
    """Nobody is apart from anybody; how often that was asked."""

    times = 0

    def get(self, key: str, default: object = None) -> Collection[str]:  # type: ignore[override]
        self.times += 1
        return ()


def crowds(count: int) -> Iterator[Places]:
    """On one spot; two spots at a distance; packed closely; and in a line."""
    keys = [f"{number:04}" for number in range(count)]
    yield dict.fromkeys(keys, (1.0, 1.0))
    yield {key: (0.0, 9.0 * (number % 2)) for number, key in enumerate(keys)}
    yield {key: (number % 32 * 0.3, number // 32 * 0.3) for number, key in enumerate(keys)}
    yield {key: (number * 0.01, 0.0) for number, key in enumerate(keys)}


def test_a_crowd_is_not_a_square() -> None:
    """Of the half million pairs of a thousand people, a few for each are looked at, at first and later; all are served."""
    for places in crowds(1000):
        apart = Asked()
        pairs = pair(places, apart, (), {}, RADIUS)
        assert apart.times < 4 * len(places)
        lonely = [key for key in places if len(peers_of(pairs, key)) < PEERS]
        assert len(lonely) <= PEERS * 4
        apart.times = 0
        assert pair(places, apart, pairs, {}, RADIUS) == pairs
        assert apart.times < 4 * len(places)
