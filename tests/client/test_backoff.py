"""When to try again, as plain values."""

from __future__ import annotations

import pytest

from client.backoff import CEILING, asked_retry_delay, full_jitter


def test_the_ceiling_doubles_from_half_a_second_to_thirty() -> None:
    """And stays there, however often it was tried."""
    assert [full_jitter(attempt, lambda: 1.0) for attempt in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert full_jitter(1_000_000, lambda: 1.0) == CEILING


def test_the_wait_is_anything_up_to_the_ceiling() -> None:
    assert full_jitter(3, lambda: 0.0) == 0
    assert full_jitter(3, lambda: 0.25) == 1
    assert len({full_jitter(3) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("code", "reason", "delay"),
    [
        (1012, "retry_after=2.5000", 2.5),
        (1013, "retry_after=7", 7.0),
        (1012, "restarting", None),
        (1012, "", None),
        (4008, "retry_after=2", None),
        (None, "", None),
    ],
)
def test_a_server_that_goes_away_says_when_to_come_back(
    code: int | None, reason: str, delay: float | None
) -> None:
    assert asked_retry_delay(code, reason) == delay
