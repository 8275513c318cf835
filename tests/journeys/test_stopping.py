"""SIGTERM in full flow: no new connections, what was accepted is finished and acknowledged, everybody is sent
away for a time of their own, and the process ends well within 30 seconds, whatever stands in its way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from time import monotonic

import pytest

from tests.harness import Person, Server
from tests.journeys.conftest import NewProcess
from tests.journeys.process import POLL_SECONDS, STOP_SECONDS, Process, alive, until
from tests.journeys.test_faults import Flow, check, start_flow


async def stalled(person: Person, room_id: str) -> asyncio.StreamWriter:
    """A client that has joined a room, and reads nothing any more."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    host, port = person.server.origin.removeprefix("http://").split(":")
    connected.connect((host, int(port)))
    reader, writer = await asyncio.open_connection(sock=connected)
    writer.write(
        b"GET /api/v1/ws/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer " + person.token.encode() + b"\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    request = json.dumps({"type": "join_room", "room_id": room_id}).encode()
    writer.write(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
    await reader.readuntil(b"joined_room")
    writer.transport.pause_reading()
    return writer


async def send_again(server: Server, person: Person, room_id: str, flow: Flow) -> None:
    """As their clients do: whatever was not acknowledged."""
    hers = await person.chat(room_id)
    for client_id in flow.sent:
        if client_id not in flow.acknowledged:
            ack = await hers.ask(
                "message_ack", type="send_message", room_id=room_id, content=client_id, client_id=client_id
            )
            flow.acknowledged[client_id] = ack["seq"]
    stored = await server.history(person.token, room_id)
    assert {message["client_id"] for message in stored} == set(flow.sent)
    check(flow, stored, [])


async def test_in_full_flow(process: Process) -> None:
    """With people who write by both doors and with some who read nothing, and asked twice."""
    flow, ann, land, listener, tasks = await start_flow(process)
    silent = [await stalled(ann, land) for _ in range(5)]
    others = [await ann.chat(land) for _ in range(10)]
    tasks += [asyncio.create_task(flow.post(ann, land, f"rest{number}")) for number in range(3)]
    hers = await ann.chat(land)
    for number in range(300):
        flow.sent.append(f"long-{number}")
        await hers.send(
            type="send_message", room_id=land, content=f"{number:04000}", client_id=f"long-{number}"
        )
    await hers.next("message_ack")
    started = monotonic()
    process.signal(signal.SIGTERM)
    await until(lambda: "stopping" in process.stderr.read_text(), "a beginning of the end")
    process.signal(signal.SIGTERM)
    assert await process.ready() != 200
    assert await process.exit_code() == 0
    assert monotonic() - started < STOP_SECONDS
    await asyncio.gather(*tasks)
    closes = [await each.ended() for each in [listener, hers, *others]]
    assert {code for code, _ in closes} == {1012}
    assert len({reason for _, reason in closes}) == len(closes)
    seen = listener.taken("message")
    flow.acknowledged |= {ack["client_id"]: ack["seq"] for ack in hers.taken("message_ack")}
    for writer in silent:
        writer.close()
    await process.forget_sockets()
    await process.start()
    check(flow, await process.history(ann.token, land), seen)
    await send_again(process, ann, land, flow)


@pytest.mark.logs(
    "storage_failed",
    "last_seen_not_kept",
    "closing with heads and read marks unwritten",
    "mongod does not end by itself",
)
async def test_while_the_database_stands_still(new_process: NewProcess) -> None:
    """What cannot be written is refused or left unanswered, and sent again it is there once."""
    process = new_process("--storage-timeout", "2")
    await process.start()
    flow, ann, land, _, tasks = await start_flow(process)
    tasks += [asyncio.create_task(flow.post(ann, land, "rest"))]
    mongod = process.mongod
    os.kill(mongod, signal.SIGSTOP)
    acknowledged = -1
    while acknowledged != len(flow.acknowledged):  # till everybody waits
        acknowledged = len(flow.acknowledged)
        await asyncio.sleep(POLL_SECONDS)
    started = monotonic()
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    assert monotonic() - started < STOP_SECONDS
    await asyncio.gather(*tasks)
    await until(lambda: not alive(mongod), "the end of mongod")
    await process.forget_sockets()
    await process.start()
    await send_again(process, ann, land, flow)
    await process.stop()
