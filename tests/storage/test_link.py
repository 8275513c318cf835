"""The straight way of a commit: what it does, and when it leaves a commit to the driver."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from storage.link import Link
from storage.store import Store
from tests.storage.conftest import OpenStore, listen, new_message, whole_history, write
from tests.storage.plain import Plain
from tests.storage.proxy import Proxy

Document = dict[str, Any]


async def connected(store: Store) -> Link:
    """The first insert, left to the driver, has it look for a connection."""
    link = store.database.link
    assert await link.insert("things", [{"_id": "first"}]) is None
    while not link.connected:
        await asyncio.sleep(0.01)
    return link


async def things(store: Store) -> list[Document]:
    found: list[Document] = await store.database["things"].find().sort("_id").to_list(None)
    return found


def test_pymongo_is_the_version_that_the_link_was_written_for() -> None:
    """It takes a connection out of the driver's pool, for which there is no public way: look at both before moving on."""
    pinned = next(
        line.partition("==")[2].split()[0]
        for line in Path("requirements.txt").read_text().splitlines()
        if line.startswith("pymongo==")
    )
    assert pymongo.version == pinned == "4.20.0"


async def test_all_are_written(store: Store) -> None:
    """As the driver would have written them."""
    link = await connected(store)
    documents = [{"_id": number, "text": "ü" * number, "bytes": bytes(number)} for number in range(10)]
    assert await link.insert("things", documents) == 10
    assert await link.insert("things", [{"_id": 10}]) == 1
    assert await things(store) == [*documents, {"_id": 10}]


async def test_up_to_the_first_duplicate(store: Store) -> None:
    """What comes after it is not written; the connection serves on."""
    link = await connected(store)
    assert await link.insert("things", [{"_id": 2}]) == 1
    assert await link.insert("things", [{"_id": 1}, {"_id": 2}, {"_id": 3}]) == 1
    assert await things(store) == [{"_id": 1}, {"_id": 2}]
    assert link.connected


async def test_a_batch_that_does_not_fit_into_one_write_to_the_socket(store: Store) -> None:
    """The loop waits for the socket, and nobody else waits for it."""
    link = await connected(store)
    documents = [{"_id": number, "bytes": bytes(90_000)} for number in range(10)]
    assert await link.insert("things", documents) == 10
    assert await things(store) == documents


async def test_what_is_too_large_is_left_to_the_driver(store: Store) -> None:
    """Nothing of it is written, and the connection stays."""
    link = await connected(store)
    assert (
        await link.insert("things", [{"_id": number, "bytes": bytes(90_000)} for number in range(20)]) is None
    )
    assert await things(store) == []
    assert link.connected


async def test_what_the_database_refuses_is_left_to_the_driver(store: Store) -> None:
    """Which says why; afterwards there is a new connection."""
    link = await connected(store)
    await store.database["things"].create_index("text", unique=True)
    await store.database._db.command("collMod", "things", validator={"text": {"$type": "string"}})
    assert await link.insert("things", [{"_id": 1, "text": 1}]) is None
    assert not link.connected
    link._connect_at = 0.0
    await connected(store)


async def test_a_primary_that_steps_down(tmp_path: Path, open_store: OpenStore) -> None:
    """The message waits for the election, with the driver, and is written once."""
    plain = await asyncio.to_thread(Plain, tmp_path, "--replSet", "x")
    await asyncio.to_thread(plain.initiate)
    store = await open_store(uri=f"mongodb://127.0.0.1:{plain.port}/?replicaSet=x", timeout=30.0)
    await connected(store)
    await store.sessions.open_land("land", 1)
    told = listen(store)
    plain.client.admin.command("replSetStepDown", 1, force=True)
    commit = await store.writer.submit(new_message(content="through"))
    assert commit.message.content == "through" and not commit.repeated
    assert told == await whole_history(store) == [commit.message]
    await store.close()
    plain.stop()


async def test_a_connection_that_breaks_before_the_answer(proxy: Proxy, open_store: OpenStore) -> None:
    """Whether it was written is found out; it is told of and acknowledged at once, as if nothing had been."""
    store = await open_store(uri=await proxy.start())
    await store.sessions.open_land("land", 1)
    await connected(store)
    told = listen(store)
    proxy.lose_answers = True
    committing = store.writer.submit(new_message(content="said"))
    await asyncio.sleep(0.3)
    assert not committing.done()
    proxy.pass_on()
    commit = await committing
    assert told == await whole_history(store) == [commit.message]
    assert not commit.repeated


async def test_a_connection_that_is_closed_while_nothing_is_said(proxy: Proxy, open_store: OpenStore) -> None:
    """It is noticed then, and not by the next message."""
    store = await open_store(uri=await proxy.start())
    await store.sessions.open_land("land", 1)
    link = await connected(store)
    proxy.cut()
    while link.connected:
        await asyncio.sleep(0.01)
    assert (await write(store, "said"))[0].seq == 1


async def test_accounts(guarded: Plain, open_store: OpenStore) -> None:
    """The connection has the account's rights: it was the driver's."""
    store = await open_store(uri=f"mongodb://writer:hunter2@127.0.0.1:{guarded.port}")
    link = await connected(store)
    assert await link.insert("things", [{"_id": 1}]) == 1
    await store.close()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Plain, Path]]:
    """A replica set over TLS, and its certificate."""
    cert, key, both = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    both.write_text(cert.read_text() + key.read_text())
    tls = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(both))
    plain = Plain(tmp_path, "--replSet", "x", *tls, tls=True, tlsCAFile=str(cert))
    plain.initiate()
    yield plain, cert
    plain.stop()


async def test_tls(encrypted: tuple[Plain, Path], open_store: OpenStore) -> None:
    """Over an encrypted connection too, one that was checked by the driver; short batches and long ones."""
    plain, cert = encrypted
    store = await open_store(uri=f"mongodb://127.0.0.1:{plain.port}/?tls=true&tlsCAFile={cert}")
    link = await connected(store)
    documents = [{"_id": number, "bytes": bytes(90_000)} for number in range(10)]
    assert await link.insert("things", [{"_id": -1}]) == 1
    assert await link.insert("things", documents) == 10
    assert await link.insert("things", [{"_id": 10}, {"_id": 9}]) == 1
    assert await things(store) == [{"_id": -1}, *documents, {"_id": 10}]
    assert link.connected
    plain.stop()
    while link.connected:
        await asyncio.sleep(0.01)
    await store.close()


async def test_a_small_pool_keeps_its_connections(mongodb_uri: str, open_store: OpenStore) -> None:
    """Of two that all operations share none is taken away."""
    joint = "&" if "?" in mongodb_uri else "/?"
    store = await open_store(uri=f"{mongodb_uri}{joint}maxPoolSize=2")
    await store.sessions.open_land("land", 1)
    link = store.database.link
    for content in "abc":
        await write(store, content)
        assert link._connecting is not None
        await link._connecting
        assert not link.connected
    assert [message.content for message in await whole_history(store)] == ["a", "b", "c"]


async def test_one_connection_is_looked_for_at_a_time(store: Store) -> None:
    """However long that takes: of two, one would be lost to the pool for good."""
    link = store.database.link
    assert await link.insert("things", [{"_id": 1}]) is None
    looking, link._connect_at = link._connecting, 0.0
    assert looking is not None and not looking.done()
    assert await link.insert("things", [{"_id": 1}]) is None
    assert link._connecting is looking
    await looking
    assert link.connected
