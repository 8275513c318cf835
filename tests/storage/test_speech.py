"""What is said aloud: stored once with its audience, found by those who were there, unreadable to whoever reads the disk."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bson
import pytest
from cryptography.fernet import Fernet
from tornado.ioloop import IOLoop

from server.ids import new_id
from storage.errors import MissingKey, Unavailable
from storage.keyring import Keyring
from storage.mongod import LocalMongod
from storage.records import Speech
from storage.rotation import rewrap
from storage.speech import Spoken
from storage.speech_keys import DAY_MS
from storage.store import Store
from tests.guards import running_time
from tests.storage.conftest import OpenStore
from tests.storage.proxy import Proxy

SAID = "meet me behind the lighthouse"
NOON = 20_000 * DAY_MS + DAY_MS // 2


@pytest.fixture
def key() -> bytes:
    return Fernet.generate_key()


@pytest.fixture
def keyring(key: bytes) -> Keyring:
    return Keyring([key])


def new_speech(
    content: str = SAID,
    *listeners: str,
    sender: str = "ann",
    client_id: str | None = None,
    at: int = NOON,
    place: tuple[float, float] | None = (12.5, -3.0),
    id: str | None = None,
) -> Speech:
    audience = tuple(sorted({sender, *listeners}))
    return Speech(id or new_id(), sender, audience, content, place, at, client_id)


async def say(store: Store, *speeches: Speech) -> list[Speech]:
    """Says them at once; as they were told."""
    told: list[Speech] = []
    await asyncio.gather(*(store.speech_writer.submit(speech, told.append) for speech in speeches))
    return told


async def heard(store: Store, user: str) -> list[str | None]:
    return [speech.content for speech in await store.speech.page(user, limit=100)]


async def test_those_who_were_there_read_it_and_nobody_else(store: Store) -> None:
    """The speaker too; as it was said, with the place, newest first, page by page."""
    said = await say(
        store,
        new_speech("one", "bob"),
        new_speech("two", "bob", "cyd", place=None),
        new_speech("three", sender="bob"),
    )
    assert await store.speech.page("bob", limit=10) == said[::-1]
    assert [speech.place for speech in said] == [(12.5, -3.0), None, (12.5, -3.0)]
    assert await heard(store, "ann") == ["two", "one"]
    assert await heard(store, "cyd") == ["two"]
    assert await heard(store, "eve") == []
    assert await store.speech.page("bob", before=said[2].id, limit=1) == [said[1]]
    assert await store.speech.missed("bob", after=said[0].id, upto=said[1].id, limit=10) == [said[1]]
    assert await store.speech.count("bob", after="0", upto=said[2].id, most=2) == 2


async def test_nothing_that_was_said_and_no_place_is_in_the_clear(store: Store) -> None:
    """In no document of any collection; what is there is who said it when, and who heard it."""
    await say(store, new_speech(SAID, "bob", place=(4711.25, -815.5)))
    database = store.database._db
    documents = {
        name: [document async for document in database[name].find()]
        for name in await database.list_collection_names()
    }
    everything = b"".join(bson.encode(each) for found in documents.values() for each in found)
    for secret in (SAID.encode(), b"lighthouse", bson.encode({"x": 4711.25})[7:-1], b"content"):
        assert secret not in everything
    (speech,) = documents["speech"]
    assert speech.keys() == {"_id", "sender", "listeners", "created_at", "body"}
    (key,) = documents["speech_keys"]
    assert key.keys() == {"_id", "key"}


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "bob"},
        {"listeners": ["ann", "bob", "eve"]},
        {"listeners": ["bob"]},
        {"body": b"x" * 60},
        {"created_at": NOON + DAY_MS},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.logs("is not what was written")
async def test_what_was_tampered_with_is_not_read(change: dict[str, Any], store: Store) -> None:
    """Nobody is written into an audience, or out of it, and nobody's words become another's."""
    (said,) = await say(store, new_speech(SAID, "bob"))
    if "created_at" in change:  # that day has a key too, and it is another
        await say(store, new_speech("tomorrow", at=NOON + DAY_MS))
    await store.database["speech"].update_one({"_id": said.id}, {"$set": change})
    found = {speech.id: speech.content for speech in await store.speech.page("bob", limit=5)}
    assert found == {said.id: None}


async def test_a_day_has_a_key_and_retention_shreds_it_with_the_last_of_the_day(store: Store) -> None:
    """What is old goes at its hour, the key when nothing of its day can be left; a copy opens no more without it."""
    first, later, next_day = (
        new_speech("at noon"),
        new_speech("at night", at=NOON + DAY_MS // 4),
        new_speech("tomorrow", at=NOON + DAY_MS),
    )
    said = await say(store, first, later, next_day)
    days = store.database["speech_keys"]
    assert await days.distinct("_id") == [20_000, 20_001]
    copy = await store.database["speech"].find_one({"_id": said[1].id})
    assert await store.speech.purge(NOON + 1) == 1
    assert await heard(store, "ann") == ["tomorrow", "at night"]
    assert await days.distinct("_id") == [20_000, 20_001]
    assert await store.speech.purge(NOON + DAY_MS) == 1
    assert await days.distinct("_id") == [20_001]
    assert await store.speech.purge(NOON + DAY_MS) == 0
    await store.database["speech"].insert_one(copy)
    assert await heard(store, "ann") == ["tomorrow", None]


async def test_rotation_wraps_the_keys_of_days_too(store: Store, key: bytes, open_store: OpenStore) -> None:
    """What was said stays readable under the new master key, and without it no server starts."""
    await say(store, new_speech(), new_speech(at=NOON + DAY_MS))
    fresh = Fernet.generate_key()
    assert (await rewrap(store, Keyring([fresh, key]))).rewrapped == 2
    with pytest.raises(MissingKey):
        await open_store()
    later = await open_store(keyring=Keyring([fresh]))
    assert await heard(later, "ann") == [SAID, SAID]


async def test_two_first_words_of_a_day_have_one_key(store: Store, open_store: OpenStore) -> None:
    """Said at once by two processes: each reads both."""
    other = await open_store()
    await asyncio.gather(say(store, new_speech("one")), say(other, new_speech("two")))
    for each in (store, other):
        assert sorted(map(str, await heard(each, "ann"))) == ["one", "two"]


# Writing


async def test_ids_rise_in_the_order_in_which_speech_is_told(store: Store, open_store: OpenStore) -> None:
    """Whatever ids and times it came with: within a millisecond, with the clock put back, after a restart."""
    ids = ["e0", "0f", "ef", "0a", "0a"]
    random.shuffle(ids)
    said = await say(store, *(new_speech(id=id * 16) for id in ids))
    assert len(said) == 5
    later = await open_store()
    assert later.speech_writer.told == said[-1].id == store.speech_writer.told
    said += await say(later, new_speech(id="00" * 16), new_speech())
    told = [speech.id for speech in said]
    assert told == sorted(set(told))
    assert {len(id) for id in told} == {32}


async def test_what_arrives_together_is_committed_together(store: Store) -> None:
    """A hundred at once take a few commits."""
    operations: list[str] = []
    store.observe = lambda name, seconds: operations.append(name)
    await say(store, *(new_speech(str(number)) for number in range(100)))
    assert operations.count("speech.commit") <= 3
    assert len(await heard(store, "ann")) == 100


async def test_a_client_id_is_said_once(store: Store, open_store: OpenStore) -> None:
    """In one batch, later, after a restart, with other words; another person's is another."""
    told: list[Speech] = []

    def again(through: Store, **fields: Any) -> asyncio.Future[Spoken]:
        return through.speech_writer.submit(new_speech(client_id="once", **fields), told.append)

    first, second, on_its_way = await asyncio.gather(
        again(store), again(store), store.speech_writer.find("ann", "once")
    )
    assert first == second == on_its_way
    (said,) = told
    for through in (store, await open_store()):
        repeat = await again(through, content="other words")
        assert repeat == Spoken(said.id, said.created_at, repeated=True)
        assert await through.speech_writer.find("ann", "once") == repeat
        assert await through.speech_writer.find("ann", "twice") is None
    assert told == [said]
    await again(store, sender="bob")
    assert len(told) == 2
    assert await heard(store, "ann") == [SAID]


async def test_among_those_that_repeat_the_others_are_told_in_order(store: Store) -> None:
    await say(store, new_speech("old", client_id="old"))
    said = await say(
        store, new_speech("one"), new_speech("x", client_id="old"), new_speech("two", client_id="new")
    )
    assert [speech.content for speech in said] == ["one", "two"]
    assert await heard(store, "ann") == ["two", "one", "old"]


# While the database, or the way to it, fails


@pytest.fixture
def far_store(io_loop: IOLoop, proxy: Proxy, open_store: OpenStore) -> Iterator[Store]:
    """A store behind the proxy, impatient, on which somebody has spoken today."""

    async def prepare() -> Store:
        store = await open_store(uri=await proxy.start(), timeout=1.0)
        await say(store, new_speech("before"))
        return store

    store = io_loop.run_sync(prepare)
    yield store
    proxy.pass_on()
    io_loop.run_sync(store.close)


async def again_until_written(store: Store, told: list[Speech], client_id: str, **fields: Any) -> Spoken:
    """As a client does: the same words, under the same client id, until they are acknowledged."""
    while True:
        try:
            return await store.speech_writer.submit(new_speech(client_id=client_id, **fields), told.append)
        except Unavailable:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("lost", ["lose_answers", "lose_requests"])
async def test_what_has_no_known_outcome_is_told_once_and_before_what_comes_next(
    lost: str, far_store: Store, proxy: Proxy
) -> None:
    """To the speaker it is unavailable; sent again it is acknowledged as it was, with the words of then."""
    told: list[Speech] = []
    setattr(proxy, lost, True)
    with pytest.raises(Unavailable):
        await far_store.speech_writer.submit(new_speech("lost", client_id="c"), told.append)
    assert told == []
    proxy.pass_on()
    spoken = await again_until_written(far_store, told, "c", content="again")
    after = await say(far_store, new_speech("after"))
    assert [speech.content for speech in told] == ["lost"]
    assert spoken.id == told[0].id < after[0].id
    assert await heard(far_store, "ann") == ["after", "lost", "before"]


async def test_nobody_waits_past_their_deadline(far_store: Store, proxy: Proxy) -> None:
    """Whatever they wait for: their own commit, one that is repeated, or one that somebody else is in doubt of."""
    proxy.lose_answers = True
    told: list[Speech] = []

    async def waited(number: int) -> float:
        await asyncio.sleep(number / 10)
        started = running_time()
        with pytest.raises(Unavailable):
            await far_store.speech_writer.submit(new_speech(client_id=f"{number % 5}"), told.append)
        return running_time() - started

    times = await asyncio.gather(*(waited(number) for number in range(30)))
    assert max(times) < 1.3, times  # of 1.0
    proxy.pass_on()
    for number in range(5):
        await again_until_written(far_store, told, f"{number}")
    assert sorted(speech.client_id or "" for speech in told) == [f"{number}" for number in range(5)]


async def test_what_waited_too_long_is_not_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind a commit beyond its deadline fails, and does not turn up later."""
    insert = store.speech_writer._insert
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(documents: Sequence[dict[str, Any]]) -> set[str]:
        started.set()
        await go_on.wait()
        return await insert(documents)

    monkeypatch.setattr(store.speech_writer, "_insert", slow)
    told: list[Speech] = []
    committing = store.speech_writer.submit(new_speech("committing"), told.append)
    await started.wait()
    patience, store.database.timeout = store.database.timeout, 0.0
    waiting = store.speech_writer.submit(new_speech("waiting", client_id="c"), told.append)
    store.database.timeout = patience
    with pytest.raises(Unavailable):
        await waiting
    go_on.set()
    await committing
    await store.speech_writer.submit(new_speech("again", client_id="c"), told.append)
    assert [speech.content for speech in told] == ["committing", "again"]
    assert await heard(store, "ann") == ["again", "committing"]


async def test_the_database_stands_still_under_load(tmp_path: Path, open_store: OpenStore) -> None:
    """Who repeats until acknowledged is heard exactly once, in the order of the ids, whatever happens in between."""
    mongod = LocalMongod(tmp_path)
    store = await open_store(uri=await mongod.start(), timeout=1.0)
    told: list[Speech] = []
    acknowledged: list[Spoken] = []

    async def speaker(name: str) -> None:
        for number in range(40):
            acknowledged.append(await again_until_written(store, told, f"{name}-{number}"))

    async def trouble() -> None:
        for count in (100, 300):
            while len(acknowledged) < count:
                await asyncio.sleep(0.001)
            process = mongod._process
            assert process is not None
            os.kill(process.pid, signal.SIGSTOP)
            with pytest.raises(Unavailable):
                await store.ping()
            os.kill(process.pid, signal.SIGCONT)

    await asyncio.gather(trouble(), *(speaker(str(number)) for number in range(15)))
    history = await store.speech.page("ann", limit=1_000)
    assert told == history[::-1]
    assert len({speech.client_id for speech in history}) == len(history) == 600
    assert {spoken.id for spoken in acknowledged} == {speech.id for speech in history}
    await store.close()
    await mongod.stop()
