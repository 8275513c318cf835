"""What a deleted room leaves for one who has a dump: what can be read again, with which key, and what cannot."""

from __future__ import annotations

from pathlib import Path

import bson
import pytest
from cryptography.fernet import Fernet

from storage.errors import MissingKey
from storage.keyring import Keyring, key_id
from storage.rotation import rewrap
from storage.store import Store
from tests.storage.conftest import OpenStore, whole_history, write

SAID = "meet me behind the lighthouse"
Dump = dict[str, bytes]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A file, as only that can be rotated."""
    return Keyring.create(tmp_path / "keys")


async def dump(store: Store) -> Dump:
    """As `mongodump` writes them: of each collection its documents, one BSON after the other."""
    database = store.database._db
    await store.writer.settle()
    return {
        name: b"".join([bson.encode(document) async for document in database[name].find()])
        for name in await database.list_collection_names()
    }


async def restored(dump: Dump, store: Store, open_store: OpenStore, keyring: Keyring, name: str) -> Store:
    """A store on a new database that holds what the dump holds."""
    database = store.database._client[name]
    for collection, documents in dump.items():
        if found := bson.decode_all(documents):
            await database[collection].insert_many(found)
    return await open_store(database=name, keyring=keyring)


async def two_rooms(store: Store) -> None:
    """A land and a group in which the same was said."""
    await store.sessions.open_land("land", 1)
    await store.sessions.create_group("group", "name", ["ann", "bob"], "ann", 1)
    await write(store, SAID, session_id="land")
    await write(store, SAID, session_id="group", kind="group")


async def read(store: Store, session_id: str) -> list[str | None]:
    return [message.content for message in await whole_history(store, session_id)]


def without(dump: Dump, session_id: str) -> Dump:
    """The dump with that session's document, and the wrapped key in it, cut out."""
    kept = [each for each in bson.decode_all(dump["sessions"]) if each["_id"] != session_id]
    return {**dump, "sessions": b"".join(map(bson.encode, kept))}


@pytest.mark.parametrize("room", ["land", "group"])
async def test_a_dump_from_after_the_deletion_holds_nothing_of_it(
    room: str, store: Store, open_store: OpenStore, keyring: Keyring, database_name: str
) -> None:
    """Neither a body nor the key; of the other room it holds both."""
    await two_rooms(store)
    before = await dump(store)
    await store.sessions.delete(room)
    after = await dump(store)
    bodies = {each["session"]: each["body"] for each in bson.decode_all(before["messages"])}
    keys = {each["_id"]: each["key"]["wrapped"] for each in bson.decode_all(before["sessions"])}
    everything = b"".join(after.values())
    for name in ("land", "group"):
        assert (bodies[name] in everything) is (keys[name] in everything) is (name != room)
    other = "group" if room == "land" else "land"
    again = await restored(after, store, open_store, keyring, f"{database_name}_b")
    assert await read(again, other) == [SAID]
    assert await read(again, room) == []


@pytest.mark.parametrize("room", ["land", "group"])
@pytest.mark.logs("hereabouts.storage.messages ERROR the body of message")
async def test_messages_without_their_session_are_unreadable(
    room: str, store: Store, open_store: OpenStore, keyring: Keyring, database_name: str
) -> None:
    """An older dump, whose session's document is gone: no master key helps, nor the room made anew with a new key."""
    await two_rooms(store)
    older = without(await dump(store), room)
    await store.sessions.delete(room)
    assert SAID.encode() not in b"".join(older.values())
    again = await restored(older, store, open_store, keyring, f"{database_name}_b")
    assert await again.database["messages"].count_documents({"session": room}) == 1
    assert await read(again, room) == [None]
    await again.sessions.open_land(room, 2)
    assert await read(again, room) == [None]
    assert await read(again, "group" if room == "land" else "land") == [SAID]


async def test_a_whole_older_dump_and_its_master_key_are_readable(
    store: Store, open_store: OpenStore, keyring: Keyring, database_name: str
) -> None:
    """Deleting a room reaches into no backup: who has one from before, and the master key, reads it all."""
    await two_rooms(store)
    older = await dump(store)
    await store.sessions.delete("land")
    assert SAID.encode() not in b"".join(older.values())
    again = await restored(older, store, open_store, keyring, f"{database_name}_b")
    assert await read(again, "land") == [SAID]
    with pytest.raises(MissingKey):
        await restored({}, again, open_store, Keyring([Fernet.generate_key()]), f"{database_name}_b")


async def test_a_retired_master_key_takes_older_dumps_with_it(
    store: Store, open_store: OpenStore, keyring: Keyring, database_name: str, tmp_path: Path
) -> None:
    """Once it is rotated away and destroyed, what it wrapped in a backup is lost, and what is stored now is not."""
    await two_rooms(store)
    older = await dump(store)
    retired = (tmp_path / "keys").read_bytes().strip()
    keyring.add_key()
    await rewrap(store, keyring)
    alone = Keyring([(tmp_path / "keys").read_bytes().split()[0]])
    with pytest.raises(MissingKey, match=key_id(retired)):
        await restored(older, store, open_store, alone, f"{database_name}_b")
    newer = await dump(store)
    again = await restored(newer, store, open_store, alone, f"{database_name}_c")
    assert await read(again, "land") == await read(again, "group") == [SAID]
    # And for as long as somebody has kept that key, the older dump is as good as ever.
    kept = await restored({}, store, open_store, Keyring([retired]), f"{database_name}_b")
    assert await read(kept, "land") == [SAID]
