"""Tells something at most once an interval, and never keeps the last word back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable


class Pacer:
    """For each key, the first is told at once; of what comes in the next `interval` seconds, the last at their end."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._waiting: dict[Hashable, Callable[[], None] | None] = {}

    def tell(self, key: Hashable, send: Callable[[], None]) -> None:
        if key in self._waiting:
            self._waiting[key] = send
            return
        self._open(key)
        send()

    def drop(self, key: Hashable) -> None:
        """What waits under `key` is not told any more."""
        if key in self._waiting:
            self._waiting[key] = None

    def _open(self, key: Hashable) -> None:
        self._waiting[key] = None
        asyncio.get_running_loop().call_later(self._interval, self._elapsed, key)

    def _elapsed(self, key: Hashable) -> None:
        send = self._waiting.pop(key)
        if send is not None:
            self._open(key)
            send()
