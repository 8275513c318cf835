"""Listeners: who hears what, and what one that raises does to the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from client.emitter import Emitter


def test_a_listener_hears_its_type_until_it_stops() -> None:
    """Stopping twice is harmless; the same function may listen twice."""
    emitter = Emitter()
    heard: list[Any] = []
    stop = emitter.on("a", heard.append)
    emitter.on("b", lambda detail: heard.append(("b", detail)))
    emitter.emit("a", 1)
    emitter.emit("b", 2)
    emitter.emit("c", 3)
    stop()
    stop()
    emitter.emit("a", 4)
    assert heard == [1, ("b", 2)]


def test_one_may_stop_listening_while_being_told() -> None:
    """The others hear that event all the same."""
    emitter = Emitter()
    heard: list[Any] = []

    def first(detail: int) -> None:
        stop_first()
        stop_second()
        heard.append(detail)

    stop_first = emitter.on("a", first)
    stop_second = emitter.on("a", heard.append)
    emitter.emit("a", 1)
    emitter.emit("a", 2)
    assert heard == [1, 1]


@pytest.mark.logs("hereabouts.client ERROR a listener to 'a' raised\nTraceback(.|\n)*broken")
def test_one_that_raises_is_logged_and_keeps_nobody_from_hearing() -> None:
    emitter = Emitter()
    heard: list[Any] = []

    def broken(detail: int) -> None:
        raise RuntimeError("broken")

    emitter.on("a", broken)
    emitter.on("a", heard.append)
    emitter.emit("a", 1)
    assert heard == [1]


@pytest.mark.logs("hereabouts.client ERROR a listener to 'a' raised\nTraceback(.|\n)*broken later")
async def test_a_coroutine_function_runs_as_a_task_and_is_logged_too() -> None:
    emitter, heard = Emitter(), asyncio.Event()

    async def broken(detail: int) -> None:
        await asyncio.sleep(0)
        heard.set()
        raise RuntimeError("broken later")

    emitter.on("a", broken)
    emitter.emit("a", 1)
    assert not heard.is_set()
    await heard.wait()
    await asyncio.sleep(0)  # the task is told of in the next turn of the loop
