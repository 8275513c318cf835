"""Something is told at most once an interval, and the last word always."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.pacing import Pacer

INTERVAL = 0.5


class Told:
    """What was sent, and a way to wait for it."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def word(self, word: str) -> Callable[[], None]:
        return lambda: self.words.append(word)

    async def comes(self, *words: str) -> None:
        async with asyncio.timeout(5):
            while self.words != list(words):
                await asyncio.sleep(0.005)


async def test_the_first_is_told_at_once_and_the_last_of_an_interval_at_its_end() -> None:
    """What came in between is never told."""
    pacer, told = Pacer(INTERVAL), Told()
    for word in ("first", "second", "third"):
        pacer.tell("key", told.word(word))
    assert told.words == ["first"]
    await told.comes("first", "third")


async def test_the_end_of_an_interval_opens_the_next() -> None:
    """A trailing word counts: what follows it waits again."""
    pacer, told = Pacer(INTERVAL), Told()
    pacer.tell("key", told.word("a"))
    pacer.tell("key", told.word("b"))
    await told.comes("a", "b")
    pacer.tell("key", told.word("c"))
    pacer.tell("key", told.word("d"))
    assert told.words == ["a", "b"]
    await told.comes("a", "b", "d")


async def test_keys_do_not_wait_for_each_other() -> None:
    """Each key has an interval of its own."""
    pacer, told = Pacer(INTERVAL), Told()
    pacer.tell("one", told.word("one"))
    pacer.tell("two", told.word("two"))
    assert told.words == ["one", "two"]


async def test_what_is_dropped_is_never_told_and_the_interval_goes_on() -> None:
    """Dropping takes back what waits, not the right to be quiet; of an unknown key it does nothing."""
    pacer, told = Pacer(INTERVAL), Told()
    pacer.drop("key")
    pacer.tell("key", told.word("a"))
    pacer.tell("key", told.word("b"))
    pacer.drop("key")
    pacer.tell("key", told.word("c"))
    assert told.words == ["a"]
    await told.comes("a", "c")


async def test_after_a_quiet_interval_the_next_is_told_at_once() -> None:
    """Nothing is kept of a key that has gone quiet."""
    pacer, told = Pacer(INTERVAL), Told()
    pacer.tell("key", told.word("a"))
    async with asyncio.timeout(5):
        while len(told.words) < 2:
            await asyncio.sleep(INTERVAL)
            pacer.tell("key", told.word("b"))
    assert told.words == ["a", "b"]
