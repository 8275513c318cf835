"""Servers that are processes of their own; what a test leaves running is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests import guards
from tests.journeys.process import Process, complaints

NewProcess = Callable[..., Process]


@pytest.fixture(autouse=True)
def quiet_logs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """`@pytest.mark.logs` names what is complained of, by this process or by the servers that it started."""
    guards.structlog_to_logging()
    with guards.recorded() as lines:
        yield
    for path in tmp_path.glob("*.stderr"):
        lines += complaints(path.read_text())
    marker = request.node.get_closest_marker("logs")
    guards.check_lines(lines, marker.args if marker else ())


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where there is nothing yet."""
    return tmp_path / "data"


@pytest.fixture
def new_process(io_loop: IOLoop, data_dir: Path) -> Iterator[NewProcess]:
    """Makes a server with these options and environment variables, to be started: with its own database."""
    made: list[Process] = []

    def make(*options: str, **variables: str) -> Process:
        made.append(Process(data_dir, *options, **variables))
        return made[-1]

    yield make
    for process in made:
        if hasattr(process, "process"):
            io_loop.run_sync(process.kill)


@pytest.fixture
def process(io_loop: IOLoop, new_process: NewProcess) -> Iterator[Process]:
    """A running server with its own database."""
    process = new_process()
    io_loop.run_sync(process.start)
    yield process
    io_loop.run_sync(process.stop)
