"""What all tests share: coroutine tests run on pytest-tornado's loop, and there is one real mongod."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from pymongo import MongoClient
from tornado.ioloop import IOLoop

from storage.keyring import Keyring
from storage.mongod import LocalMongod
from tests.harness import Server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "logs(*regex): warnings that the test causes; each has to come")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_coroutine = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if is_coroutine and item.get_closest_marker("gen_test") is None:
            item.add_marker(pytest.mark.gen_test(timeout=60))


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """Instead of pytest-tornado's, which asks for the loop before, in a deprecated way, and leaves it unclosed."""
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A replica set of one for the whole run; each test takes a database name of its own."""
    mongod = LocalMongod(tmp_path_factory.mktemp("mongod"))
    yield asyncio.run(mongod.start())
    asyncio.run(mongod.stop())


@pytest.fixture(scope="session")
def mongodb(mongodb_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(mongodb_uri) as client:
        yield client


@pytest.fixture
def database_name(mongodb: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """A name that no other test has. What is made under it goes at the end: mongod keeps a file open for each
    collection and index, and a whole run would have more of them than a process may open.
    """
    name = f"test_{uuid4().hex}"
    yield name
    mongodb.drop_database(name)


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
