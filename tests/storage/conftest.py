"""A store on a database of its own, and short ways to make what is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pymongo import MongoClient
from tornado.ioloop import IOLoop

from storage.keyring import Keyring
from storage.records import Message, NewMessage, SessionKind
from storage.store import Store
from tests.storage.plain import Plain

OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.from_setting(Fernet.generate_key().decode())


@pytest.fixture
def open_store(
    io_loop: IOLoop, mongodb_uri: str, database_name: str, keyring: Keyring
) -> Iterator[OpenStore]:
    """Opens stores on this test's database: another one is another process, as far as the database knows."""
    opened: list[Store] = []

    async def open_store(**options: Any) -> Store:
        uri = options.pop("uri", mongodb_uri)
        store = await Store.open(uri, **{"keyring": keyring, "database": database_name, **options})
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        io_loop.run_sync(store.close)


@pytest.fixture
def store(io_loop: IOLoop, open_store: OpenStore) -> Store:
    store: Store = io_loop.run_sync(open_store)
    return store


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Plain]:
    """A replica set with two accounts: one that may write, and one that may not."""
    keyfile = tmp_path / "keyfile"
    keyfile.touch(0o600)
    keyfile.write_text("a" * 32)
    plain = Plain(tmp_path, "--replSet", "x", "--auth", "--keyFile", str(keyfile))
    plain.initiate()
    plain.client.admin.command("createUser", "writer", pwd="hunter2", roles=["root"])
    plain.client.close()
    plain.client = MongoClient("127.0.0.1", plain.port, username="writer", password="hunter2")
    plain.client.admin.command("createUser", "reader", pwd="hunter2", roles=["readAnyDatabase"])
    yield plain
    plain.stop()


_numbers = count(1)


def new_message(
    session_id: str = "land",
    sender_id: str = "ann",
    content: str = "hello",
    *,
    client_id: str | None = None,
    kind: SessionKind = "land",
    created_at: int = 1_000,
    id: str | None = None,
) -> NewMessage:
    return NewMessage(
        id=id or f"message-{next(_numbers)}",
        session_id=session_id,
        kind=kind,
        sender_id=sender_id,
        content=content,
        created_at=created_at,
        client_id=client_id,
    )


async def write(store: Store, *contents: str, session_id: str = "land", **fields: Any) -> list[Message]:
    """Writes one message for each content, in order."""
    futures = [
        store.writer.submit(new_message(session_id, content=content, **fields)) for content in contents
    ]
    return [(await future).message for future in futures]


async def whole_history(store: Store, session_id: str = "land") -> list[Message]:
    return await store.messages.page(session_id, after=0, limit=100_000)


def listen(store: Store) -> list[Message]:
    """What the store's writer tells of, from now on."""
    told: list[Message] = []
    store.writer.on_committed = told.append
    return told
