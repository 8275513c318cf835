"""SIGTERM in full flow: no new connections, what was accepted is finished and acknowledged, everybody is sent
away for a time of their own, and the process ends well within 30 seconds, whatever stands in its way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from time import monotonic
from typing import Any

import pytest

from storage.keyring import Keyring
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


class Kept:
    """A connection for plain HTTP that is kept open between requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, server: Server) -> Kept:
        return cls(*await asyncio.open_connection("127.0.0.1", server.app.port))

    async def get(self, path: str, *headers: str) -> str:
        """The status line and what else comes with it."""
        lines = [f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]
        self._writer.write("\r\n".join(lines).encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        if "Content-Length: " in head:
            await self._reader.readexactly(int(head.partition("Content-Length: ")[2].split()[0]))
        return head

    async def close_code(self) -> int:
        """Of the close frame that comes next."""
        return int.from_bytes((await self._reader.readexactly(4))[2:])

    def close(self) -> None:
        self._writer.close()


async def test_who_comes_while_it_stops(
    mongodb_uri: str, database_name: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New connections are refused; on those that are open already /readyz and all else is 503, a new socket is
    told 1012 and a request on an open one changes nothing; what was asked before is finished first."""
    server = Server(mongodb_uri, database_name, keyring)
    await server.start()
    ann = await server.person()
    land = await ann.land()
    hers = await ann.chat(land)
    probe, other, late = [await Kept.open(server) for _ in range(3)]
    assert "200 OK" in await probe.get("/readyz")
    insert, let_go, under_way = server.store.writer._insert, asyncio.Event(), asyncio.Event()

    async def slow(documents: Any) -> int:
        under_way.set()
        await let_go.wait()
        return await insert(documents)

    monkeypatch.setattr(server.store.writer, "_insert", slow)
    await hers.send(type="send_message", room_id=land, content="before", client_id="before")
    await under_way.wait()
    stopping = asyncio.ensure_future(server.app.stop())
    while server.app.node.ready:
        await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await Kept.open(server)
    assert "503" in await probe.get("/readyz")
    asked = await other.get(f"/api/v1/lands/{land}", f"Authorization: Bearer {ann.token}")
    assert "503" in asked and "Retry-After: " in asked
    upgrade = await late.get(
        "/api/v1/ws/connect",
        *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Authorization: Bearer {ann.token}"),
    )
    assert "101" in upgrade
    assert await late.close_code() == 1012
    late.close()
    await hers.send(type="send_message", room_id=land, content="after", client_id="after")
    let_go.set()
    await stopping
    assert (await hers.ended())[0] == 1012
    assert [ack["client_id"] for ack in hers.taken("message_ack")] == ["before"]
    for connection in (probe, other):
        connection.close()
    monkeypatch.undo()
    await hers.close()
    await server.start_again()
    hers = await ann.chat(land)
    for client_id in ("before", "after", "after"):
        await hers.ask(
            "message_ack", type="send_message", room_id=land, content=client_id, client_id=client_id
        )
    assert [m["content"] for m in await server.history(ann.token, land)] == ["before", "after"]
    await server.stop()


@pytest.mark.logs(
    "storage_failed",
    "last_seen_not_kept",
    "closing with heads and read marks unwritten",
)
async def test_while_the_database_stands_still(new_process: NewProcess) -> None:
    """What cannot be written is refused or left unanswered, and sent again it is there once."""
    process = new_process("--storage-timeout", "1")
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
