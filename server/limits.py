"""Rates: how often something may be done. Plain values, time passed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

QUEUE_SHARE: Final = 0.8  # of an admission's pace, for those who were told to come back
FIRST_DELAY: Final = 1.0  # seconds, after the first failure too many: a person has hardly typed again by then
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


def take_all(buckets: Sequence[TokenBucket], cost: float, now: float) -> float:
    """Takes `cost` of each of the buckets and returns 0, or takes none and returns the seconds until all have enough."""
    longest = 0.0
    for bucket in buckets:
        wait = bucket.wait(cost, now)
        if wait > longest:
            longest = wait
    if not longest:
        for bucket in buckets:
            bucket._tokens -= cost
    return longest


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

    def take(self, key: str, now: float, cost: float = 1.0) -> float:
        return self.bucket(key, now).take(cost, now)

    def bucket(self, key: str, now: float) -> TokenBucket:
        """The key's own. Whoever holds on to it shares it with others who have asked for it since it was made."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


class Failures:
    """Growing delays for keys that fail: each failure from the `free`th on doubles the wait.

    It grows from FIRST_DELAY to `longest` seconds, and one failure is forgiven in each `longest`: who goes on
    at the longest wait stays there, who stops is soon free again. The least recently failed are
    forgotten past `size`.
    """

    def __init__(self, free: int, longest: float, size: int = 100_000) -> None:
        self._free = free
        self._longest = longest
        self._size = size
        # How many failures, since when no time of them is forgiven, and until when to wait.
        self._keys: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Seconds until the key may try again; 0 if it may."""
        return max(0.0, self._keys.get(key, _NO_FAILURE)[2] - now)

    def fail(self, key: str, now: float) -> None:
        count, since = self._left(key, now)
        over = count + 1 - self._free
        # No float holds more doublings than 1,023.
        delay = min(self._longest, FIRST_DELAY * 2.0 ** min(over, 64)) if over >= 0 else 0.0
        self._keys[key] = (count + 1, since, now + delay)
        self._keys.move_to_end(key)
        if len(self._keys) > self._size:
            self._keys.popitem(last=False)

    def take_back(self, key: str, now: float) -> None:
        """One of them was none."""
        count, since = self._left(key, now)
        if count <= 1:
            self.forgive(key)
        else:
            until = self._keys[key][2] if count > self._free else now
            self._keys[key] = (count - 1, since, until)

    def forgive(self, key: str) -> None:
        """All of them."""
        self._keys.pop(key, None)

    def _left(self, key: str, now: float) -> tuple[int, float]:
        """The failures that time has not forgiven, and since when."""
        count, since, _ = self._keys.get(key, _NO_FAILURE)
        forgiven = int((now - since) / self._longest)
        if count <= forgiven:
            return 0, now
        return count - forgiven, since + forgiven * self._longest


_NO_FAILURE: Final = (0, 0.0, 0.0)


class SignInThrottle:
    """Who may try a password, by account and by address.

    A try counts as a failure from its beginning, so that many at once are not one. An address that
    somebody has signed in from has a count of its own for that account: a stranger's guesses elsewhere do
    not lock its owner out.
    """

    def __init__(self, account_free: int, address_free: int, longest: float, size: int = 100_000) -> None:
        self._accounts = Failures(account_free, longest, size)
        self._addresses = Failures(address_free, longest, size)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._size = size

    def begin(self, account: str, address: str, now: float) -> tuple[float, str]:
        """(0, "") for a try that may go on; else the seconds to wait, and for what: `account` or `address`."""
        key = self._key(account, address)
        if wait := self._addresses.wait(address, now):
            return wait, "address"
        if wait := self._accounts.wait(key, now):
            return wait, "account"
        self._addresses.fail(address, now)
        self._accounts.fail(key, now)
        return 0.0, ""

    def succeeded(self, account: str, address: str, now: float) -> None:
        self._addresses.take_back(address, now)
        self._accounts.forgive(self._key(account, address))
        pair = f"{account} {address}"
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def _key(self, account: str, address: str) -> str:
        pair = f"{account} {address}"
        return pair if pair in self._known else account


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
