"""What is answered to one who breaks the protocol, and that the answer arrives."""

from __future__ import annotations

import asyncio
import logging

import pytest

from handlers import wire as wires_module
from tests.handlers.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Link,
    client_frame,
    close_payload,
    until,
)
from tests.handlers.steps import (
    PLAIN,
    SMALL,
    all_ended,
    is_paused,
    keep_busy,
    let_go_on,
    the_peer,
)

UPLOAD = client_frame(BINARY, b"x" * 20_000_000)  # made once: to mask it takes a while


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
        await client.send(UPLOAD)
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
        data = client_frame(TEXT, b"first") + UPLOAD
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
