"""Rates: how often something may be done. Plain values, time passed in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

QUEUE_SHARE: Final = 0.8  # of an admission's pace, for those who were told to come back
SHORTEST_TURN: Final = 0.5  # seconds: no sooner is there room again, and a new connection costs both sides


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` a second; full at first."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def wait(self, cost: float, now: float) -> float:
        """Seconds until there are `cost` tokens; 0 if there are."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return max(0.0, (cost - self._tokens) / self.rate)

    def take(self, cost: float, now: float) -> float:
        """Takes `cost` tokens and returns 0, or takes none and returns the seconds until there are enough."""
        wait = self.wait(cost, now)
        if not wait:
            self._tokens -= cost
        return wait


class Throttle:
    """A bucket for each key (an address, an account), the least recently used forgotten past `size`.

    Forgetting gives a key its full burst back, so `size` is large beside the keys that are
    active at one time.
    """

    def __init__(self, rate: float, burst: float, size: int = 100_000) -> None:
        self._rate = rate
        self._burst = burst
        self._size = size
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        bucket = self._buckets.get(key)
        return bucket.wait(1.0, now) if bucket else 0.0

    def take(self, key: str, now: float, cost: float = 1.0) -> float:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(cost, now)


class Admission:
    """A pace for a crowd: `burst` at once, then `rate` a second. Who is turned away is told when to come back.

    Each is told another time, one after the other, so that the crowd returns as a queue. It moves
    somewhat slower than the pace: those who come for the first time find room as well.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._bucket = TokenBucket(rate, burst, now)
        self._step = 1 / (rate * QUEUE_SHARE)
        self._last = now

    def take(self, now: float) -> float:
        """0 for one who may come in; else the seconds until it is their turn."""
        if not self._bucket.take(1.0, now):
            return 0.0
        self._last = max(self._last, now + SHORTEST_TURN) + self._step
        return self._last - now
