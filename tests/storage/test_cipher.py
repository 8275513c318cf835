from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.cipher import SessionCipher, wrapped_key
from storage.errors import BadKeyring, MissingKey, SessionGone, Tampered
from storage.keyring import Keyring, WrappedKey
from storage.mongod import LocalMongod
from storage.store import Store
from tests.storage.conftest import OpenStore, new_message, whole_history, write

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.tuples(TEXT, TEXT, TEXT), TEXT)
def test_what_is_sealed_opens_as_it_was(bound: tuple[str, str, str], content: str) -> None:
    """Any text comes back, under the same session, message and sender; no two seals of it are alike."""
    session_id, message_id, sender_id = bound
    cipher = SessionCipher(session_id, KEY)
    sealed = cipher.seal(message_id, sender_id, content)
    assert cipher.open(message_id, sender_id, sealed) == content
    assert sealed != cipher.seal(message_id, sender_id, content)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_a_body_opens_nowhere_else(here: tuple[str, str, str], there: tuple[str, str, str]) -> None:
    """Under any other session, message or sender it does not open, though their texts joined be the same."""
    sealed = SessionCipher(here[0], KEY).seal(here[1], here[2], "hello")
    if here != there:
        with pytest.raises(Tampered):
            SessionCipher(there[0], KEY).open(there[1], there[2], sealed)


@pytest.mark.parametrize(
    "there", [("sess", "ionm", "sender"), ("session", "ms", "ender"), ("sessionms", "", "ender")]
)
def test_where_one_id_ends_counts(there: tuple[str, str, str]) -> None:
    """Ids that make the same text when joined are still different ids."""
    sealed = SessionCipher("session", KEY).seal("m", "sender", "hello")
    with pytest.raises(Tampered):
        SessionCipher(there[0], KEY).open(there[1], there[2], sealed)


@given(st.integers(0, 12 + 5 + 16 - 1), st.integers(1, 255))
def test_a_changed_byte_is_detected(position: int, change: int) -> None:
    """Nonce, ciphertext and tag: not one byte can differ."""
    sealed = bytearray(SessionCipher("s", KEY).seal("m", "u", "hello"))
    sealed[position] ^= change
    with pytest.raises(Tampered):
        SessionCipher("s", KEY).open("m", "u", bytes(sealed))


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_body_cut_short_is_detected(length: int) -> None:
    """Too little is as good as changed."""
    sealed = SessionCipher("s", KEY).seal("m", "u", "hello")
    with pytest.raises(Tampered):
        SessionCipher("s", KEY).open("m", "u", sealed[:length])


async def test_the_database_holds_nothing_that_was_typed(tmp_path: Path, open_store: OpenStore) -> None:
    """Neither a document nor a byte of the database's files has a message's text in it."""
    mongod = LocalMongod(tmp_path)
    store = await open_store(uri=await mongod.start())
    await store.sessions.open_land("land", 1)
    secrets = [f"the secret number {number} is xyzzy{number}" for number in range(20)]
    (deleted, *_) = await write(store, *secrets, sender_id="plainsender")
    await store.messages.delete("land", deleted.id, 1)
    await store.writer.drain()
    documents = [
        document
        for collection in await store.database._db.list_collection_names()
        async for document in store.database[collection].find({})
    ]
    dumped = b"".join(bson.encode(document) for document in documents)
    await store.close()
    await mongod.stop()
    # A sender's id is in the clear, which shows that the search would find what is there.
    assert b"plainsender" in dumped and b"xyzzy" not in dumped
    assert await files_with("plainsender", tmp_path) and not await files_with("xyzzy", tmp_path)


async def files_with(text: str, folder: Path) -> list[str]:
    """The database compresses its files, in a way that leaves a text's first occurrence as it is."""
    command = ["grep", "-rlaF", text, folder]
    found = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    return found.stdout.split()


@pytest.mark.logs("messages ERROR the body of message .* is not what was written")
@pytest.mark.parametrize("change", [{"sender": "eve"}, {"session": "other"}, {"_id": "another"}])
async def test_a_body_moved_in_the_database_is_not_shown(store: Store, change: dict[str, str]) -> None:
    """A message given another sender, session or id behind our back is logged and shown without a body,
    and the rest of the history is shown all the same."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    first, second = await write(store, "first", "second")
    await write(store, "third", session_id="other")
    stored = await store.database["messages"].find_one_and_delete({"_id": first.id})
    await store.database["messages"].insert_one({**stored, "seq": 9, **change})
    shown = await whole_history(store) + await whole_history(store, "other")
    assert sorted(message.content or "" for message in shown) == ["", "second", "third"]


async def test_each_session_has_a_key_of_its_own(store: Store) -> None:
    """A body does not open with another session's key, nor are two keys ever wrapped alike."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    documents = await store.database["sessions"].find({}).to_list(None)
    one, two = (store.sessions._keys._keyring.unwrap(_wrapped(document)) for document in documents)
    assert one != two and len(one) == len(two) == 32


@pytest.mark.logs("messages ERROR the body of message .* is not what was written")
async def test_a_shredded_key_ends_what_it_opened(store: Store, open_store: OpenStore) -> None:
    """When the key is gone the ciphertext that may be left, in a backup say, is nobody's to read again."""
    await store.sessions.open_land("land", 1)
    await write(store, "secret")
    backup = await store.database["messages"].find({}).to_list(None)
    await store.sessions.delete("land")
    await store.sessions.open_land("land", 2)
    await store.database["messages"].insert_many(backup)
    for each in (store, await open_store()):
        assert [message.content for message in await whole_history(each)] == [None]


async def test_deletion_forgets_the_key_in_memory(store: Store) -> None:
    """A key that was in use is not kept in this process after its session is deleted."""
    await store.sessions.open_land("land", 1)
    await write(store, "secret")
    await store.sessions.delete("land")
    with pytest.raises(SessionGone):
        await store.sessions._keys.get("land")


async def test_a_key_under_an_unknown_master_key_fails_its_own_session(
    store: Store, open_store: OpenStore
) -> None:
    """A session wrapped by somebody with another key ring is said to lack its key; the others go on."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    foreign = "0123456789abcdef"
    await store.database["sessions"].update_one({"_id": "other"}, {"$set": {"key.id": foreign}})
    results = [store.writer.submit(new_message(room)) for room in ("other", "land")]
    with pytest.raises(MissingKey, match=foreign):
        await results[0]
    assert (await results[1]).message.seq == 1
    with pytest.raises(MissingKey, match=foreign):
        await open_store()


def test_a_data_key_that_does_not_open_is_said_so(keyring: Keyring) -> None:
    """A wrapped key that was damaged is an error of the key ring, which names the master key."""
    wrapped = keyring.wrap(KEY)
    assert keyring.unwrap(wrapped) == KEY
    with pytest.raises(BadKeyring, match=wrapped.key_id):
        keyring.unwrap(WrappedKey(wrapped.key_id, wrapped.token[:-8] + b"AAAAAAA="))


def _wrapped(document: dict[str, Any]) -> Any:
    return wrapped_key(document["key"])
