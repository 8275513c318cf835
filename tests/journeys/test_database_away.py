"""The database slow, or behind a network that fails: every request has its answer in time, and all goes on
by itself. Its death and its standing still are `test_faults`' and `test_replica_set`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from server.dispatch import SLACK_SECONDS
from storage.keyring import Keyring
from tests.guards import running_time
from tests.harness import Server
from tests.journeys.process import until
from tests.journeys.test_faults import check, recovery, start_flow
from tests.storage.proxy import Proxy

TIMEOUT = 1.0
MOST = TIMEOUT + SLACK_SECONDS + 0.5


@pytest.fixture
def server(io_loop: IOLoop, proxy: Proxy, database_name: str, keyring: Keyring) -> Iterator[Server]:
    async def start() -> Server:
        server = Server(await proxy.start(), database_name, keyring, storage_timeout=TIMEOUT)
        await server.start()
        return server

    server = io_loop.run_sync(start)
    yield server
    proxy.delay = 0
    proxy.pass_on()
    io_loop.run_sync(server.stop)


@pytest.mark.logs("storage_failed")
async def test_a_slow_database(server: Server, proxy: Proxy) -> None:
    """A request that needs it several times gets no more time for that, over either door."""
    ann, bob, eve = [await server.person() for _ in range(3)]
    private, land = await ann.private(bob), await ann.land()
    sockets = [await ann.chat() for _ in range(4)]
    # As many connections as are needed, as each would take some answers to be opened.
    await asyncio.gather(*(ann.ok("GET", "/chat/stats") for _ in range(30)))
    proxy.delay = 0.4 * TIMEOUT

    async def rest(method: str, path: str, body: Any = None) -> tuple[float, str]:
        started = running_time()
        status, answer = await ann.call(method, path, body)
        return running_time() - started, "" if status < 300 else answer["error"]["code"]

    async def ask(number: int, **request: Any) -> tuple[float, str]:
        started = running_time()
        answer = await sockets[number].answer_to(**request)
        return running_time() - started, answer.get("code", "")

    answers = await asyncio.gather(
        rest("GET", "/chat/sessions"),
        rest("GET", f"/chat/sessions/{private}/messages?after=0"),
        rest("POST", f"/chat/sessions/{private}/messages", {"content": "x"}),
        rest("POST", "/chat/sessions", {"participant_ids": [eve.id]}),
        rest("GET", "/chat/stats"),
        rest("GET", f"/users?username={eve.name}"),
        rest("PATCH", "/auth/me", {"display_name": "Ann"}),
        rest("PATCH", "/auth/me", {"display_name": "Anne"}),
        ask(0, type="send_message", room_id=private, content="x"),
        ask(1, type="join_room", room_id=land),
        ask(2, type="mark_read", room_id=private, seq=0),
        ask(3, type="send_message", room_id=private, content="x", client_id="c"),
    )
    assert max(seconds for seconds, _ in answers) < MOST, answers
    assert {code for _, code in answers} == {"", "unavailable"}
    proxy.delay = 0
    await sockets[0].ask("message_ack", type="send_message", room_id=private, content="x")


@pytest.mark.logs("storage_failed")
async def test_connections_that_lead_nowhere(server: Server, proxy: Proxy) -> None:
    """Half open, as after a router's restart: they are given up together, and not one deadline after the other."""
    flow, ann, land, listener, tasks = await start_flow(server)
    tasks += [asyncio.create_task(flow.read(ann, "/chat/sessions")) for _ in range(20)]
    await asyncio.sleep(0.5)
    proxy.freeze()
    started = running_time()
    await recovery(flow)
    assert running_time() - started < 12, running_time() - started
    flow.stop()
    await asyncio.gather(*tasks)
    assert flow.slowest < MOST
    stored = await server.history(ann.token, land)
    await until(lambda: sum(e["type"] == "message" for e in listener.events) == len(stored), "all messages")
    check(flow, stored, listener.taken("message"))
