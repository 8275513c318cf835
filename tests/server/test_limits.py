"""Rates, driven with values: buckets, and throttles by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import Admission, Failures, SignInThrottle, Throttle, TokenBucket, take_all


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
    """Each has a bucket of its own."""
    throttle = Throttle(rate=1.0, burst=1.0)
    assert throttle.take("a", 0.0) == 0
    assert throttle.take("a", 0.0) == 1.0
    assert throttle.take("b", 0.0) == 0
    assert throttle.take("a", 1.0) == 0


@pytest.mark.parametrize(("used", "forgotten"), [("a", "b"), ("b", "a")])
def test_the_least_recently_used_key_is_forgotten(used: str, forgotten: str) -> None:
    """It starts with a full burst again; so memory is bounded."""
    throttle = Throttle(rate=0.001, burst=2.0, size=2)
    for key in (forgotten, forgotten, used, used, used):
        throttle.take(key, 0.0)
    throttle.take("c", 0.0)
    assert throttle.take(used, 0.0) > 0
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


def test_of_several_buckets_all_are_charged_or_none() -> None:
    """The longest wait is told; what is refused costs none of them."""
    own, shared = TokenBucket(1.0, 2.0, 0.0), TokenBucket(0.5, 3.0, 0.0)
    assert take_all((own, shared), 2, 0.0) == 0
    assert take_all((own, shared), 2, 0.0) == 2.0
    assert take_all((own, shared), 2, 2.0) == 0
    assert shared.wait(1, 2.0) == 2.0
    assert take_all((own, shared), 1, 3.0) == 1.0
    assert take_all((), 1, 0.0) == 0


def test_each_failure_doubles_the_wait() -> None:
    """After the free ones, from one second up; and no wait is longer than the longest."""
    failures, now, waits = Failures(free=3, longest=1000.0), 0.0, []
    for _ in range(12):
        failures.fail("a", now)
        waits.append(failures.wait("a", now))
        now += waits[-1]
        assert failures.wait("a", now) == 0
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert failures.wait("b", now) == 0
    for _ in range(5_000):
        failures.fail("a", now)
    assert failures.wait("a", now) == 1000.0


def test_guessing_on_for_ever_is_slow_for_ever() -> None:
    """Somebody who tries whenever the wait is over: the longest wait is the rate, give or take the start."""
    failures, now, tries = Failures(free=10, longest=300.0), 0.0, 0
    while now < 86_400:
        failures.fail("a", now)
        tries += 1
        now += failures.wait("a", now)
    assert 288 <= tries < 320


def test_failures_are_forgiven_with_time() -> None:
    """One in each `longest`, or all at once by a success; one that was none is taken back."""
    failures = Failures(free=2, longest=100.0)
    for _ in range(3):
        failures.fail("a", 0.0)
    assert failures.wait("a", 0.0) == 2.0
    failures.fail("a", 250.0)  # the second by now
    assert failures.wait("a", 250.0) == 1.0
    failures.take_back("a", 250.0)
    assert failures.wait("a", 250.0) == 0
    failures.fail("a", 250.0)
    assert failures.wait("a", 250.0) == 1.0
    failures.forgive("a")
    failures.fail("a", 250.0)
    assert failures.wait("a", 250.0) == 0


def test_failures_are_kept_of_so_many_keys() -> None:
    """The least recently failed is forgotten; so memory is bounded."""
    failures = Failures(free=1, longest=100.0, size=2)
    for key in ("a", "b", "a", "c"):
        failures.fail(key, 0.0)
    assert [failures.wait(key, 0.0) > 0 for key in ("a", "b", "c")] == [True, False, True]


def test_guesses_at_one_time_count_before_they_are_judged() -> None:
    """Else a hundred at once would be one."""
    throttle = SignInThrottle(account_free=3, address_free=100, longest=60.0)
    assert [throttle.begin("ann", f"address {number}", 0.0) for number in range(5)] == [
        (0, ""),
        (0, ""),
        (0, ""),
        (1.0, "account"),
        (1.0, "account"),
    ]


def test_an_address_that_tries_many_accounts_waits() -> None:
    """Signing in somewhere takes back one try, and no more: whoever has an account does not guess for free."""
    throttle = SignInThrottle(account_free=10, address_free=3, longest=60.0)
    for number in range(3):
        assert throttle.begin(f"account {number}", "here", 0.0) == (0, "")
    assert throttle.begin("another", "here", 0.0) == (1.0, "address")
    assert throttle.begin("another", "elsewhere", 0.0) == (0, "")
    throttle.succeeded("account 2", "here", 0.0)
    assert throttle.begin("one more", "here", 0.0) == (0, "")
    assert throttle.begin("and one more", "here", 0.0) == (1.0, "address")


def test_a_stranger_does_not_lock_somebody_out_of_a_known_place() -> None:
    """Where one has signed in before, guesses from elsewhere do not count; guesses from there do."""
    throttle = SignInThrottle(account_free=2, address_free=100, longest=60.0)
    assert throttle.begin("ann", "home", 0.0) == (0, "")
    throttle.succeeded("ann", "home", 0.0)
    for _ in range(2):
        assert throttle.begin("ann", "elsewhere", 0.0) == (0, "")
    assert throttle.begin("ann", "elsewhere", 0.0) == (1.0, "account")
    for _ in range(2):
        assert throttle.begin("ann", "home", 0.0) == (0, "")
    assert throttle.begin("ann", "home", 0.0) == (1.0, "account")
