"""A server for each test, in the test's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tornado.ioloop import IOLoop

from storage.keyring import Keyring
from tests import guards
from tests.harness import Server


@pytest.fixture(autouse=True)
def quiet_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """`@pytest.mark.logs(regex, ...)` names the warnings that a test causes on purpose."""
    marker = request.node.get_closest_marker("logs")
    guards.structlog_to_logging()
    with guards.logs(*(marker.args if marker else ())):
        yield


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    with guards.unblocked_loop():
        yield


@pytest.fixture
def keyring() -> Keyring:
    return Keyring([Fernet.generate_key()])


@pytest.fixture
def new_server(mongodb_uri: str, database_name: str, keyring: Keyring) -> Callable[..., Server]:
    """Makes a server with changed settings, on the test's database; to be used with `async with`."""

    def make(**changes: Any) -> Server:
        return Server(mongodb_uri, database_name, keyring, **changes)

    return make


@pytest.fixture
def server(io_loop: IOLoop, new_server: Callable[..., Server]) -> Iterator[Server]:
    """A running server with the settings of a first start, save the rate limits and a shorter absence."""
    server = new_server()
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)
