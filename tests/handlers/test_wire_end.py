"""How a wire ends, and what its peer is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from handlers import wire as wires_module
from server.errors import LOGGED_OUT, TOO_SLOW
from server.frames import PING_FRAME, text_frame
from server.outbox import Batch
from tests.handlers.client import (
    CLOSE,
    FIN,
    PING,
    TEXT,
    Client,
    Frame,
    Link,
    client_frame,
    close_payload,
    until,
)
from tests.handlers.echo import EchoServer, Sink
from tests.handlers.steps import (
    PLAIN,
    RECEIVE_BUFFER,
    SMALL,
    a_turn,
    all_ended,
    fall_behind,
    is_paused,
    keep_busy,
    let_go_on,
    numbered,
    the_peer,
)

# The end: how, and what the peer is told

Ending = Callable[[EchoServer, Client], Awaitable[None]]


async def _closes(server: EchoServer, client: Client) -> None:
    await client.send(client_frame(CLOSE, close_payload(1001, "gone")))
    assert await client.frames() == [Frame(FIN | CLOSE, close_payload(1001))]


async def _closes_without_a_code(server: EchoServer, client: Client) -> None:
    await client.send(client_frame(CLOSE))
    assert await client.frames() == [Frame(FIN | CLOSE, b"")]


async def _breaks_the_protocol(server: EchoServer, client: Client) -> None:
    await client.send(b"\xff\xff")
    closing = await client.frame()
    assert closing is not None and closing.code == 1002


async def _ends(server: EchoServer, client: Client) -> None:
    await client.end_sending()
    assert await client.frames() == []


async def _hangs_up(server: EchoServer, client: Client) -> None:
    client.close()


async def _resets(server: EchoServer, client: Client) -> None:
    client.reset()


async def _is_closed(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.close(LOGGED_OUT)
    closing = await client.frame()
    assert closing is not None and closing.code == LOGGED_OUT.code
    await client.send(client_frame(CLOSE, closing.payload))
    assert await client.frames() == []


async def _is_closed_and_resets(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.close(LOGGED_OUT)
    client.reset()


async def _is_closed_twice(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.close(LOGGED_OUT)
    the_peer(server).wire.close(TOO_SLOW)
    closing = await client.frame()
    assert closing is not None and closing.code == LOGGED_OUT.code


async def _both_close(server: EchoServer, client: Client) -> None:
    """At once: the client's frame is on its way when the server's is sent."""
    await client.send(client_frame(CLOSE, close_payload(1000)))
    the_peer(server).wire.close(LOGGED_OUT)
    (closing,) = await client.frames()
    assert closing.code == LOGGED_OUT.code


async def _is_aborted(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.abort()
    assert await client.frames() == []


async def _is_aborted_twice(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.abort()
    the_peer(server).wire.abort()
    the_peer(server).wire.close(LOGGED_OUT)
    assert await client.frames() == []


async def _is_closed_and_aborted(server: EchoServer, client: Client) -> None:
    the_peer(server).wire.close(LOGGED_OUT)
    the_peer(server).wire.abort()
    assert await client.frames() == []


@pytest.mark.parametrize(
    ("ending", "told", "ours"),
    [
        (_closes, 1001, []),
        (_closes_without_a_code, None, []),
        (_breaks_the_protocol, 1002, [1002]),
        (_ends, None, []),
        (_hangs_up, None, []),
        (_resets, None, []),
        (_is_closed, LOGGED_OUT.code, [LOGGED_OUT.code]),
        (_is_closed_and_resets, LOGGED_OUT.code, [LOGGED_OUT.code]),
        (_is_closed_twice, LOGGED_OUT.code, [LOGGED_OUT.code]),
        (_both_close, LOGGED_OUT.code, [LOGGED_OUT.code]),
        (_is_aborted, None, []),
        (_is_aborted_twice, None, []),
        (_is_closed_and_aborted, LOGGED_OUT.code, [LOGGED_OUT.code]),
    ],
)
async def test_the_peer_is_told_of_each_end_once(
    ending: Ending, told: int | None, ours: list[int], link: Link
) -> None:
    """With the code of the first close frame; closes of ours are counted; nothing is sent after it."""
    counted: list[int] = []
    async with link.server() as server, link.client(server) as client:
        server.wires.on_close = counted.append
        wire = the_peer(server).wire
        assert wire.is_open
        await ending(server, client)
        client.close()
        await all_ended(server)
        wire.send(text_frame(b"too late"))
        server.wires.share(Batch(), [wire])
        wire.close(LOGGED_OUT)
        wire.abort()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (wire.is_open, wire.backlog) == (False, 0)
        assert the_peer(server).ended_with == [told]
        assert counted == ours


async def test_the_peer_is_told_of_the_end_later_than_it_is_made() -> None:
    """It may be in the middle of a delivery to this very wire."""
    async with PLAIN.server() as server, PLAIN.client(server):
        peer = the_peer(server)
        peer.wire.abort()
        assert peer.ended_with == []
        await asyncio.sleep(0)
        assert peer.ended_with == [None]


async def test_what_is_queued_arrives_before_the_close_frame_and_nothing_after_it(link: Link) -> None:
    """The server hangs up as soon as both have closed (RFC 6455 §7.1.1), without the client's doing."""
    async with link.server() as server, link.client(server) as client:
        wire = the_peer(server).wire
        wire.send(text_frame(b"before"))
        wire.close(LOGGED_OUT)
        wire.send(text_frame(b"after"))
        wire.send(PING_FRAME)
        assert await client.message() == "before"
        closing = await client.frame()
        assert closing == Frame(FIN | CLOSE, close_payload(LOGGED_OUT.code, LOGGED_OUT.reason))
        # What it says before it agrees is read and not served.
        await client.say("late")
        await client.send(client_frame(PING, b"late") + client_frame(CLOSE, close_payload(LOGGED_OUT.code)))
        assert await client.frames() == []
        assert the_peer(server).served == 0


async def test_what_follows_a_clients_close_frame_is_not_served(link: Link) -> None:
    """Messages before it are, and answered before the close frame."""
    async with link.server() as server, link.client(server) as client:
        data = client_frame(TEXT, b"before") + client_frame(CLOSE, close_payload(1000))
        await client.send(data + client_frame(TEXT, b"after"))
        assert await client.message() == "before"
        assert await client.frame() == Frame(FIN | CLOSE, close_payload(1000))
        assert the_peer(server).served == 1


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_clients_close_code_is_sent_back(code: int) -> None:
    """Without its reason."""
    async with PLAIN.server() as server, PLAIN.client(server) as client:
        await client.send(client_frame(CLOSE, close_payload(code, "because")))
        assert await client.frames() == [Frame(FIN | CLOSE, close_payload(code))]
        await all_ended(server)
        assert the_peer(server).ended_with == [code]


async def test_one_who_does_not_answer_a_close_frame_is_cut(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After CLOSE_SECONDS, though it goes on talking."""
    monkeypatch.setattr(wires_module, "CLOSE_SECONDS", SMALL)
    async with link.server() as server, link.client(server) as client:
        the_peer(server).wire.close(LOGGED_OUT)
        await client.say("still here")
        (closing,) = await client.frames()
        assert closing.code == LOGGED_OUT.code
        assert (the_peer(server).ended_with, the_peer(server).served) == ([LOGGED_OUT.code], 0)
        assert not server.wires.open


async def test_one_who_does_not_read_its_close_frame_is_cut(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind what it does not read either."""
    monkeypatch.setattr(wires_module, "CLOSE_SECONDS", SMALL)
    async with link.server() as server, link.client(server, RECEIVE_BUFFER):
        peer = the_peer(server)
        await fall_behind(peer.wire)
        peer.wire.close(LOGGED_OUT)
        await all_ended(server)
        assert peer.ended_with == [LOGGED_OUT.code]


async def test_what_was_sent_before_the_end_is_served(link: Link) -> None:
    """All of it, in order, though the end is known long before: messages, and one that takes time."""
    async with link.server() as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        await client.say(*["x"] * 5000)
        await client.end_sending()
        await until(lambda: peer.served == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (peer.served, peer.ended_with) == (1, [])
        let_go_on(peer)
        await all_ended(server)
        assert (peer.served, peer.ended_with) == (5000, [None])


@pytest.mark.parametrize("count", [1, 31, 32, 33, 40, 1000])
async def test_what_was_sent_before_the_end_is_answered(count: int) -> None:
    """To the last message: one who sends no more may still read. (With TLS nobody can.)"""
    async with PLAIN.server() as server, PLAIN.client(server) as client:
        await client.say(*["x"] * count)
        await client.end_sending()
        assert await client.frames() == [Frame(FIN | TEXT, b"x")] * count


async def test_what_was_sent_before_a_clients_close_frame_is_served_and_answered(link: Link) -> None:
    """However much it is: the close frame comes after the last answer."""
    async with link.server() as server, link.client(server) as client:
        await client.say(*["x"] * 5000)
        await client.send(client_frame(CLOSE, close_payload(1000)))
        *answers, closing = await client.frames()
        assert answers == [Frame(FIN | TEXT, b"x")] * 5000
        assert closing.code == 1000


async def test_a_reset_while_a_message_is_served_ends_cleanly(link: Link) -> None:
    """What came before it is served; the answers go nowhere."""
    async with link.server() as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        await client.say("one", "two")
        assert await client.message() == "one"
        client.reset()
        await a_turn()
        let_go_on(peer)
        await all_ended(server)
        assert (peer.served, peer.ended_with) == (2, [None])


async def test_a_reset_of_one_who_is_behind_ends_cleanly(link: Link) -> None:
    """In the middle of a write."""
    async with link.server() as server, link.client(server, RECEIVE_BUFFER) as client:
        peer = the_peer(server)
        await fall_behind(peer.wire)
        peer.wire.send(numbered(0))
        client.reset()
        await all_ended(server)
        assert (peer.ended_with, peer.wire.backlog) == ([None], 0)


@pytest.mark.logs("Uncaught exception GET")
async def test_a_connection_that_cannot_begin_is_cut(link: Link) -> None:
    """It leaves no wire that nobody reads, and its peer is told; the next one is served."""
    async with link.server() as server:
        server.failing = True
        async with link.client(server) as client:
            assert await client.frame() is None
        await all_ended(server)
        assert server.peers[0].ended_with == [None]
        server.failing = False
        async with link.client(server) as client:
            await client.say("hello")
            assert await client.message() == "hello"


async def test_one_who_is_gone_before_its_handshake_is_served_leaves_nothing(link: Link) -> None:
    """Not a wire, and not a line in the log, whenever it is found out; others are served."""
    async with link.server() as server:
        for early in (b"", client_frame(TEXT, b"early")):
            async with link.caller(server) as client:
                await client.send(client.request() + early)
                client.reset()
            async with link.caller(server) as client:
                await client.send(client.request() + early)
                client.close()
            async with link.caller(server) as client:
                await client.send(client.request() + early)
                await client.end_sending()
        async with link.client(server) as client:
            await client.say("hello")
            assert await client.message() == "hello"
        await all_ended(server)
        assert all(peer.ended_with == [None] for peer in server.peers)


async def test_a_wire_can_be_aborted_while_a_message_is_served(link: Link) -> None:
    """The message's end changes nothing any more."""
    async with link.server() as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        await client.say("one", "two")
        assert await client.message() == "one"
        peer.wire.abort()
        let_go_on(peer)
        await all_ended(server)
        assert await client.frames() == []
        assert (peer.served, peer.ended_with) == (1, [None])


async def test_a_wire_can_be_aborted_from_within_a_message(link: Link) -> None:
    """Whatever else has been read by then is not served."""

    class Impatient(Sink):
        def received(self, message: str | bytes) -> asyncio.Future[None] | None:
            super().received(message)
            if message == "last":
                self.wire.abort()
            return None

    async with link.server() as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        await client.say("first")
        await until(lambda: peer.served == 1)
        # More than is read ahead: reading has stopped when the last is served.
        await client.say("last", *["x" * 30_000] * 3)
        await until(lambda: is_paused(peer.wire))
        impatient = Impatient(peer.wire)
        let_go_on(peer)
        await until(lambda: impatient.ended_with)
        await a_turn()
        assert (impatient.served, impatient.ended_with) == (1, [None])


async def test_a_wire_can_be_closed_from_within_a_message(link: Link) -> None:
    """The answers so far, then the close frame, then nothing."""

    class Refusing(Sink):
        def received(self, message: str | bytes) -> asyncio.Future[None] | None:
            super().received(message)
            self.wire.send(text_frame(b"no"))
            if self.served == 3:
                self.wire.close(LOGGED_OUT)
            return None

    async with link.server() as server, link.client(server) as client:
        refusing = Refusing(the_peer(server).wire)
        await client.say(*["x"] * 1000)
        found = [await client.frame() for _ in range(4)]
        assert found[:3] == [Frame(FIN | TEXT, b"no")] * 3
        assert found[3] == Frame(FIN | CLOSE, close_payload(LOGGED_OUT.code, LOGGED_OUT.reason))
        await client.send(client_frame(CLOSE, close_payload(LOGGED_OUT.code)))
        assert await client.frames() == []
        assert (refusing.served, refusing.ended_with) == (3, [LOGGED_OUT.code])
