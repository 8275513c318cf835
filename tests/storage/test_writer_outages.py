"""The writer while the database, or the way to it, fails: what was acknowledged is there, and once."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from storage.errors import Unavailable
from storage.mongod import LocalMongod
from storage.records import Message
from storage.store import Store
from storage.writer import Commit
from tests.guards import running_time
from tests.storage.conftest import OpenStore, listen, new_message, whole_history, write
from tests.storage.proxy import Proxy


@pytest.fixture(params=["straight", "driver"])
def far_store(
    request: pytest.FixtureRequest, io_loop: IOLoop, proxy: Proxy, open_store: OpenStore
) -> Iterator[Store]:
    """A store behind the proxy, impatient, with one land and one message in it. Its commits go one of the two ways."""

    async def prepare() -> Store:
        store = await open_store(uri=await proxy.start(), timeout=1.0)
        link = store.database.link
        if request.param == "driver":
            link._connect_at = math.inf
        await store.sessions.open_land("land", 1)
        await write(store, "before")
        await store.writer.settle()
        while not link.connected and request.param == "straight":
            await asyncio.sleep(0.01)
        return store

    store = io_loop.run_sync(prepare)
    yield store
    proxy.pass_on()
    io_loop.run_sync(store.close)


async def told_of(told: list[Message], count: int) -> None:
    while len(told) < count:
        await asyncio.sleep(0.02)


async def again_until_written(store: Store, client_id: str) -> Commit:
    """As a client does: the same message, under the same client id, until it is acknowledged."""
    while True:
        try:
            return await store.writer.submit(new_message(client_id=client_id))
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_a_message_written_after_all_is_told_of(far_store: Store, proxy: Proxy) -> None:
    """A commit whose answer is lost fails for its sender; once the way is free again, it is told of,
    though nobody writes anything more."""
    told = listen(far_store)
    proxy.lose_answers = True
    futures = [far_store.writer.submit(new_message(content=content)) for content in "ab"]
    for future in futures:
        with pytest.raises(Unavailable):
            await future
    assert told == []
    assert far_store.writer.published("land") == 1
    proxy.pass_on()
    await told_of(told, 2)
    history = await whole_history(far_store)
    assert [message.content for message in history] == ["before", "a", "b"]
    assert told == history[1:]
    assert await far_store.writer.head("land") == 3
    # The room's own document follows by itself.
    while (await far_store.database["sessions"].find_one({}))["last_seq"] != 3:
        await asyncio.sleep(0.02)


async def test_what_was_written_after_all_comes_before_what_comes_next(
    far_store: Store, proxy: Proxy
) -> None:
    """The next message of the room takes the number after it, and is told of after it."""
    told = listen(far_store)
    proxy.lose_answers = True
    with pytest.raises(Unavailable):
        await far_store.writer.submit(new_message(content="lost"))
    proxy.pass_on()
    (after,) = await write(far_store, "after")
    assert after.seq == 3
    assert [message.content for message in told] == ["lost", "after"]
    assert told == (await whole_history(far_store))[1:]


async def test_sent_again_it_is_acknowledged_as_it_was(far_store: Store, proxy: Proxy) -> None:
    """A client that repeats what got no acknowledgement gets the one for the message already there."""
    told = listen(far_store)
    proxy.lose_answers = True
    with pytest.raises(Unavailable):
        await far_store.writer.submit(new_message(content="once", client_id="c"))
    proxy.pass_on()
    commit = await again_until_written(far_store, "c")
    assert commit.repeated and commit.message.content == "once"
    assert told == [commit.message] == (await whole_history(far_store))[1:]


async def test_what_never_arrived_leaves_no_hole(far_store: Store, proxy: Proxy) -> None:
    """A commit that did not reach the database fails too, and its number is the next one's."""
    told = listen(far_store)
    proxy.lose_requests = True
    with pytest.raises(Unavailable):
        await far_store.writer.submit(new_message(content="lost", client_id="c"))
    proxy.pass_on()
    commit = await again_until_written(far_store, "c")
    assert (commit.repeated, commit.message.seq) == (False, 2)
    assert told == [commit.message] == (await whole_history(far_store))[1:]


async def test_what_waited_too_long_is_not_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that wait behind a slow commit beyond their deadline fail, and do not turn up later."""
    await store.sessions.open_land("land", 1)
    insert = store.writer._insert
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(documents: Sequence[dict[str, Any]]) -> int:
        started.set()
        await go_on.wait()
        return await insert(documents)

    monkeypatch.setattr(store.writer, "_insert", slow)
    committing = store.writer.submit(new_message(content="committing"))
    await started.wait()
    patience, store.database.timeout = store.database.timeout, 0.0
    waiting = store.writer.submit(new_message(content="waiting"))
    store.database.timeout = patience
    go_on.set()
    assert (await committing).message.seq == 1
    with pytest.raises(Unavailable, match="waited too long"):
        await waiting
    await write(store, "last")
    assert [message.content for message in await whole_history(store)] == ["committing", "last"]


async def test_nobody_waits_past_their_deadline(far_store: Store, proxy: Proxy) -> None:
    """What is submitted in the middle of a commit that is stuck waits for its own time, and not for the
    next commit's as well; so does what waits behind a look into what was in doubt."""
    proxy.lose_answers = True

    async def waited(number: int) -> float:
        await asyncio.sleep(number / 10)
        started = running_time()
        with pytest.raises(Unavailable):
            await far_store.writer.submit(new_message(client_id=f"c{number}"))
        return running_time() - started

    times = await asyncio.gather(*(waited(number) for number in range(30)))
    assert max(times) < 1.3, times  # of 1.0


async def test_a_room_in_doubt_is_looked_into_while_others_are_busy(far_store: Store, proxy: Proxy) -> None:
    """What was written there after all is told of, though the writer is never idle and nobody writes there."""
    await far_store.sessions.open_land("busy", 1)
    told = listen(far_store)
    proxy.lose_answers = True
    with pytest.raises(Unavailable):
        await far_store.writer.submit(new_message(content="after all"))
    proxy.pass_on()
    while "after all" not in [message.content for message in told]:
        await asyncio.gather(
            *(far_store.writer.submit(new_message("busy")) for _ in range(3)), return_exceptions=True
        )


async def test_heads_and_marks_are_written_later(far_store: Store, proxy: Proxy) -> None:
    """What a commit leaves to be written a moment later survives that the database is away at that moment."""
    await far_store.sessions.enter("land", "ann", 0)
    await far_store.writer.submit(new_message(created_at=5_000))
    proxy.lose_requests = True
    with pytest.raises(Unavailable):
        await far_store.writer.settle()
    proxy.pass_on()
    while True:
        try:
            await far_store.writer.settle()
            break
        except Unavailable:
            await asyncio.sleep(0.05)
    session = await far_store.database["sessions"].find_one({"_id": "land"})
    assert (session["last_seq"], session["active_at"]) == (2, 5_000)
    assert (await far_store.database["marks"].find_one({}))["read_seq"] == 2


async def test_others_may_read_and_write_what_was_lost(
    far_store: Store, proxy: Proxy, open_store: OpenStore
) -> None:
    """While one node does not know what it wrote, another goes on; the first catches up with both."""
    told = listen(far_store)
    near_store = await open_store()
    proxy.lose_answers = True
    with pytest.raises(Unavailable):
        await far_store.writer.submit(new_message(content="lost"))
    await write(near_store, "near")
    proxy.pass_on()
    await write(far_store, "far")
    history = await whole_history(near_store)
    assert [message.content for message in history] == ["before", "lost", "near", "far"]
    assert told == history[1:]


async def test_every_operation_has_a_deadline(far_store: Store, proxy: Proxy) -> None:
    """Without a database each call says that it is unavailable, however many there are at a time."""
    proxy.lose_requests = True
    calls: list[Awaitable[Any]] = [far_store.users.get(str(number)) for number in range(400)]
    # One after the other, or as many at a time as there are threads, they would take minutes.
    async with asyncio.timeout(20):
        results = await asyncio.gather(far_store.ping(), *calls, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    proxy.pass_on()
    while True:
        try:
            return await far_store.ping()
        except Unavailable:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(
            signal.SIGKILL,
            marks=pytest.mark.logs("mongod ERROR mongod (ended|could not be started again)"),
            id="dies",
        ),
        pytest.param(signal.SIGSTOP, id="hangs"),
    ],
)
async def test_the_database_dies_or_hangs_under_load(
    how: signal.Signals, tmp_path: Path, open_store: OpenStore
) -> None:
    """Clients that repeat until acknowledged get every message in exactly once, numbered without a hole,
    told of in order, though the database was killed, or stood still, in the middle of it."""
    mongod = LocalMongod(tmp_path)
    store = await open_store(uri=await mongod.start(), timeout=1.0)
    await store.sessions.open_land("land", 1)
    told = listen(store)
    acknowledged: list[Commit] = []

    async def client(name: str) -> None:
        for number in range(40):
            acknowledged.append(await again_until_written(store, f"{name}-{number}"))

    async def trouble() -> None:
        for count in (100, 300):
            while len(acknowledged) < count:
                await asyncio.sleep(0.001)
            process = mongod._process
            assert process is not None
            os.kill(process.pid, how)
            if how is signal.SIGSTOP:
                with pytest.raises(Unavailable):
                    await store.ping()
                os.kill(process.pid, signal.SIGCONT)

    await asyncio.gather(trouble(), *(client(str(number)) for number in range(15)))
    await store.writer.drain()
    history = await whole_history(store)
    assert [message.seq for message in history] == list(range(1, 601))
    assert len({message.client_id for message in history}) == 600
    assert {commit.message.id for commit in acknowledged} == {message.id for message in history}
    assert told == history
    await store.close()
    await mongod.stop()
