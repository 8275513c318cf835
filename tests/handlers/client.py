"""A WebSocket client that does nothing by itself: every byte it sends, and every read, is the test's."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.handlers.echo import EchoServer, echo_server
from tests.harness import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80


def client_frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"\x37\xfa\x21\x3d"
) -> bytes:
    """Masked, as a client has to (RFC 6455 §5.3), with the length in its shortest form."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65_536:
        length = struct.pack("!BH", 0x80 | 126, size)
    else:
        length = struct.pack("!BQ", 0x80 | 127, size)
    key = (mask * (size // 4 + 1))[:size]
    covered = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return bytes((opcode | (FIN if fin else 0),)) + length + mask + covered


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


@dataclass(frozen=True, slots=True)
class Frame:
    """One that the server sent; `first` is its first byte, FIN included."""

    first: int
    payload: bytes

    @property
    def code(self) -> int | None:
        """Of a close frame."""
        assert self.first == FIN | CLOSE, self
        return int.from_bytes(self.payload[:2], "big") if self.payload else None


class Client:
    """Over TCP, or TLS if it is given a context. `connect`, then `upgrade`, then frames."""

    def __init__(self, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._data = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if tls is not None:
            self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.key = base64.b64encode(os.urandom(16)).decode()

    @property
    def accept(self) -> str:
        """What the server has to answer to our key (RFC 6455 §4.2.2)."""
        digest = hashlib.sha1(self.key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        return base64.b64encode(digest).decode()

    async def connect(self, port: int) -> None:
        await self._loop.sock_connect(self._socket, ("127.0.0.1", port))
        if self._tls is None:
            return
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._loop.sock_sendall(self._socket, self._outgoing.read())
                await self._feed_tls()
        await self._loop.sock_sendall(self._socket, self._outgoing.read())

    def request(self, path: str = "/", /, **changes: str | None) -> bytes:
        """The upgrade; None takes a header away."""
        headers = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self.key,
            **changes,
        }
        lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
        return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()

    async def response(self) -> tuple[int, dict[str, str]]:
        """Status and headers, whose names are in lower case."""
        while b"\r\n\r\n" not in self._data:
            assert await self._receive(), "the stream ends within the response"
        head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
        self._data[:] = rest
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in pairs}

    async def upgrade(self) -> None:
        await self.send(self.request())
        assert (await self.response())[0] == 101

    async def send(self, data: bytes, raw: bytes = b"") -> None:
        """To the last byte, which takes as long as the server does not read; `raw` goes along past TLS."""
        if self._tls is not None:
            if data:
                self._tls.write(data)
            data = self._outgoing.read()
        await self.send_raw(data + raw)

    async def send_raw(self, data: bytes) -> None:
        """Past TLS."""
        await self._loop.sock_sendall(self._socket, data)

    async def say(self, *messages: str | bytes) -> None:
        """All of them in one go."""
        await self.send(
            b"".join(
                client_frame(TEXT, message.encode())
                if isinstance(message, str)
                else client_frame(BINARY, message)
                for message in messages
            )
        )

    async def frame(self) -> Frame | None:
        """The next one; None at the end of the stream."""
        if not await self._have(2):
            assert not self._data, "the stream ends within a frame"
            return None
        size, start = self._data[1], 2
        assert size < 128, "a server's frames are not masked"
        if size == 126:
            await self._have(4)
            (size,), start = struct.unpack("!H", self._data[2:4]), 4
        elif size == 127:
            await self._have(10)
            (size,), start = struct.unpack("!Q", self._data[2:10]), 10
        assert await self._have(start + size), "the stream ends within a frame"
        frame = Frame(self._data[0], bytes(self._data[start : start + size]))
        del self._data[: start + size]
        return frame

    async def message(self) -> str | bytes:
        frame = await self.frame()
        assert frame is not None and frame.first in (FIN | TEXT, FIN | BINARY), frame
        return frame.payload.decode() if frame.first == FIN | TEXT else frame.payload

    async def messages(self, count: int) -> list[str | bytes]:
        return [await self.message() for _ in range(count)]

    async def frames(self) -> list[Frame]:
        """All that come until the end of the stream."""
        found: list[Frame] = []
        while (frame := await self.frame()) is not None:
            found.append(frame)
        return found

    async def end_sending(self) -> None:
        """Nothing more comes from us, but we still read."""
        if self._tls is not None:
            with suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
            await self.send_raw(self._outgoing.read())
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with a reset instead of an end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    async def _have(self, count: int) -> bool:
        while len(self._data) < count:
            if not await self._receive():
                return False
        return True

    async def _receive(self) -> bool:
        if self._tls is None:
            data = await self._receive_raw()
        else:
            while True:
                try:
                    data = self._tls.read(1_000_000)
                    break
                except ssl.SSLWantReadError:
                    await self._feed_tls()
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    data = b""
                    break
        self._data += data
        return bool(data)

    async def _feed_tls(self) -> None:
        if data := await self._receive_raw():
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _receive_raw(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._loop.sock_recv(self._socket, 1_000_000)


@dataclass(frozen=True, slots=True)
class Link:
    """How server and clients talk: the contexts of both sides, None without TLS."""

    name: str
    serving: ssl.SSLContext | None = None
    calling: ssl.SSLContext | None = None

    def server(self, **options: Any) -> AbstractAsyncContextManager[EchoServer]:
        return echo_server(tls=self.serving, **options)

    @asynccontextmanager
    async def caller(self, server: EchoServer, receive_buffer: int | None = None) -> AsyncIterator[Client]:
        """Connected, and no more."""
        client = Client(self.calling, receive_buffer)
        try:
            await client.connect(server.port)
            yield client
        finally:
            client.close()

    @asynccontextmanager
    async def client(self, server: EchoServer, receive_buffer: int | None = None) -> AsyncIterator[Client]:
        """With the handshake done: its peer is the newest of the server's."""
        async with self.caller(server, receive_buffer) as client:
            await client.upgrade()
            yield client


async def until(condition: Callable[[], object]) -> None:
    """Turns of the loop until it holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)
