"""Rates, driven with values: buckets, and throttles by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import Admission, Throttle, TokenBucket


def test_a_full_bucket_gives_its_burst_at_once() -> None:
    """Then it tells the wait, and a refusal costs nothing."""
    bucket = TokenBucket(rate=2.0, burst=3.0, now=100.0)
    assert [bucket.take(1, 100.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert bucket.take(1, 100.5) == 0
    assert bucket.take(2, 100.5) == 1.0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """However long it was left alone."""
    bucket = TokenBucket(rate=2.0, burst=3.0, now=0.0)
    assert bucket.wait(3, 1e9) == 0
    assert bucket.wait(4, 1e9) == 0.5


@given(
    rate=st.floats(0.1, 100),
    burst=st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 5)), max_size=50),
)
def test_what_is_taken_stays_within_burst_and_rate(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    """In any time from the start; and after the wait that was told, there is enough."""
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0.0
    for pause, cost in steps:
        now += pause
        wait = bucket.take(cost, now)
        if not wait:
            taken += cost
        elif cost <= burst:
            now += wait * 1.000001 + 1e-9
            assert bucket.take(cost, now) == 0
            taken += cost
        assert taken <= burst + rate * now + 1e-6


def test_keys_do_not_wait_for_each_other() -> None:
    """Each has a bucket of its own; asking for the wait takes nothing."""
    throttle = Throttle(rate=1.0, burst=1.0)
    assert throttle.wait("a", 0.0) == 0
    assert throttle.take("a", 0.0) == 0
    assert throttle.wait("a", 0.0) == throttle.take("a", 0.0) == 1.0
    assert throttle.take("b", 0.0) == 0
    assert throttle.take("a", 1.0) == 0


@pytest.mark.parametrize(("used", "forgotten"), [("a", "b"), ("b", "a")])
def test_the_least_recently_used_key_is_forgotten(used: str, forgotten: str) -> None:
    """It starts with a full burst again; so memory is bounded."""
    throttle = Throttle(rate=0.001, burst=2.0, size=2)
    for key in (forgotten, forgotten, used, used, used):
        throttle.take(key, 0.0)
    throttle.take("c", 0.0)
    assert throttle.wait(used, 0.0) > 0
    assert throttle.wait(forgotten, 0.0) == 0
    assert [throttle.take(forgotten, 0.0) for _ in range(2)] == [0, 0]


@given(rate=st.floats(1, 1_000), burst=st.floats(1, 100), crowd=st.integers(1, 300))
def test_a_crowd_that_comes_back_as_told_is_let_in(rate: float, burst: float, crowd: int) -> None:
    """Each is told another time, one after the other, and nobody is sent away twice."""
    admission = Admission(rate, burst, 0.0)
    told = [wait for _ in range(crowd) if (wait := admission.take(0.0))]
    assert len(told) == max(0, crowd - int(burst))
    assert len(set(told)) == len(told)
    assert sorted(told) == told
    assert [admission.take(turn) for turn in told] == [0] * len(told)


def test_those_who_come_for_the_first_time_find_room_beside_a_queue() -> None:
    """A tenth more, evenly, while a crowd comes back: at most a few of all are told to wait again."""
    admission = Admission(rate=100.0, burst=20.0, now=0.0)
    told = [wait for _ in range(520) if (wait := admission.take(0.0))]
    coming = sorted([*told, *(number / 10 for number in range(5, 60))])
    assert sum(admission.take(turn) > 0 for turn in coming) < 5
