"""What all tests share: what fails them besides their own assertions, pytest-tornado's loop, a real mongod."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from tornado.ioloop import IOLoop

from storage.keyring import Keyring
from storage.mongod import LocalMongod
from tests import guards
from tests.harness import Server
from tests.storage.proxy import Proxy

# How long an example takes is the machine's affair.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "logs(*regex): warnings that the test causes; each has to come")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_coroutine = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if is_coroutine and item.get_closest_marker("gen_test") is None:
            item.add_marker(pytest.mark.gen_test(timeout=60))


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


@pytest.fixture(autouse=True, scope="module")
def swept() -> Iterator[None]:
    """Looks for cycles between the files of tests: in so large a process that takes as long as a blocked loop."""
    gc.set_threshold(20_000, 20, 1_000)
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """Instead of pytest-tornado's, which asks for the loop before, in a deprecated way, and leaves it unclosed."""
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)


class Mongods:
    """One real mongod after the other, each a replica set of one for so many tests.

    A mongod keeps a file open for each collection and index of every database, also for minutes after
    it is dropped, and one for the whole run would need more of them than a process may open.
    """

    TESTS = 200  # with some 40 files each

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        # A loop of its own: the tests' loops come and go.
        self._loop = asyncio.new_event_loop()
        self._mongod: LocalMongod | None = None
        self._uri = ""
        self._given = 0

    def uri(self) -> str:
        """For one test."""
        if self._mongod is None or self._given == self.TESTS:
            self.stop()
            self._mongod, self._given = LocalMongod(self._new_folder()), 0
            self._uri = self._loop.run_until_complete(self._mongod.start())
        self._given += 1
        return self._uri

    def stop(self) -> None:
        if self._mongod is not None:
            # It has thousands of files to close, and the machine may be busy.
            self._loop.run_until_complete(self._mongod.stop(within=60))
            self._mongod = None

    def close(self) -> None:
        self.stop()
        self._loop.close()


@pytest.fixture(scope="session")
def mongods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongods]:
    mongods = Mongods(lambda: tmp_path_factory.mktemp("mongod"))
    yield mongods
    mongods.close()


@pytest.fixture
def mongodb_uri(mongods: Mongods) -> str:
    """A real replica set; each test takes a database name of its own."""
    return mongods.uri()


@pytest.fixture
def proxy(io_loop: IOLoop, mongodb_uri: str) -> Iterator[Proxy]:
    """A way to the database that a test can close, not started."""
    port = urlsplit(mongodb_uri).port
    assert port is not None
    proxy = Proxy(port)
    yield proxy
    io_loop.run_sync(proxy.stop)


@pytest.fixture
def database_name() -> str:
    """No two tests of a run, and no two runs against a database that stays, have the same."""
    return f"test_{uuid4().hex}"


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
