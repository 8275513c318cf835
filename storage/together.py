"""Reads together what is asked for at the same time: of many askers, one query.

What is asked for during a read waits for the next one, so that nobody is told what was true before
they asked. The first asker waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import chain
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Keys of one query: its answer should stay far from the 16 MB that MongoDB takes a document for.
_AT_ONCE: Final = 500


class Together(Generic[K, V]):
    """Made over a `read` that takes keys and returns what it found of them."""

    def __init__(self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """None for a key that `read` did not find. Raises what `read` raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[V | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._task is None:
            self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:_AT_ONCE]
                asked = {key: self._waiting.pop(key) for key in keys}
                try:
                    found = await self._read(keys)
                except Exception as error:  # noqa: BLE001 - it is raised, by those who asked
                    for future in chain.from_iterable(asked.values()):
                        if not future.done():  # else its asker has given up
                            future.set_exception(error)
                else:
                    for key, futures in asked.items():
                        for future in futures:
                            if not future.done():
                                future.set_result(found.get(key))
        finally:
            self._task = None
