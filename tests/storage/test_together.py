"""Reading together, over a read that a test lets finish."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from storage.together import Together


class Reads:
    """A read that answers when told to; `asked` are the keys of each."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.answers: list[asyncio.Future[dict[int, str]]] = []

    async def __call__(self, keys: Collection[int]) -> dict[int, str]:
        self.asked.append(sorted(keys))
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_during_a_read_waits_for_the_next() -> None:
    """Also for a key that is being read: it may have changed since."""
    reads = Reads()
    together: Together[int, str] = Together(reads)
    first = [asyncio.ensure_future(together.get(key)) for key in (1, 2, 2)]
    await turns()
    later = [asyncio.ensure_future(together.get(key)) for key in (2, 3)]
    await turns()
    assert reads.asked == [[1, 2]]
    reads.answers[0].set_result({1: "one", 2: "two"})
    assert await asyncio.gather(*first) == ["one", "two", "two"]
    await turns()
    assert reads.asked == [[1, 2], [2, 3]]
    reads.answers[1].set_result({2: "changed"})
    assert await asyncio.gather(*later) == ["changed", None]


async def test_a_read_that_fails_fails_those_who_asked_for_it_alone() -> None:
    """The next is another try."""
    reads = Reads()
    together: Together[int, str] = Together(reads)
    first = asyncio.ensure_future(together.get(1))
    await turns()
    second = asyncio.ensure_future(together.get(2))
    reads.answers[0].set_exception(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await first
    await turns()
    reads.answers[1].set_result({2: "two"})
    assert await second == "two"


async def test_somebody_who_gives_up_takes_nobody_along() -> None:
    """The others of the same read get their answers, and so does whoever comes after."""
    reads = Reads()
    together: Together[int, str] = Together(reads)
    gone = asyncio.ensure_future(together.get(1))
    other = asyncio.ensure_future(together.get(1))
    await turns()
    gone.cancel()
    reads.answers[0].set_result({1: "one"})
    assert await other == "one"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_crowd_is_read_in_parts() -> None:
    """No query asks for more than so many keys."""
    reads = Reads()
    together: Together[int, str] = Together(reads)
    asking = [asyncio.ensure_future(together.get(key)) for key in range(1200)]
    for number in range(3):
        await turns()
        reads.answers[number].set_result({key: str(key) for key in reads.asked[number]})
    assert await asyncio.gather(*asking) == [str(key) for key in range(1200)]
    assert [len(keys) for keys in reads.asked] == [500, 500, 200]
