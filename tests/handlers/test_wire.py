"""The wire over real sockets, with TLS and without: the handshake, messages, and the pace."""

from __future__ import annotations

import asyncio

import pytest

from handlers.base import HEADERS
from handlers.transport import RECEIVE_BYTES
from handlers.wire import FRAMES_A_TURN
from tests.handlers.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    Client,
    Frame,
    Link,
    client_frame,
    close_payload,
    until,
)
from tests.handlers.echo import Sink
from tests.handlers.steps import (
    MANY,
    PLAIN,
    RECEIVE_BUFFER,
    a_turn,
    all_ended,
    fall_behind,
    is_paused,
    keep_busy,
    let_go_on,
    number_of,
    the_peer,
)
from tests.harness import Server

# The handshake


async def test_the_upgrade_is_answered(link: Link) -> None:
    """101 with the digest of the client's key; no protocol of one who offered none, and no extensions."""
    async with link.server() as server, link.caller(server) as client:
        await client.send(client.request(**{"Sec-WebSocket-Extensions": "permessage-deflate"}))
        status, headers = await client.response()
        assert status == 101
        assert headers == {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": client.accept,
        }
        await client.say("hello")
        assert await client.message() == "hello"


async def test_a_protocol_that_is_not_chosen_is_not_named(link: Link) -> None:
    """Which the client takes as none (RFC 6455 §4.2.2)."""
    async with link.server() as server, link.caller(server) as client:
        await client.send(client.request(**{"Sec-WebSocket-Protocol": "chat, other"}))
        status, headers = await client.response()
        assert (status, headers.get("sec-websocket-protocol")) == (101, None)


@pytest.mark.logs(r"^tornado.access WARNING 400 GET /")
@pytest.mark.parametrize(
    ("header", "value"), [("Sec-WebSocket-Key", None), ("Upgrade", None), ("Connection", "close")]
)
async def test_what_is_no_upgrade_is_refused(header: str, value: str | None) -> None:
    """Over HTTP; no wire is made."""
    async with PLAIN.server() as server, PLAIN.caller(server) as client:
        await client.send(client.request(**{header: value}))
        assert (await client.response())[0] == 400
        assert not server.wires.open


@pytest.mark.parametrize("path", ["/api/v1/ws/connect", "/api/v1/webrtc/signal"])
@pytest.mark.parametrize("version", ["8", "14", None])
async def test_another_version_of_the_protocol_is_refused(
    path: str, version: str | None, server: Server
) -> None:
    """426 with the version that we speak (RFC 6455 §4.4), by the handler of both sockets; no wire is made."""
    client = Client()
    await client.connect(server.app.port)
    await client.send(client.request(path, **{"Sec-WebSocket-Version": version}))
    status, headers = await client.response()
    client.close()
    assert (status, headers.get("sec-websocket-version")) == (426, "13")
    assert headers.get("x-request-id")
    for name, value in HEADERS.items():
        assert headers.get(name.lower()) == value
    assert not server.app._wires.open


async def test_frames_that_come_with_the_handshake_are_served(link: Link) -> None:
    """In the same segment, the beginning of another included."""
    last = client_frame(TEXT, b"three")
    async with link.server() as server, link.caller(server) as client:
        early = client_frame(TEXT, b"one") + client_frame(BINARY, b"two") + last[:5]
        await client.send(client.request() + early)
        assert (await client.response())[0] == 101
        assert await client.messages(2) == ["one", b"two"]
        await client.send(last[5:])
        assert await client.message() == "three"


async def test_a_close_frame_that_comes_with_the_handshake_is_answered(link: Link) -> None:
    """After what came before it."""
    async with link.server() as server, link.caller(server) as client:
        early = client_frame(TEXT, b"one") + client_frame(CLOSE, close_payload(1000))
        await client.send(client.request() + early)
        assert (await client.response())[0] == 101
        assert await client.frames() == [Frame(FIN | TEXT, b"one"), Frame(FIN | CLOSE, close_payload(1000))]
        await all_ended(server)
        assert the_peer(server).ended_with == [1000]


# Messages


async def test_messages_come_back_as_they_were(link: Link) -> None:
    """Text and binary, empty ones, of every form of length, in order, and the peer hears of them."""
    sizes = (0, 1, 125, 126, 127, 65_535, 65_536, 300_000)
    messages = [kind for size in sizes for kind in ("é" * (size // 2), b"\xff" * size)]
    async with link.server(message_bytes=300_000) as server, link.client(server) as client:
        for message in messages:
            await client.say(message)
            assert await client.message() == message
        await client.say(*messages[:10])
        assert await client.messages(10) == messages[:10]
        assert the_peer(server).served == len(messages) + 10
        assert the_peer(server).heard_times > 0


async def test_large_messages_go_both_ways_at_once(link: Link) -> None:
    """More than the kernel keeps for both."""
    messages = [bytes([number]) * 4_000_000 for number in range(3)]
    async with (
        link.server(message_bytes=4_000_000, buffer_bytes=16_000_000) as server,
        link.client(server) as client,
    ):
        saying = asyncio.create_task(client.say(*messages))
        assert await client.messages(3) == messages
        await saying


async def test_one_byte_at_a_time_is_enough(link: Link) -> None:
    """Handshake and frames alike, each byte in a segment of its own."""
    text = "ä😀" * 30
    data = client_frame(TEXT, text.encode()) + client_frame(PING, b"here") + client_frame(BINARY, b"")
    async with link.server() as server, link.caller(server) as client:
        for byte in client.request():
            await client.send(bytes((byte,)))
            await a_turn()
        assert (await client.response())[0] == 101
        for byte in data:
            await client.send(bytes((byte,)))
            await a_turn()
        found = [await client.frame() for _ in range(3)]
        assert found == [
            Frame(FIN | TEXT, text.encode()),
            Frame(FIN | PONG, b"here"),
            Frame(FIN | BINARY, b""),
        ]


async def test_fragments_are_joined_and_pings_between_them_answered(link: Link) -> None:
    """A ping at once; the message when its last fragment is there. A pong is not answered."""
    async with link.server() as server, link.client(server) as client:
        letter = "😀".encode()
        await client.send(client_frame(TEXT, letter[:1], fin=False) + client_frame(PING, b"now"))
        assert await client.frame() == Frame(FIN | PONG, b"now")
        await client.send(client_frame(CONTINUATION, letter[1:3], fin=False) + client_frame(PONG, b"?"))
        await client.send(client_frame(CONTINUATION, b"", fin=False) + client_frame(CONTINUATION, letter[3:]))
        assert await client.message() == "😀"
        assert the_peer(server).served == 1


async def test_every_ping_of_one_who_reads_is_answered(link: Link) -> None:
    """However many there are in one go."""
    async with link.server() as server, link.client(server) as client:
        pings = [str(number).encode() for number in range(500)]
        await client.send(b"".join(client_frame(PING, ping) for ping in pings))
        assert [await client.frame() for _ in pings] == [Frame(FIN | PONG, ping) for ping in pings]


async def test_the_peer_is_told_of_pings_and_pongs(link: Link) -> None:
    """Each counts; messages are none of them."""
    async with link.server() as server, link.client(server) as client:
        await client.send(client_frame(PING) + client_frame(PONG) * 2 + client_frame(TEXT, b"x"))
        assert await client.frame() == Frame(FIN | PONG, b"")
        assert await client.message() == "x"
        assert (the_peer(server).controls, the_peer(server).served) == (3, 1)


async def test_of_the_pings_of_one_who_does_not_read_the_newest_is_answered(link: Link) -> None:
    """Once (RFC 6455 §5.5.3), after what was before it; so they do not fill the buffer."""
    async with link.server() as server, link.client(server, RECEIVE_BUFFER) as client:
        peer = the_peer(server)
        count = await fall_behind(peer.wire)
        waiting = peer.wire.backlog
        for number in range(300):
            await client.send(client_frame(PING, str(number).encode()))
        await client.say("last")
        await until(lambda: peer.served == 1)
        assert peer.wire.backlog - waiting < 100
        assert [number_of(message) for message in await client.messages(count)] == list(range(count))
        assert await client.frame() == Frame(FIN | PONG, b"299")
        assert await client.message() == "last"


# The pace


async def test_a_message_that_takes_time_is_waited_for(link: Link) -> None:
    """Meanwhile no other is served and reading stops, with a bounded amount in memory; then all go on in order."""
    letters = [f"{number:05} {'x' * 495}" for number in range(10_000)]
    async with link.server(buffer_bytes=16_000_000) as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        saying = asyncio.create_task(client.say(*letters))
        await until(lambda: is_paused(peer.wire))
        for _ in range(2000):
            await asyncio.sleep(0)
            assert peer.wire._parser.pending < 2 * RECEIVE_BYTES
            assert peer.served == 1
        assert not saying.done()
        let_go_on(peer)
        assert await client.messages(len(letters)) == letters
        await saying
        assert peer.served == len(letters)


async def test_a_large_message_behind_one_that_takes_time_is_read(link: Link) -> None:
    """It is larger than what is read ahead; nothing gets stuck between the two bounds."""
    large = b"x" * 1_000_000
    async with (
        link.server(message_bytes=1_000_000, buffer_bytes=4_000_000) as server,
        link.client(server) as client,
    ):
        peer = the_peer(server)
        keep_busy(peer)
        saying = asyncio.create_task(client.say("first", large, "last"))
        await until(lambda: is_paused(peer.wire))
        let_go_on(peer)
        assert await client.messages(3) == ["first", large, "last"]
        await saying


async def test_each_message_may_take_time(link: Link) -> None:
    """One after the other, however many came at once."""
    async with link.server() as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        await client.say(*"abcde")
        for number, letter in enumerate("abcde"):
            assert await client.message() == letter
            for _ in range(5):
                await asyncio.sleep(0)
            assert peer.served == number + 1
            let_go_on(peer)
            keep_busy(peer)


async def test_one_who_floods_does_not_keep_another_from_being_answered(link: Link) -> None:
    """The other's answer arrives while most of the flood is not served; then all of it is."""
    async with (
        link.server() as server,
        link.client(server) as flooder,
        link.client(server) as other,
    ):
        await flooder.say(*["x"] * MANY)
        await until(lambda: server.peers[0].served > 0)
        await other.say("hello")
        assert await other.message() == "hello"
        assert server.peers[0].served < MANY
        await until(lambda: server.peers[0].served == MANY)
        assert set(await flooder.messages(MANY)) == {"x"}


async def test_a_turn_of_the_loop_serves_a_bounded_part_of_an_upload(link: Link) -> None:
    """However fast it comes: so many frames at most, of one read, then it is the others' turn."""
    async with link.server() as server, link.client(server) as client:
        sink = Sink(the_peer(server).wire)
        total = 0
        for size in (10, 1000, 10_000, 60_000):
            count = min(4000, 2_000_000 // size)
            saying = asyncio.create_task(client.say(*[b"x" * size] * count))
            total += count
            most = 0
            while sink.served < total:
                before = sink.served
                await asyncio.sleep(0)
                most = max(most, sink.served - before)
            await saying
            # One read is served as it comes, and the rest of the one before may be served in the same turn.
            assert most <= min(2 * FRAMES_A_TURN, 2 * RECEIVE_BYTES // size + 2), f"{most} of {size} bytes"
