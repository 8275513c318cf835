"""Clients that hold a connection and do next to nothing with it: each is dropped in its time, and others are served."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from handlers import base
from server import app
from tests.harness import PATIENCE, Server

SOON = 0.6  # for the limits of this file, which are 20 to 60 s
LATER = 3.0  # where something has to happen before
NewServer = Callable[..., Server]
UPGRADE = (
    "GET /api/v1/ws/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
POST = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "HEADER_SECONDS", SOON)
    monkeypatch.setattr(app, "BODY_SECONDS", SOON)
    monkeypatch.setattr(base, "ANSWER_SECONDS", SOON)


def test_the_limits_are_seconds() -> None:
    """What the other tests here make shorter."""
    assert 0 < app.HEADER_SECONDS <= 20
    assert 0 < app.BODY_SECONDS <= 20
    assert 0 < base.ANSWER_SECONDS <= 60


async def dropped_after(server: Server, beginning: str, trickle: bytes) -> float:
    """Sends a byte again and again, far more often than the limit, until the server hangs up; the seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    started = monotonic()
    writer.write(beginning.encode())

    async def drip() -> None:
        while True:
            writer.write(trickle)
            await writer.drain()
            await asyncio.sleep(SOON / 20)

    dripping = asyncio.create_task(drip() if trickle else asyncio.sleep(PATIENCE))
    try:
        # A reset, because of what it has not read, is a hang-up too.
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                await reader.read()
    finally:
        dripping.cancel()
        with suppress(ConnectionError, asyncio.CancelledError):
            await dripping
        writer.close()
    return monotonic() - started


# What is sent at once, and what trickles behind it.
SLOW = {
    "nothing at all": ("", b""),
    "half a line": ("GET / HT", b""),
    "a path that does not end": ("GET /", b"a"),
    "a header that does not end": ("GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"a"),
    "headers that do not end": ("GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "an upgrade that does not end": (UPGRADE, b"X: y\r\n"),
    "half an upgrade": (UPGRADE, b""),
    "a body that trickles": (f"{POST}Content-Length: 60000\r\n\r\n", b" "),
    "a body that does not come": (f"{POST}Content-Length: 60000\r\n\r\n", b""),
    "chunks that trickle": (f"{POST}Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "half a chunk": (f"{POST}Transfer-Encoding: chunked\r\n\r\nff", b""),
    "idle after an answer": ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
}


async def test_a_request_that_does_not_end_is_dropped(impatient: None, new_server: NewServer) -> None:
    """In its time and not before, however busily it trickles; nothing of it counts as under way."""
    async with new_server() as server:
        seconds = await asyncio.gather(*(dropped_after(server, *slow) for slow in SLOW.values()))
        for name, each in zip(SLOW, seconds, strict=True):
            assert each >= SOON * 0.9, name
        assert server.app.node.requests_under_way == 0
        assert (await server.fetch("GET", "/chat/stats")).code == 200


async def test_a_hundred_of_them_keep_nobody_from_being_served(
    impatient: None, new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they trickle, others are answered; then all of them are gone."""
    monkeypatch.setattr(app, "HEADER_SECONDS", LATER)
    async with new_server() as server:
        slow = [
            asyncio.create_task(dropped_after(server, "GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"))
            for _ in range(100)
        ]
        await asyncio.sleep(SOON / 3)
        assert (await server.fetch("GET", "/chat/stats")).code == 200
        assert not any(each.done() for each in slow)
        assert min(await asyncio.gather(*slow)) >= LATER * 0.9


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00"], ids=["silence", "half a hello"])
async def test_a_tls_handshake_that_does_not_end_is_dropped(
    said: bytes, impatient: None, new_server: NewServer, tmp_path: Path
) -> None:
    """It stands before the headers, under the same limit; one that ends is served."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    async with new_server(tls_cert=str(cert), tls_key=str(key)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
        started = monotonic()
        writer.write(said)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        assert monotonic() - started >= SOON * 0.9
        writer.close()
        context = ssl.create_default_context(cafile=str(cert))
        client = SimpleAsyncHTTPClient(force_instance=True)
        url = f"https://localhost:{server.app.port}/healthz"
        assert (await client.fetch(url, ssl_options=context)).code == 200
        client.close()


async def stalled(server: Server, path: str) -> tuple[socket.socket, Callable[[], Awaitable[bool]]]:
    """Asks for something, many times, and reads none of it."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", server.app.port))
    await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20)

    async def is_gone() -> bool:
        try:
            await loop.sock_sendall(client, b"x")
        except ConnectionError:
            return True
        return False

    return client, is_gone


async def test_an_answer_that_nobody_reads_is_not_kept(impatient: None, new_server: NewServer) -> None:
    """Of a file and of a document: the connection is closed once its time is over."""
    async with new_server() as server:
        for path in ("/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js", "/api/openapi.json"):
            client, is_gone = await stalled(server, path)
            started = monotonic()
            async with asyncio.timeout(PATIENCE):
                while not await is_gone():
                    await asyncio.sleep(SOON / 10)
            assert monotonic() - started > SOON * 0.5
            client.close()
            assert (await server.fetch("GET", server.origin + path)).code == 200
