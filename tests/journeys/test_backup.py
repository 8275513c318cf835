"""Backups as `docs/operations.md` has them: the data folder, and a dump of a running database with its keys beside it."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path
from typing import Any

import bson
from cryptography.fernet import Fernet
from pymongo import MongoClient

from storage.keyring import key_id
from storage.mongod import LocalMongod
from tests.harness import PASSWORD, Person
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process, refusal

SAID = "meet me behind the lighthouse"
SECRETS = ("master.keys", "token.secret")
DATABASE = "hereabouts"


async def two_lands(process: Process) -> tuple[Person, str, str]:
    """Somebody, and two lands in which that person has said something."""
    ann = await process.person("ann")
    lands = [await ann.land(x=20 * number) for number in range(2)]
    for land in lands:
        await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": SAID})
    return ann, lands[0], lands[1]


async def end(process: Process) -> None:
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0


async def said_in(process: Process, token: str, land: str) -> list[str]:
    return [message["content"] for message in await process.history(token, land)]


def dump(uri: str) -> dict[str, bytes]:
    """What `mongodump` writes into an archive: each collection's documents, as BSON. The database goes on."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        database = client[DATABASE]
        return {
            name: b"".join(bson.encode(document) for document in database[name].find())
            for name in database.list_collection_names()
        }


async def restore(dumped: dict[str, bytes], data_dir: Path) -> None:
    """Into an empty database, which a start then finds."""
    data_dir.mkdir(mode=0o700)
    mongod = LocalMongod(data_dir)
    uri = await mongod.start()

    def insert() -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        with client:
            for name, documents in dumped.items():
                if found := bson.decode_all(documents):
                    client[DATABASE][name].insert_many(found)

    await asyncio.to_thread(insert)
    await mongod.stop()


async def test_a_copy_of_the_data_folder(process: Process, data_dir: Path, tmp_path: Path) -> None:
    """Put in its place, all is there again: what was said, who signed in, and what was deleted since."""
    ann, kept, deleted = await two_lands(process)
    await end(process)
    copy = tmp_path / "copy"
    await asyncio.to_thread(shutil.copytree, data_dir, copy)
    await process.start()
    await ann.ok("DELETE", f"/lands/{deleted}")
    assert (await process.call("GET", f"/chat/sessions/{deleted}", token=ann.token))[0] == 404
    await end(process)
    await asyncio.to_thread(shutil.rmtree, data_dir)
    await asyncio.to_thread(shutil.copytree, copy, data_dir)
    await process.start()
    for land in (kept, deleted):
        assert await said_in(process, ann.token, land) == [SAID]


async def test_a_dump_and_its_keys(process: Process, new_process: NewProcess, tmp_path: Path) -> None:
    """Taken while people write, restored elsewhere with the keys: everybody signs in and reads, and writes on."""
    ann, land, _ = await two_lands(process)
    writing = asyncio.create_task(write_on(ann, land))
    dumped = await asyncio.to_thread(dump, process.mongod_uri)
    writing.cancel()
    await asyncio.wait([writing])
    assert SAID.encode() not in b"".join(dumped.values())
    elsewhere = new_process()
    elsewhere.data_dir = tmp_path / "elsewhere"
    await restore(dumped, elsewhere.data_dir)
    for name in SECRETS:
        shutil.copy2(process.data_dir / name, elsewhere.data_dir / name)
    await elsewhere.start()
    assert set(await said_in(elsewhere, ann.token, land)) <= {SAID, "meanwhile"}
    assert (await said_in(elsewhere, ann.token, land))[0] == SAID
    status, pair = await elsewhere.call("POST", "/auth/login", {"username": "ann", "password": PASSWORD})
    assert status == 200
    path = f"/chat/sessions/{land}/messages"
    status, message = await elsewhere.call("POST", path, {"content": "after"}, token=pair["access_token"])
    assert status == 201
    history = await elsewhere.history(ann.token, land)
    assert [each["seq"] for each in history] == list(range(1, message["seq"] + 1))
    await elsewhere.stop()


async def write_on(person: Person, land: str) -> None:
    while True:
        await person.ok("POST", f"/chat/sessions/{land}/messages", {"content": "meanwhile"})


async def test_a_dump_without_its_keys(process: Process, tmp_path: Path) -> None:
    """Its start is refused, with the id of the key that is missing: nobody reads it, and nobody writes over it."""
    await two_lands(process)
    dumped = await asyncio.to_thread(dump, process.mongod_uri)
    lost = key_id((process.data_dir / "master.keys").read_bytes().strip())
    elsewhere = tmp_path / "elsewhere"
    await restore(dumped, elsewhere)
    assert lost in await refusal(elsewhere)
    (elsewhere / "master.keys").write_bytes(Fernet.generate_key())
    assert lost in await refusal(elsewhere)
    shutil.copy2(process.data_dir / "master.keys", elsewhere / "master.keys")
    again = Process(elsewhere)
    await again.start()
    await again.stop()
