"""Time, as the services see it. Passed in, so that a test can move it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

DAY_MS = 86_400_000


class Clock:
    """Wall time in milliseconds since the epoch, and monotonic time in seconds."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(milliseconds: int) -> str:
    """`2026-01-02T03:04:05.678Z` (RFC 3339, UTC)."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    # Most times that are told are of this second: a calendar date takes five times what the rest does.
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
