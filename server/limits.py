"""Rates: how often something may be done. Plain values, time passed in."""

from __future__ import annotations

from collections import OrderedDict


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
