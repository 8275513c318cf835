"""What fails a test besides its own assertions: an unexpected log line, and a callback that blocks the loop.

Both watch the whole process, since server and clients share one loop here. `tests/conftest.py` turns them
on for every test.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import structlog

# Seconds of one callback, those that it waits for a CPU not counted: a busy machine is nobody's fault.
MOST_CPU: Final = 0.3
MOST_WALL: Final = 2.0
SCHEDSTAT: Final = Path("/proc/thread-self/schedstat")
LOOK_SECONDS: Final = 0.1  # so often we look how long we have waited: each time a file is read
BEAT_SECONDS: Final = 0.05


class _Records(logging.Handler):
    """Keeps every line of WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self._formatter.format(record))


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The lines that this process logs meanwhile."""
    records = _Records()
    root = logging.getLogger()
    root.addHandler(records)
    try:
        yield records.lines
    finally:
        root.removeHandler(records)


@contextmanager
def logs(*expected: str) -> Iterator[None]:
    """`check_lines` of what this process logs meanwhile."""
    with recorded() as lines:
        yield
    check_lines(lines, expected)


def check_lines(lines: Sequence[str], expected: Sequence[str]) -> None:
    """Fails on a line that none of the regular expressions fits, and on an expression that fits no line."""
    unexpected = [line for line in lines if not any(re.search(regex, line) for regex in expected)]
    assert not unexpected, "unexpected log lines:\n" + "\n".join(unexpected)
    missing = [regex for regex in expected if not any(re.search(regex, line) for line in lines)]
    assert not missing, f"expected log lines that did not come: {missing}; got {lines}"


def structlog_to_logging() -> None:
    """The server's lines go to the standard library's loggers, as in `run.py`: else they are only printed."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def without_cpu() -> float:
    """For how many seconds this thread has been ready to run and was not let, as Linux counts them; elsewhere 0."""
    try:
        return int(SCHEDSTAT.read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


class _Stalls:
    """For how long the machine let nobody run, a virtual one that was paused for instance: a thread that only sleeps
    is late by as much."""

    def __init__(self) -> None:
        self._late = 0.0
        self._beat_at = time.monotonic()
        threading.Thread(target=self._beat, name="stalls", daemon=True).start()

    def seconds(self) -> float:
        """Since the beginning, a stall that is just over included."""
        return self._late + max(0.0, time.monotonic() - self._beat_at - BEAT_SECONDS)

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            now = time.monotonic()
            self._late, self._beat_at = self._late + max(0.0, now - self._beat_at - BEAT_SECONDS), now


@cache
def _stalls() -> _Stalls:
    return _Stalls()


def running_time() -> float:
    """`time.monotonic()` without the seconds in which the machine let nobody run: what a deadline is held to."""
    return time.monotonic() - _stalls().seconds()


@contextmanager
def unblocked_loop(most_cpu: float = MOST_CPU, most_wall: float = MOST_WALL) -> Iterator[None]:
    """Fails on a callback of an event loop that computes, or waits, for too long."""
    blocked: list[str] = []
    run = asyncio.events.Handle._run
    stalls = _stalls()
    looked_at = starved = stalled = 0.0

    def timed_run(handle: Any) -> None:
        nonlocal looked_at, starved, stalled
        cpu, wall = time.thread_time(), time.monotonic()
        if wall - looked_at > LOOK_SECONDS:
            looked_at, starved, stalled = wall, without_cpu(), stalls.seconds()
        run(handle)
        cpu, wall = time.thread_time() - cpu, time.monotonic() - wall
        if wall > most_wall:
            wall -= max(without_cpu() - starved, stalls.seconds() - stalled)
        if cpu > most_cpu or wall > most_wall:
            # A step of a task says nothing of itself; its task names the coroutine.
            owner = getattr(handle._callback, "__self__", None)
            name = owner if isinstance(owner, asyncio.Task) else handle
            blocked.append(f"{name!r}: {cpu:.2f} s of CPU, {wall:.2f} s of wall time")

    with patch.object(asyncio.events.Handle, "_run", timed_run):
        yield
    assert not blocked, "the loop was blocked by\n" + "\n".join(blocked)
