"""Real faults in full flow: whatever was acknowledged is there, once, in one order for all."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.harness import Person, Socket
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process, alive, until


class Flow:
    """Several people who write into one land until told to stop, and one who listens."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}  # client id → seq
        self.refused: list[str] = []  # codes
        self._going = True

    async def write(self, socket: Socket, room_id: str, name: str) -> None:
        """One message after another, each under its own client id, until `stop` or the end of the socket."""
        number = 0
        while self._going and socket.closed is None:
            number += 1
            client_id = f"{name}-{number}"
            try:
                answer = await socket.answer_to(
                    type="send_message", room_id=room_id, content=client_id, client_id=client_id
                )
            except AssertionError:
                return  # closed while it waited: neither acknowledged nor refused
            if answer["type"] == "message_ack":
                self.acknowledged[client_id] = answer["seq"]
            else:
                self.refused.append(answer["code"])

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


async def start_flow(process: Process) -> tuple[Flow, Person, str, Socket, list[asyncio.Task[None]]]:
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
async def test_the_database_is_killed(new_process: NewProcess) -> None:
    """SIGKILL of mongod: it is started again, and nobody has to reconnect."""
    process = new_process("--storage-timeout", "2")
    await process.start()
    flow, ann, land, listener, tasks = await start_flow(process)
    mongod = process.mongod
    os.kill(mongod, signal.SIGKILL)
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
