"""When to try again: full jitter, or what the server asked for.

Full jitter is a random wait between nothing and an exponentially growing ceiling; it spreads a crowd of
clients best. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

BASE: Final = 0.5  # seconds
CEILING: Final = 30.0

_ASKED: Final = re.compile(r"retry_after=(\d+(?:\.\d+)?)")


def full_jitter(attempt: int, random: Callable[[], float] = random.random) -> float:
    """Seconds; `attempt` is 0 for the first retry, `random` in [0, 1)."""
    return random() * min(CEILING, BASE * 2.0 ** min(attempt, 16))  # no power beyond what a float holds


def asked_retry_delay(code: int | None, reason: str) -> float | None:
    """The wait in seconds that a server going away asks for, None when it asks for none.

    Close codes 1012 and 1013 carry `retry_after=<seconds>`, different for each client.
    """
    if code not in (1012, 1013):
        return None
    asked = _ASKED.search(reason)
    return float(asked[1]) if asked else None
