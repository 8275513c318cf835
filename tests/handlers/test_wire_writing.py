"""What a wire writes: to slow readers, in batches that many share, and in which order."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import cast

import pytest

from handlers.wire import Wire
from server.errors import LOGGED_OUT, TOO_SLOW
from server.frames import close_frame, frame, text_frame
from server.hub import Connection, Room
from server.outbox import Batch
from tests.handlers.client import (
    BINARY,
    CLOSE,
    FIN,
    Frame,
    Link,
    client_frame,
    close_payload,
)
from tests.handlers.echo import EchoServer
from tests.handlers.steps import (
    BUFFER_BYTES,
    PLAIN,
    RECEIVE_BUFFER,
    a_turn,
    fall_behind,
    number_of,
    numbered,
    the_peer,
)

# Slow readers


async def test_a_slow_reader_gets_all_when_it_reads(link: Link) -> None:
    """What is within the bound waits for it, in order."""
    async with (
        link.server(buffer_bytes=BUFFER_BYTES) as server,
        link.client(server, RECEIVE_BUFFER) as client,
    ):
        wire = the_peer(server).wire
        count = await fall_behind(wire)
        for number in range(count, count + 3):
            wire.send(numbered(number))
            await a_turn()
        assert wire.backlog > 3 * 30_000
        found = [number_of(message) for message in await client.messages(count + 3)]
        assert found == list(range(count + 3))
        assert wire.backlog == 0
        wire.send(text_frame(b"after"))
        assert await client.message() == "after"


async def test_a_slow_reader_is_let_go_with_frames_of_its_own(link: Link) -> None:
    """4008 when more waits than the bound; what it gets has no gap, and the close frame is the last."""
    async with (
        link.server(buffer_bytes=BUFFER_BYTES) as server,
        link.client(server, RECEIVE_BUFFER) as client,
    ):
        peer = the_peer(server)
        count = await fall_behind(peer.wire)
        for number in range(count, count + 4):
            peer.wire.send(numbered(number))
        assert not peer.wire.is_open
        assert [number_of(message) for message in await client.messages(count)] == list(range(count))
        assert await client.frame() == Frame(FIN | CLOSE, close_payload(TOO_SLOW.code, TOO_SLOW.reason))
        await client.send(client_frame(CLOSE, close_payload(TOO_SLOW.code)))
        assert await client.frames() == []
        assert peer.ended_with == [TOO_SLOW.code]


async def test_a_slow_reader_is_let_go_with_batches(link: Link) -> None:
    """4008 for it alone; another that shares them gets all."""
    async with (
        link.server(buffer_bytes=BUFFER_BYTES) as server,
        link.client(server, RECEIVE_BUFFER) as client,
        link.client(server) as other,
    ):
        slow, quick = server.peers
        count = await fall_behind(slow.wire)
        room = room_of(server, slow.wire, quick.wire)
        for number in range(count, count + 10):
            room.send(numbered(number))
            assert number_of(await other.message()) == number
        await a_turn()
        assert not slow.wire.is_open and quick.wire.is_open
        assert [number_of(message) for message in await client.messages(count)] == list(range(count))
        closing = await client.frame()
        assert closing is not None and closing.code == TOO_SLOW.code


async def test_a_room_of_slow_readers_alone_is_bounded_too(link: Link) -> None:
    """Its batch is sealed with the turn, though none of them is written to."""
    async with link.server(buffer_bytes=BUFFER_BYTES) as server, link.client(server, RECEIVE_BUFFER):
        wire = the_peer(server).wire
        await fall_behind(wire)
        room = room_of(server, wire)
        for number in range(20):
            room.send(numbered(number))
            await a_turn()
        assert not wire.is_open
        assert wire._outbox.size < BUFFER_BYTES


async def test_a_turn_with_more_to_say_than_the_bound_is_no_slowness(link: Link) -> None:
    """Of one who reads, as much as the kernel takes."""
    async with link.server(buffer_bytes=1000) as server, link.client(server) as client:
        wire = the_peer(server).wire
        for number in range(30):
            wire.send(text_frame(str(number).encode() + b" " * 500))
        assert [number_of(message) for message in await client.messages(30)] == list(range(30))
        room = room_of(server, wire)
        for number in range(30):
            room.send(text_frame(str(number).encode() + b" " * 500))
        assert [number_of(message) for message in await client.messages(30)] == list(range(30))


async def test_while_a_reader_is_behind_a_frame_replaces_the_one_with_its_key(link: Link) -> None:
    """In its place; while it is not behind, all go out."""
    async with link.server() as server, link.client(server, RECEIVE_BUFFER) as client:
        wire = the_peer(server).wire
        for number in range(3):
            wire.send(text_frame(str(number).encode()), "key")
        assert await client.messages(3) == ["0", "1", "2"]
        count = await fall_behind(wire)
        for number in range(3):
            wire.send(text_frame(f"key {number}".encode()), "key")
            wire.send(text_frame(f"alone {number}".encode()))
        await client.messages(count)
        assert await client.messages(4) == ["key 2", "alone 0", "alone 1", "alone 2"]


# Batches


def room_of(server: EchoServer, *members: Wire) -> Room:
    """The hub's, straight on the wires, which are what its connections stand for."""

    def share(batch: Batch, readers: Collection[Connection]) -> None:
        server.wires.share(batch, cast("list[Wire]", list(readers)))

    room = Room(share)
    for wire in members:
        room.add(cast("Connection", wire))
    return room


@pytest.mark.parametrize("seed", range(5))
async def test_batches_and_frames_arrive_once_and_in_order(seed: int, link: Link) -> None:
    """Whatever is said to two rooms and to each alone, within a turn and over several, by one who is behind too."""
    choose = random.Random(seed)
    async with (
        link.server(buffer_bytes=16_000_000) as server,
        link.client(server) as ann,
        link.client(server) as bob,
        link.client(server, RECEIVE_BUFFER) as cat,
    ):
        clients = [ann, bob, cat]
        wires = [peer.wire for peer in server.peers]
        rooms = [(room_of(server, *wires), (0, 1, 2)), (room_of(server, *wires[1:]), (1, 2))]
        behind = await fall_behind(wires[2])
        expected: list[list[str]] = [[], [], []]
        for number in range(400):
            text = f"{number}"
            what = choose.choice(["alone", "room", "room", "room", "turn"])
            if what == "alone":
                to = choose.randrange(3)
                wires[to].send(text_frame(text.encode()))
                expected[to].append(text)
            elif what == "room":
                room, members = choose.choice(rooms)
                room.send(text_frame(text.encode()))
                for to in members:
                    expected[to].append(text)
            else:
                await a_turn()
        await cat.messages(behind)
        for client, texts in zip(clients, expected, strict=True):
            assert await client.messages(len(texts)) == texts


async def test_a_batch_leaves_as_the_same_bytes_for_everybody() -> None:
    """Joined once; what is added until the end of the turn is in it."""
    async with PLAIN.server() as server, PLAIN.client(server) as ann, PLAIN.client(server) as bob:
        batch = Batch()
        server.wires.share(batch, [peer.wire for peer in server.peers])
        for letter in (b"a", b"b", b"c"):
            batch.add(text_frame(letter))
        assert not batch.sealed
        for client in (ann, bob):
            assert await client.messages(3) == ["a", "b", "c"]
        assert batch.sealed
        assert batch.seal() is batch.seal()


async def test_a_close_frame_seals_the_batch_before_it(link: Link) -> None:
    """What is said after a wire was closed is not for it, though the turn goes on."""
    async with link.server() as server, link.client(server) as ann, link.client(server) as bob:
        room = room_of(server, *(peer.wire for peer in server.peers))
        room.send(text_frame(b"before"))
        server.peers[0].wire.close(LOGGED_OUT)
        room.send(text_frame(b"after"))
        assert await bob.messages(2) == ["before", "after"]
        assert await ann.message() == "before"
        closing = await ann.frame()
        assert closing is not None and closing.first == FIN | CLOSE


async def test_a_large_frame_leaves_whole(link: Link) -> None:
    """Larger than the bound and than what the kernel takes: nothing else waits, so it goes."""
    async with link.server(buffer_bytes=1000) as server, link.client(server) as client:
        wire = the_peer(server).wire
        large = b"x" * 20_000_000
        wire.send(frame(BINARY, large))
        await a_turn()
        assert wire.backlog > 0
        assert await client.message() == large
        wire.close(LOGGED_OUT)
        closing = close_frame(LOGGED_OUT.code, LOGGED_OUT.reason)
        assert await client.frame() == Frame(FIN | CLOSE, closing[2:])
