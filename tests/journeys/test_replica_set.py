"""A MongoDB of three members, and each of the ways in which it loses its primary in full flow.

What holds in all of them: every request is answered within its deadline, what was acknowledged is there,
once, in one order for all, and the server goes on by itself on the sockets that it had.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tornado.ioloop import IOLoop

from server.settings import Settings
from storage.errors import Unavailable
from storage.keyring import Keyring
from tests.guards import running_time
from tests.harness import Server
from tests.journeys.process import until
from tests.journeys.replica_set import ReplicaSet
from tests.journeys.test_faults import Flow, check, recovery, start_flow

TIMEOUT = 1.0  # of a storage call: less than an election takes
# What a request may take beyond it, on a machine that is busy with elections.
LITTLE = 1.0


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    replica_set = ReplicaSet(tmp_path_factory.mktemp("three"))
    try:
        replica_set.start()
        yield replica_set
    finally:
        replica_set.close()


@pytest.fixture
def members(three: ReplicaSet) -> ReplicaSet:
    three.heal()
    return three


@pytest.fixture
def server(
    request: pytest.FixtureRequest,
    io_loop: IOLoop,
    members: ReplicaSet,
    database_name: str,
    keyring: Keyring,
) -> Iterator[Server]:
    timeout = getattr(request, "param", TIMEOUT)
    server = Server(members.uri, database_name, keyring, storage_timeout=timeout)
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


@asynccontextmanager
async def full_flow(server: Server) -> AsyncIterator[Flow]:
    """People write over both doors, and read, while the body runs; then all of it is checked."""
    flow, ann, land, listener, tasks = await start_flow(server)
    eve = await server.person()
    tasks += [
        asyncio.create_task(work)
        for work in (
            flow.post(ann, land, "rest"),
            flow.read(ann, f"/chat/sessions/{land}/messages?limit=5&after=1"),
            flow.read(eve, f"/chat/sessions/{land}/messages"),
            flow.read(ann, "/chat/sessions"),
        )
    ]
    yield flow
    await recovery(flow)
    await ready(server, 200)
    flow.stop()
    await asyncio.gather(*tasks)
    stored = await server.history(ann.token, land)
    await until(lambda: sum(e["type"] == "message" for e in listener.events) == len(stored), "all messages")
    check(flow, stored, listener.taken("message"))
    assert flow.slowest < server.settings.storage_timeout + LITTLE, flow.slowest


async def ready(server: Server, status: int) -> None:
    """Waits for this answer of /readyz, each of which comes within its deadline."""
    while True:
        started = running_time()
        answer = await server.ready()
        assert running_time() - started < server.settings.storage_timeout + LITTLE
        if answer == status:
            return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("server", [Settings.storage_timeout], indirect=True)
async def test_the_primary_steps_down(server: Server, members: ReplicaSet) -> None:
    """As before an upgrade, twice: with the deadline of a first start, nobody is refused anything."""
    async with full_flow(server) as flow:
        for _ in range(2):
            await asyncio.to_thread(members.step_down)
    assert flow.refused == []


@pytest.mark.logs("storage_failed")
async def test_the_primary_is_killed(server: Server, members: ReplicaSet) -> None:
    """Another one takes over, and the first comes back as a follower."""
    async with full_flow(server) as flow:
        killed = await asyncio.to_thread(members.primary)
        await asyncio.to_thread(members.kill, killed)
        await recovery(flow)
        members.run(killed)
        await asyncio.to_thread(members.whole)


@pytest.mark.logs("storage_failed")
async def test_the_primary_stands_still(server: Server, members: ReplicaSet) -> None:
    """For longer than an election takes: when it goes on, it takes itself for the primary for a while."""
    async with full_flow(server) as flow:
        stale = await asyncio.to_thread(members.primary)
        await asyncio.to_thread(members.signal, stale, signal.SIGSTOP)
        assert await asyncio.to_thread(members.primary) != stale
        await recovery(flow)
        await asyncio.to_thread(members.signal, stale, signal.SIGCONT)
        await asyncio.to_thread(members.whole)
        assert await asyncio.to_thread(members.primary) != stale


@pytest.mark.logs("storage_failed")
async def test_the_majority_is_gone(server: Server, members: ReplicaSet) -> None:
    """Nothing is acknowledged that one member alone has; when a second is back, all goes on."""
    async with full_flow(server) as flow:
        primary = await asyncio.to_thread(members.primary)
        others = [member for member in range(3) if member != primary]
        for member in others:
            await asyncio.to_thread(members.kill, member)
        await ready(server, 503)
        await until(lambda: "unavailable" in flow.refused, "a refusal")
        acknowledged, refused = len(flow.acknowledged), len(flow.refused)
        await until(lambda: len(flow.refused) > refused + 8, "everybody's refusal")
        assert len(flow.acknowledged) == acknowledged
        members.run(others[0])
        await recovery(flow)
        members.run(others[1])
        await asyncio.to_thread(members.whole)


async def test_no_primary_at_the_start(members: ReplicaSet, database_name: str, keyring: Keyring) -> None:
    """A start without one is refused in time, with a sentence; the first one after it has come succeeds."""
    primary = await asyncio.to_thread(members.primary)
    others = [member for member in range(3) if member != primary]
    for member in others:
        await asyncio.to_thread(members.kill, member)
    server = Server(members.uri, database_name, keyring, storage_timeout=TIMEOUT)
    started = running_time()
    with pytest.raises(Unavailable, match="no MongoDB that can be written to answers at 127.0.0.1:"):
        await server.start()
    assert running_time() - started < 2 * TIMEOUT + LITTLE  # it says hello, and then it writes
    for member in others:
        members.run(member)
    while True:  # as a supervisor does
        try:
            await server.start()
            break
        except Unavailable:
            await asyncio.sleep(0.05)
    await ready(server, 200)
    await server.stop()
