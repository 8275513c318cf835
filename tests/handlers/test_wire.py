"""The wire over real sockets, with TLS and without: the handshake, the pace, slow readers, and every way to end."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handlers import wire as wires_module
from handlers.transport import RECEIVE_BYTES, StreamTransport
from handlers.wire import FRAMES_A_TURN, Wire
from server.errors import LOGGED_OUT, TOO_SLOW
from server.frames import PING_FRAME, close_frame, frame, text_frame
from server.hub import Connection, Room
from server.outbox import Batch
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
from tests.handlers.echo import Echo, EchoServer
from tests.harness import Server

SMALL = 0.05  # for CLOSE_SECONDS
# A receive buffer this small, and what the kernel keeps for the sender (some MB), fill up soon.
RECEIVE_BUFFER = 4096
BUFFER_BYTES = 100_000
MANY = 20_000


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Link:
    """With a certificate of our own, which the clients trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(path)
    return Link("tls", serving, ssl.create_default_context(cafile=str(path)))


PLAIN = Link("plain")


@pytest.fixture(params=["plain", "tls"])
def link(request: pytest.FixtureRequest, tls: Link) -> Link:
    return tls if request.param == "tls" else PLAIN


def the_peer(server: EchoServer) -> Echo:
    (peer,) = server.peers
    return peer


def keep_busy(peer: Echo) -> asyncio.Future[None]:
    """Until this future is done, the message that is served next is."""
    peer.busy = asyncio.get_running_loop().create_future()
    return peer.busy


def let_go_on(peer: Echo) -> None:
    """The message that is being served is done with; those after it take no time."""
    assert peer.busy is not None
    peer.busy.set_result(None)
    peer.busy = None


async def all_ended(server: EchoServer) -> None:
    """No wire is left, and the peers have been told."""
    await until(lambda: not server.wires.open and all(peer.ended_with for peer in server.peers))
    await asyncio.sleep(0)


async def a_turn() -> None:
    """All that was due by now has been run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def fall_behind(wire: Wire) -> int:
    """Sends numbered frames, a turn each, until the socket of a client that does not read is full; how many."""
    count = 0
    while not wire.backlog:
        wire.send(numbered(count))
        count += 1
        await a_turn()
    return count


def numbered(number: int) -> bytes:
    return text_frame(f"{number} {'x' * 30_000}".encode())


def number_of(message: str | bytes) -> int:
    assert isinstance(message, str)
    return int(message.split()[0])


def is_paused(wire: Wire) -> bool:
    """Whether its socket is not read."""
    transport = wire._transport
    return not (transport._going.is_set() if isinstance(transport, StreamTransport) else transport._reading)  # type: ignore[attr-defined]


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
    letters = [f"{number:05} {'x' * 95}" for number in range(50_000)]
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


class Sink:
    """A peer that answers nothing, and counts."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.served = 0
        self.ended_with: list[int | None] = []
        wire.peer = self

    def heard(self) -> None: ...

    def received(self, message: str | bytes) -> asyncio.Future[None] | None:
        self.served += 1
        return None

    def ended(self, code: int | None) -> None:
        self.ended_with.append(code)


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
        wire.share(Batch())
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


# Violations


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\xc1\x80", 1002, id="reserved bit"),
        pytest.param(b"\x81\x01x", 1002, id="no mask"),
        pytest.param(client_frame(3), 1002, id="opcode"),
        pytest.param(client_frame(CONTINUATION), 1002, id="continuation of nothing"),
        pytest.param(client_frame(PING, b"x" * 126), 1002, id="long ping"),
        pytest.param(client_frame(CLOSE, b"\x03"), 1002, id="half a close code"),
        pytest.param(client_frame(CLOSE, close_payload(1005)), 1002, id="reserved close code"),
        pytest.param(client_frame(CLOSE, close_payload(1000) + b"\xff"), 1007, id="close reason"),
        pytest.param(client_frame(TEXT, b"\xff"), 1007, id="no UTF-8"),
        pytest.param(client_frame(BINARY, b"x" * 1001), 1009, id="too big"),
    ],
)
async def test_a_violation_is_answered_by_its_close_code(data: bytes, code: int, link: Link) -> None:
    """After the answers to what came before it; what follows it is not looked at."""
    async with link.server(message_bytes=1000) as server, link.client(server) as client:
        await client.send(client_frame(TEXT, b"before") + data + client_frame(TEXT, b"after"))
        assert await client.message() == "before"
        closing = await client.frame()
        assert closing is not None and closing.code == code
        assert closing.payload[2:].decode()
        await client.send(client_frame(CLOSE, close_payload(code)))
        client.close()
        await all_ended(server)
        assert (the_peer(server).served, the_peer(server).ended_with) == (1, [code])


async def test_a_violators_side_is_left_open_until_it_hangs_up() -> None:
    """Nothing more comes after the close frame, which the end of the stream tells it."""
    async with PLAIN.server() as server, PLAIN.client(server) as client:
        await client.send(b"\xff\xff")
        (closing,) = await client.frames()
        assert closing.code == 1002
        await client.send(b"\0" * 100_000)
        assert server.wires.open
        client.close()
        await until(lambda: not server.wires.open)


async def test_a_close_frame_reaches_one_who_goes_on_sending(link: Link) -> None:
    """1009 at the header of a great upload: no reset takes the answer along, though it is read at last."""
    async with link.server(message_bytes=1000) as server, link.client(server) as client:
        await client.send(client_frame(BINARY, b"x" * 20_000_000))
        await client.say("more")
        closing = await client.frame()
        assert closing is not None and closing.code == 1009
        assert the_peer(server).served == 0
        client.close()
        await until(lambda: not server.wires.open)


async def test_a_close_frame_reaches_one_who_goes_on_sending_after_a_flood(link: Link) -> None:
    """Reading had stopped, because there was so much to serve, when the violation was found."""
    async with link.server(message_bytes=1000) as server, link.client(server) as client:
        peer = the_peer(server)
        keep_busy(peer)
        data = client_frame(TEXT, b"first") + client_frame(BINARY, b"x" * 20_000_000)
        sending = asyncio.create_task(client.send(data))
        await until(lambda: is_paused(peer.wire))
        let_go_on(peer)
        async with asyncio.timeout(wires_module.CLOSE_SECONDS / 2):  # else it is cut
            await sending
        assert await client.message() == "first"
        closing = await client.frame()
        assert closing is not None and closing.code == 1009
        client.close()
        await until(lambda: not server.wires.open)


async def test_a_violator_that_stays_is_cut(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """After CLOSE_SECONDS, as anybody who is told to go."""
    monkeypatch.setattr(wires_module, "CLOSE_SECONDS", SMALL)
    async with link.server() as server, link.client(server) as client:
        await client.send(b"\xff\xff")
        (closing,) = await client.frames()
        assert closing.code == 1002
        await until(lambda: not server.wires.open)


@pytest.mark.parametrize("before", [b"", client_frame(TEXT, b"before")], ids=["alone", "after a message"])
async def test_what_is_no_tls_ends_the_wire(
    before: bytes, tls: Link, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that no key of the connection made, wherever they come."""
    caplog.set_level(logging.ERROR, "tornado.general")  # it warns of them where it reads unasked
    async with tls.server() as server, tls.client(server) as client:
        await client.say("hello")
        assert await client.message() == "hello"
        await client.send(before, raw=b"\x17\x03\x03\x00\x20" + b"garbage!" * 4)
        await all_ended(server)
        assert the_peer(server).ended_with == [None]


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
        room = room_of(slow.wire, quick.wire)
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
        room = room_of(wire)
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
        room = room_of(wire)
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


def room_of(*wires: Wire) -> Room:
    """The hub's, straight on the wires, which are what its connections hand all on to."""
    room = Room()
    for wire in wires:
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
        rooms = [(room_of(*wires), (0, 1, 2)), (room_of(*wires[1:]), (1, 2))]
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
        for peer in server.peers:
            peer.wire.share(batch)
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
        room = room_of(*(peer.wire for peer in server.peers))
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
