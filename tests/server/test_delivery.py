"""From the hub to the wire: one write a turn, slow readers, silent ones, and how many connections a user may have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from server.broker import ToUsers
from server.codec import encode
from server.errors import LOGGED_OUT
from server.frames import text_frame
from server.hub import Connection
from tests.handlers.client import CLOSE, FIN, PING, PONG, TEXT, Client, Frame, client_frame
from tests.harness import PATIENCE, Person, Server

# A receive buffer this small, and what the kernel keeps for the sender (some MB), fill up soon.
RECEIVE_BUFFER = 4096


class RawSocket(Client):
    """A chat socket whose client reads only when it is told to, and answers nothing by itself."""

    async def open(self, person: Person) -> None:
        """Up to `connected`."""
        await self.connect(person.server.app.port)
        await self.send(self.request("/api/v1/ws/connect", Authorization=f"Bearer {person.token}"))
        assert (await self.response())[0] == 101
        assert (await self.event())["type"] == "connected"

    async def event(self) -> dict[str, Any]:
        return dict(json.loads(await self.message()))

    async def to_the_close(self) -> tuple[list[dict[str, Any]], int | None]:
        """The events up to the close frame, and its code; nothing may follow it (RFC 6455 §5.5.1)."""
        events: list[dict[str, Any]] = []
        while (frame := await self.frame()) is not None and frame.first == FIN | TEXT:
            events.append(json.loads(frame.payload))
        assert frame is not None and frame.first == FIN | CLOSE, frame
        await self.send(client_frame(CLOSE, frame.payload[:2]))
        assert await self.frame() is None, "something followed the close frame"
        return events, frame.code


PINGED = Frame(FIN | PING, b"")
RawChat = Callable[[Person], Awaitable[RawSocket]]


@pytest.fixture
def raw_chat() -> Iterator[RawChat]:
    """Opens chat sockets, closed with the test."""
    opened: list[RawSocket] = []

    async def open(person: Person) -> RawSocket:
        raw = RawSocket(receive_buffer=RECEIVE_BUFFER)
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
        # Who comes back is replayed the rest, in no bigger pieces than the buffer takes.
        his = await bob.chat()
        await his.send(type="resume", rooms=[{"room_id": group, "after_seq": len(events)}])
        assert (await his.next("resumed"))["complete"]
        assert [message["seq"] for message in his.taken("message")] == list(range(len(events) + 1, sent + 1))


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
        await slow.say(encode({"type": "ping", "ref": str(number)}).decode())
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
    async with new_server(heartbeat_seconds=30.0) as server:
        ann, bob, cat = await server.people(3)
        silent, ponging, talking = [await raw_chat(person) for person in (ann, bob, cat)]
        await ponging.send(client_frame(PONG))

        (pong_connection,) = server.app.node.chat.of_user(bob.id)
        for number in range(3):
            server.clock.advance(31)
            for raw in (ponging, talking):
                assert await raw.frame() == PINGED
            assert await silent.frame() == (PINGED if number == 0 else None)
            asked_at = server.clock.now()
            await ponging.send(client_frame(PONG))
            await talking.say('{"type":"ping"}')
            assert (await talking.event())["type"] == "pong"
            while pong_connection.heard_at < asked_at:
                await asyncio.sleep(0.01)
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
