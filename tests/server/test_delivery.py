"""From the hub to the wire: one write a turn, slow readers, silent ones, and how many connections a user may have."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from server.broker import ToUsers
from server.codec import encode
from server.errors import LOGGED_OUT
from server.frames import text_frame
from server.hub import Connection
from tests.harness import PATIENCE, Person, Server

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
# A receive buffer this small, and what the kernel keeps for the sender (some MB), fill up soon.
RECEIVE_BUFFER = 4096


class RawSocket:
    """A WebSocket client that reads only when it is told to, and answers nothing by itself."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.setblocking(False)
        self._data = b""
        self._loop = asyncio.get_running_loop()

    async def open(self, person: Person) -> None:
        """Up to `connected`."""
        port = person.server.app.port
        await self._loop.sock_connect(self._socket, ("127.0.0.1", port))
        request = (
            "GET /api/v1/ws/connect HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {person.token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        )
        await self._loop.sock_sendall(self._socket, request.encode())
        while b"\r\n\r\n" not in self._data:
            await self._receive()
        self._data = self._data.partition(b"\r\n\r\n")[2]
        assert (await self.event())["type"] == "connected"

    async def send(self, opcode: int, payload: bytes) -> None:
        """A short frame, with a mask of zeros."""
        assert len(payload) < 126
        await self._loop.sock_sendall(self._socket, bytes((opcode, 0x80 | len(payload))) + bytes(4) + payload)

    async def frame(self) -> tuple[int, bytes] | None:
        """The next (first byte, payload); None at the end of the stream."""
        if not await self._have(2):
            assert not self._data, "the stream ends within a frame"
            return None
        opcode, size, start = self._data[0], self._data[1], 2
        if size == 126:
            await self._have(4)
            (size,), start = struct.unpack("!H", self._data[2:4]), 4
        elif size == 127:
            await self._have(10)
            (size,), start = struct.unpack("!Q", self._data[2:10]), 10
        assert await self._have(start + size)
        payload, self._data = self._data[start : start + size], self._data[start + size :]
        return opcode, payload

    async def event(self) -> dict[str, Any]:
        frame = await self.frame()
        assert frame is not None and frame[0] == TEXT, frame
        return dict(json.loads(frame[1]))

    async def to_the_close(self) -> tuple[list[dict[str, Any]], int]:
        """The events up to the close frame, and its code; nothing may follow it (RFC 6455 §5.5.1)."""
        events: list[dict[str, Any]] = []
        while (frame := await self.frame()) is not None and frame[0] == TEXT:
            events.append(json.loads(frame[1]))
        assert frame is not None and frame[0] == CLOSE, frame
        await self.send(CLOSE, frame[1][:2])
        assert await self.frame() is None, "something followed the close frame"
        return events, struct.unpack("!H", frame[1][:2])[0]

    def close(self) -> None:
        self._socket.close()

    async def _have(self, count: int) -> bool:
        while len(self._data) < count:
            if not await self._receive():
                return False
        return True

    async def _receive(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            data = await self._loop.sock_recv(self._socket, 1_000_000)
        self._data += data
        return bool(data)


RawChat = Callable[[Person], Awaitable[RawSocket]]


@pytest.fixture
def raw_chat() -> Iterator[RawChat]:
    """Opens chat sockets, closed with the test."""
    opened: list[RawSocket] = []

    async def open(person: Person) -> RawSocket:
        raw = RawSocket()
        opened.append(raw)
        await raw.open(person)
        return raw

    yield open
    for raw in opened:
        raw.close()


def connection_of(person: Person) -> Connection:
    (connection,) = person.server.app.node.chat.of_user(person.id)
    return connection


def deliver(person: Person, event: dict[str, Any], key: str | None = None) -> None:
    person.server.app.node.chat.deliver(ToUsers([person.id]), encode(event), key)


async def fall_behind(person: Person) -> int:
    """Delivers numbered events, a turn each, until the socket of somebody who does not read is full; how many."""
    count = 0
    while not connection_of(person).backlog:
        deliver(person, {"number": count, "filling": "x" * 30_000})
        count += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return count


# Writing


async def test_what_one_turn_of_the_loop_brings_leaves_in_one_write(server: Server) -> None:
    """For each connection, in order; the next turn is another write."""
    ann, bob = await server.people(2)
    hers, his = await ann.chat(), await bob.chat()
    writes: dict[str, list[bytes]] = {ann.id: [], bob.id: []}
    for wire in server.app._wires.open:
        assert isinstance(wire.peer, Connection)
        transport, written = wire._transport, writes[wire.peer.user_id]

        class Watched:
            """The transport, and what it was told to write."""

            def __getattr__(self, name: str, transport: Any = transport) -> Any:
                return getattr(transport, name)

            def write(self, data: bytes, transport: Any = transport, to: list[bytes] = written) -> Any:
                to.append(data)
                return transport.write(data)

        wire._transport = Watched()
    for number in range(10):
        server.app.node.chat.deliver(
            ToUsers([ann.id, bob.id]), encode({"type": "n", "number": number}), "key"
        )
    for socket_ in (hers, his):
        await socket_.next("n", number=9)
        assert [event["number"] for event in socket_.events] == list(range(9))
    frames = b"".join(text_frame(encode({"type": "n", "number": number})) for number in range(10))
    assert writes == {ann.id: [frames], bob.id: [frames]}
    deliver(ann, {"type": "n", "number": 10})
    await hers.next("n", number=10)
    assert len(writes[ann.id]) == 2


# Slow readers


async def test_a_slow_reader_is_let_go_and_the_others_go_on(
    new_server: Callable[..., Server], raw_chat: RawChat
) -> None:
    """4008 once more is waiting than the buffer holds; what it got until then has no gap."""
    async with new_server(buffer_bytes=100_000) as server:
        ann, bob, cat = await server.people(3)
        group = await ann.group(bob, cat)
        hers, cats, slow = await ann.chat(), await cat.chat(), await raw_chat(bob)
        content, sent = "😀" * 4000, 0
        while server.app.node.chat.is_online(bob.id):
            await asyncio.gather(
                *(
                    hers.ask("message_ack", type="send_message", room_id=group, content=content)
                    for _ in range(20)
                )
            )
            sent += 20
            assert sent < 5000, "the buffer has no bound"
        events, code = await slow.to_the_close()
        assert code == 4008
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        await cats.next("message", seq=sent)
        assert [message["seq"] for message in cats.taken("message")] == list(range(1, sent))
        # Who comes back reads on in the history.
        page = await bob.ok("GET", f"/chat/sessions/{group}/messages?after={len(events)}&limit=1")
        assert page["messages"][0]["seq"] == len(events) + 1


async def test_while_a_reader_is_behind_the_newest_of_a_kind_is_kept(
    server: Server, raw_chat: RawChat
) -> None:
    """One of each key; answers to requests are all there; all of it within the buffer."""
    (ann,) = await server.people(1)
    slow = await raw_chat(ann)
    count = await fall_behind(ann)
    for number in range(1000):
        deliver(ann, {"state": number, "filling": "x" * 10_000}, key="state")
        deliver(ann, {"other": number}, key="other")
    for number in range(20):
        await slow.send(TEXT, encode({"type": "ping", "ref": str(number)}))
    events = [await slow.event() for _ in range(count + 2 + 20)]
    assert [event["number"] for event in events[:count]] == list(range(count))
    assert (events[count]["state"], events[count + 1]["other"]) == (999, 999)
    assert [event["ref"] for event in events[count + 2 :]] == [str(number) for number in range(20)]
    deliver(ann, {"type": "after"})
    assert await slow.event() == {"type": "after"}


async def test_a_connection_ends_after_what_is_queued(server: Server, raw_chat: RawChat) -> None:
    """A slow reader too gets what was waiting, then the close frame, then nothing."""
    (ann,) = await server.people(1)
    slow = await raw_chat(ann)
    count = await fall_behind(ann)
    for number in range(count, count + 5):
        deliver(ann, {"number": number})
    connection_of(ann).close(LOGGED_OUT)
    deliver(ann, {"number": "too late"})
    events, code = await slow.to_the_close()
    assert code == 4003
    assert [event["number"] for event in events] == list(range(count + 5))


# Silence


async def test_a_silent_connection_is_pinged_and_then_closed(
    new_server: Callable[..., Server], raw_chat: RawChat
) -> None:
    """At the interval, and after two of them; any sign of life keeps it."""
    async with new_server(heartbeat_seconds=1.0) as server:
        ann, bob, cat = await server.people(3)
        silent, ponging, talking = [await raw_chat(person) for person in (ann, bob, cat)]
        await ponging.send(PONG, b"")

        async def answer_pings() -> None:
            for _ in range(3):
                assert await ponging.frame() == (PING, b"")
                await ponging.send(PONG, b"")

        async def talk() -> None:
            for _ in range(3):
                assert await talking.frame() == (PING, b"")
                await talking.send(TEXT, b'{"type":"ping"}')
                assert (await talking.event())["type"] == "pong"

        async def say_nothing() -> None:
            frames = []
            while (frame := await silent.frame()) is not None:
                frames.append(frame)
            assert frames and set(frames) == {(PING, b"")}

        await asyncio.gather(answer_pings(), talk(), say_nothing())
        assert not server.app.node.chat.is_online(ann.id)
        assert server.app.node.chat.is_online(bob.id)
        for raw in (silent, ponging, talking):
            raw.close()


async def test_connected_says_all_that_a_client_starts_with(new_server: Callable[..., Server]) -> None:
    """Every field; each connection has an id of its own."""
    async with new_server(heartbeat_seconds=7) as server:
        (ann,) = await server.people(1)
        found = []
        for _ in range(2):
            socket_ = await server.connect(token=ann.token)
            connected = await socket_.next("connected")
            assert connected.pop("server_time").endswith("Z")
            found.append(connected.pop("connection_id"))
            assert connected == {
                "type": "connected",
                "protocol": 1,
                "user_id": ann.id,
                "username": ann.name,
                "heartbeat_seconds": 7,
            }
        assert found[0] != found[1]


# How many


@pytest.mark.parametrize("path", ["/ws/connect", "/webrtc/signal"])
async def test_a_user_has_so_many_connections_and_no_more(
    path: str, new_server: Callable[..., Server]
) -> None:
    """However many are opened at once; the others get 1013 and a time, and room is made by closing one."""
    async with new_server(rate_limits=True, connections_per_user=3) as server:
        ann, bob = await server.people(2)
        sockets = await asyncio.gather(*(server.connect(path, token=ann.token) for _ in range(10)))
        async with asyncio.timeout(PATIENCE):
            while sum(bool(each.events or each.closed) for each in sockets) < 10:
                await asyncio.sleep(0.01)
        refused = [each for each in sockets if not each.events]
        assert len(refused) == 7
        for each in refused:
            code, reason = await each.ended()
            assert code == 1013
            assert float(str(reason).removeprefix("retry_after=")) > 0
        await (await server.connect(path, token=bob.token)).next("connected")
        await next(each for each in sockets if each.events).close()
        await (await server.connect(path, token=ann.token)).next("connected")


async def test_without_rate_limits_nobody_counts_connections(new_server: Callable[..., Server]) -> None:
    """For benchmarks."""
    async with new_server(rate_limits=False, connections_per_user=1) as server:
        (ann,) = await server.people(1)
        for _ in range(3):
            await ann.chat()
