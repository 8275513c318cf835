"""How long there is, and how many inputs were tried.

Without FUZZ_SECONDS each test does one short round, as part of `make test`; with it, as under `make fuzz`, rounds
until its third of so many seconds is over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from tornado.ioloop import IOLoop

from tests.fuzz import footprint
from tests.harness import Server

TESTS = 3  # which share the time
# There are wheels of atheris for Linux.
collect_ignore = [] if sys.platform == "linux" else ["test_frame_parser.py"]

_tried: pytest.StashKey[dict[str, int]] = pytest.StashKey()


class Budget:
    """Of one test."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.tried: dict[str, int] = {}

    def count(self, what: str, inputs: int = 1) -> None:
        self.tried[what] = self.tried.get(what, 0) + inputs

    def spend(self, round_: Callable[[], None]) -> None:
        """At least once."""
        until = monotonic() + self.seconds
        round_()
        while monotonic() < until:
            round_()


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> Iterator[Budget]:
    budget = Budget(float(os.environ.get("FUZZ_SECONDS", "0")) / TESTS)
    yield budget
    request.config.stash.setdefault(_tried, {}).update(budget.tried)


@pytest.fixture
def server(io_loop: IOLoop, new_server: Callable[..., Server]) -> Iterator[Server]:
    """Calls ring and wait for lost connections for a moment only, so that nothing waits at the end."""
    server = new_server(ring_seconds=0.5, rejoin_seconds=0.3)
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for what, inputs in config.stash.get(_tried, {}).items():
        terminalreporter.write_line(f"tried {inputs:,} {what}")
    if config.stash.get(_tried, {}):
        terminalreporter.write_line(f"the most memory held at once: {footprint.memory_mb():.0f} MB")
