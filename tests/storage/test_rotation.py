from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from storage import rotation
from storage.errors import MissingKey
from storage.keyring import Keyring, WrappedKey
from storage.rotation import RotationResult, rewrap
from storage.store import Store, connect
from tests.storage.conftest import OpenStore, listen, new_message, whole_history, write


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A file, as only that can be rotated."""
    return Keyring.create(tmp_path / "keys")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 4)


async def ids_in_use(store: Store) -> set[str]:
    return set(await store.database["sessions"].distinct("key.id"))


async def test_every_data_key_comes_under_the_primary(
    store: Store, keyring: Keyring, tmp_path: Path, open_store: OpenStore
) -> None:
    """After a rotation the old key opens nothing that is used any more, and can be taken out."""
    for number in range(10):
        await store.sessions.open_land(f"land{number}", 1)
        await write(store, f"text {number}", session_id=f"land{number}")
    added = keyring.add_key()
    steps: list[tuple[int, int]] = []
    result = await rewrap(store, keyring, lambda done, left: steps.append((done, left)))
    assert result == RotationResult(added, 10)
    assert steps == [(4, 6), (8, 2), (10, 0)]
    assert await ids_in_use(store) == {added}
    assert await rewrap(store, keyring) == RotationResult(added, 0)
    alone = tmp_path / "alone"
    alone.touch(0o600)
    alone.write_text((tmp_path / "keys").read_text().splitlines()[0])
    later = await open_store(keyring=Keyring.from_file(alone))
    for number in range(10):
        (message,) = await whole_history(later, f"land{number}")
        assert message.content == f"text {number}"


async def test_a_running_server_does_not_notice(
    store: Store, keyring: Keyring, mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    """Sessions made and written to while another process rotates are read as ever, before and after."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    rotating_ring = Keyring.from_file(tmp_path / "keys")
    database = await connect(mongodb_uri, database=database_name, timeout=5.0)
    done = asyncio.Event()

    async def serve() -> int:
        number = 0
        while not done.is_set():
            number += 1
            await store.sessions.open_land(f"land{number}", 1)
            await store.writer.submit(new_message(f"land{number}"))
            await store.writer.submit(new_message())
        return number

    async def rotate() -> None:
        while len(told) < 20:
            await asyncio.sleep(0)
        for _ in range(3):
            rotating_ring.add_key()
            await rewrap(database, rotating_ring)
        done.set()

    served, _ = await asyncio.gather(serve(), rotate())
    await database.close()
    await rewrap(store, keyring)
    assert keyring.primary_id == rotating_ring.primary_id
    assert await ids_in_use(store) == {keyring.primary_id}
    assert [message.seq for message in await whole_history(store)] == list(range(1, served + 1))
    for number in range(1, served + 1):
        store.sessions._keys.forget(f"land{number}")
        (message,) = await whole_history(store, f"land{number}")
        assert message.content == "hello"


async def test_no_read_fails_meanwhile(
    store: Store, keyring: Keyring, mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    """Not one by a server that has the data key of no room at hand, and unwraps each anew, while keys change thrice."""
    rooms = [f"land{number}" for number in range(20)]
    for room in rooms:
        await store.sessions.open_land(room, 1)
        await write(store, room, session_id=room)
    rotating_ring = Keyring.from_file(tmp_path / "keys")
    database = await connect(mongodb_uri, database=database_name, timeout=5.0)
    done = asyncio.Event()
    reads = 0

    async def read(rooms: list[str]) -> None:
        nonlocal reads
        while not done.is_set():
            for room in rooms:
                store.sessions._keys.forget(room)
                assert [message.content for message in await whole_history(store, room)] == [room]
                reads += 1

    async def rotate() -> None:
        try:
            for _ in range(3):
                before = reads
                rotating_ring.add_key()
                assert (await rewrap(database, rotating_ring)).rewrapped == len(rooms)
                while reads < before + 2 * len(rooms):
                    await asyncio.sleep(0)
        finally:
            done.set()

    await asyncio.gather(rotate(), *(read(rooms[at::4]) for at in range(4)))
    await database.close()
    assert keyring.ids == rotating_ring.ids and len(keyring.ids) == 4


async def test_a_deleted_session_is_not_brought_back(
    store: Store, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is shredded between the rotation's reading and its writing stays shredded."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    added = keyring.add_key()
    rewrapping = keyring.rewrap
    first = True

    def shred_first(wrapped: WrappedKey) -> WrappedKey:
        nonlocal first
        if first:
            first = False
            uri = f"mongodb://127.0.0.1:{store.database._client.address[1]}/?directConnection=true"
            with MongoClient[Any](uri) as client:
                client[store.database._db.name].sessions.update_one({"_id": "land"}, {"$unset": {"key": ""}})
        return rewrapping(wrapped)

    monkeypatch.setattr(keyring, "rewrap", shred_first)
    assert await rewrap(store, keyring) == RotationResult(added, 1)
    assert "key" not in await store.database["sessions"].find_one({"_id": "land"})


async def test_a_missing_key_stops_it_before_anything_is_changed(store: Store, keyring: Keyring) -> None:
    """A data key that cannot be opened is named, and all of them stay as they are."""
    for number in range(6):
        await store.sessions.open_land(f"land{number}", 1)
    await store.database["sessions"].update_one({"_id": "land5"}, {"$set": {"key.id": "f" * 16}})
    before = await ids_in_use(store)
    keyring.add_key()
    with pytest.raises(MissingKey, match="f" * 16):
        await rewrap(store, keyring)
    assert await ids_in_use(store) == before


ROTATE = """
import asyncio, sys
from pathlib import Path
from typing import Any
from storage import rotation
from storage.keyring import Keyring
from storage.store import connect

async def main(uri, name, keys):
    rotation._BATCH = 4
    database = await connect(uri, database=name, timeout=5.0)
    await rotation.rewrap(database, Keyring.from_file(Path(keys)), lambda done, left: print(done, flush=True))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_midway_it_goes_on_where_it_was(
    store: Store, keyring: Keyring, mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    """A rotation whose process is killed loses nothing, and the next one does the rest alone."""
    count = 400
    for number in range(count):
        await store.sessions.open_land(f"land{number}", 1)
    await write(store, "text", session_id="land7")
    keyring.add_key()
    arguments = [sys.executable, "-c", ROTATE, mongodb_uri, database_name, str(tmp_path / "keys")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = await store.database["sessions"].count_documents({"key.id": {"$ne": keyring.primary_id}})
    assert 0 < left < count
    assert await rewrap(store, keyring) == RotationResult(keyring.primary_id, left)
    assert await ids_in_use(store) == {keyring.primary_id}
    store.sessions._keys.forget("land7")
    assert [message.content for message in await whole_history(store, "land7")] == ["text"]
