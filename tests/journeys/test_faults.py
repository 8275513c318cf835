"""Real faults in full flow: whatever was acknowledged is there, once, in one order for all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from tornado.httpclient import HTTPError
from tornado.websocket import WebSocketClosedError

from tests.guards import running_time
from tests.harness import Person, Server, Socket
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process, alive, until

PAUSE_SECONDS = 0.05  # before what was refused is sent again, and between two reads


class Flow:
    """Several people who write into one land until told to stop, and one who listens.

    Each sends one message after another, and sends again under the same client id what was refused.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []  # client ids
        self.acknowledged: dict[str, int] = {}  # client id → seq
        self.refused: list[str] = []  # codes
        self.slowest = 0.0  # seconds until the answer to any request
        self._going = True

    async def write(self, socket: Socket, room_id: str, name: str) -> None:
        """Until `stop` or the end of the socket."""

        async def send(client_id: str) -> str:
            answer = await socket.answer_to(
                type="send_message", room_id=room_id, content=client_id, client_id=client_id
            )
            return self._note(client_id, answer) if answer["type"] == "message_ack" else str(answer["code"])

        try:
            await self._send_all(name, send)
        except (AssertionError, WebSocketClosedError):
            if socket.closed is None:
                raise  # closed while it waited, it would be neither acknowledged nor refused

    async def post(self, person: Person, room_id: str, name: str) -> None:
        """The same over REST, until `stop` or until nobody answers."""

        async def send(client_id: str) -> str:
            body = {"content": client_id, "client_id": client_id}
            status, answer = await person.call("POST", f"/chat/sessions/{room_id}/messages", body)
            return self._note(client_id, answer) if status in (200, 201) else str(answer["error"]["code"])

        with suppress(OSError, HTTPError):
            await self._send_all(name, send)

    async def read(self, person: Person, path: str) -> None:
        """One read of a page after another, until `stop`."""
        while self._going:
            started = running_time()
            status, answer = await person.call("GET", path)
            self.slowest = max(self.slowest, running_time() - started)
            if status != 200:
                self.refused.append(answer["error"]["code"])
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send_all(self, name: str, send: Callable[[str], Awaitable[str]]) -> None:
        number = 0
        while self._going:
            number += 1
            self.sent.append(f"{name}-{number}")
            while True:
                started = running_time()
                refused = await send(f"{name}-{number}")
                self.slowest = max(self.slowest, running_time() - started)
                if not refused:
                    break
                self.refused.append(refused)
                if not self._going:
                    return
                await asyncio.sleep(PAUSE_SECONDS)

    def _note(self, client_id: str, answer: dict[str, Any]) -> str:
        assert client_id not in self.acknowledged
        self.acknowledged[client_id] = answer["seq"]
        return ""

    def stop(self) -> None:
        self._going = False


def check(flow: Flow, stored: list[dict[str, Any]], seen: list[dict[str, Any]]) -> None:
    """Acknowledged is stored, once; numbers run from 1 without a gap; what was seen is what is stored."""
    assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1))
    by_client = {message["client_id"]: message["seq"] for message in stored}
    assert len(by_client) == len(stored)
    assert flow.acknowledged.items() <= by_client.items()
    assert [message["seq"] for message in seen] == list(range(1, len(seen) + 1))
    assert [message["client_id"] for message in seen] == [m["client_id"] for m in stored[: len(seen)]]
    # Each sender's messages stand in the order in which they were sent.
    for name in {client_id.partition("-")[0] for client_id in by_client}:
        own = [int(m["client_id"].partition("-")[2]) for m in stored if m["client_id"].startswith(f"{name}-")]
        assert own == sorted(own)


async def start_flow(process: Server) -> tuple[Flow, Person, str, Socket, list[asyncio.Task[None]]]:
    ann = await process.person("ann")
    land = await ann.land()
    listener = await ann.chat(land)
    flow = Flow()
    writers = [await ann.chat(land) for _ in range(4)]
    tasks = [
        asyncio.create_task(flow.write(socket, land, f"w{number}")) for number, socket in enumerate(writers)
    ]
    await until(lambda: len(flow.acknowledged) > 50, "a flow of messages")
    return flow, ann, land, listener, tasks


async def test_the_server_is_killed(process: Process) -> None:
    """SIGKILL in full flow: the database goes too, and the next start has all that was acknowledged."""
    flow, ann, land, listener, tasks = await start_flow(process)
    mongod = process.mongod
    process.signal(signal.SIGKILL)
    assert await process.exit_code() == -signal.SIGKILL
    await asyncio.gather(*tasks)
    await until(lambda: not alive(mongod), "the end of mongod")
    await process.forget_sockets()
    await process.start()
    stored = await process.history(ann.token, land)
    check(flow, stored, listener.taken("message"))
    client_id, seq = next(iter(flow.acknowledged.items()))
    hers = await ann.chat(land)
    again = await hers.ask(
        "message_ack", type="send_message", room_id=land, content="again", client_id=client_id
    )
    assert again["seq"] == seq
    assert len(await process.history(ann.token, land)) == len(stored)


async def recovery(flow: Flow) -> None:
    """Waits until messages flow again, on the sockets that were there all the time."""
    acknowledged = len(flow.acknowledged)
    await until(
        lambda: len(flow.acknowledged) > acknowledged + 50, "messages that are acknowledged again", 90
    )
    # Where the database is back within a deadline, nobody need have been refused at all.
    assert set(flow.refused) <= {"unavailable"}


@pytest.mark.logs("mongod ended|storage_failed")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_database_ends(new_process: NewProcess, number: signal.Signals) -> None:
    """Killed or asked to go, mongod is started again, and nobody has to reconnect."""
    process = new_process("--storage-timeout", "2")
    await process.start()
    flow, ann, land, listener, tasks = await start_flow(process)
    mongod = process.mongod
    os.kill(mongod, number)
    await until(lambda: process.mongod != mongod, "another mongod")
    await recovery(flow)
    flow.stop()
    await asyncio.gather(*tasks)
    assert await process.ready() == 200
    stored = await process.history(ann.token, land)
    await until(lambda: sum(e["type"] == "message" for e in listener.events) == len(stored), "all messages")
    check(flow, stored, listener.taken("message"))
    await process.stop()


@pytest.mark.logs("storage_failed")
async def test_the_database_stands_still(new_process: NewProcess) -> None:
    """SIGSTOP of mongod for longer than the deadline: what was in doubt is told to everybody afterwards."""
    process = new_process("--storage-timeout", "2")
    await process.start()
    flow, ann, land, listener, tasks = await start_flow(process)
    os.kill(process.mongod, signal.SIGSTOP)
    await until(lambda: "unavailable" in flow.refused, "an answer that the database is away")
    assert await process.ready() == 503
    os.kill(process.mongod, signal.SIGCONT)
    await recovery(flow)
    flow.stop()
    await asyncio.gather(*tasks)
    stored = await process.history(ann.token, land)
    await until(lambda: sum(e["type"] == "message" for e in listener.events) == len(stored), "all messages")
    check(flow, stored, listener.taken("message"))
    await process.stop()
