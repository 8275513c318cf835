"""Bytes of one connection, in both directions: straight on the socket, or on Tornado's stream where TLS is ours.

A transport knows no frames. What it reads it hands to its `Receiver` (a `handlers.wire.Wire`), which writes
whole turns of the loop at a time.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Protocol

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

# One read: a client that talks a lot has several messages in it, and a turn of the loop stays short.
RECEIVE_BYTES: Final = 65_536
# What the kernel takes of us before the other side's window has room for it. By itself it takes up to 4 MB for a
# connection that was busy, outside of our bounds and of what is seen of our memory; this much fills any pipe.
UNSENT_BYTES: Final = 131_072


class Receiver(Protocol):
    """A port: who a transport works for."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> None:
        """The other side sends no more."""

    def drained(self) -> None:
        """What `write` did not take at once has gone."""

    def connection_lost(self) -> None:
        """A write failed."""


class Transport(Protocol):
    """A port: bytes in both directions, between a socket and a `Receiver`."""

    @property
    def unsent(self) -> int:
        """Bytes of the last write that the socket has not taken."""

    def resume(self) -> None:
        """Reads from now on. At first it does not."""

    def pause(self) -> None: ...

    def write(self, data: bytes) -> bool:
        """Whether it has gone. If not, `drained` will be called, and nothing may be written before."""

    def end_writing(self) -> None:
        """All is written: tells the other side that nothing more comes, and goes on reading."""

    def close(self) -> None: ...


class SocketTransport:
    """Straight on the socket: one `recv` when there is something to read, one `send` a write."""

    __slots__ = ("_loop", "_reading", "_receiver", "_socket", "_unsent")

    def __init__(self, connected: socket.socket, receiver: Receiver) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._receiver = receiver
        self._reading = False
        self._unsent: memoryview | None = None

    @property
    def unsent(self) -> int:
        return len(self._unsent) if self._unsent is not None else 0

    def pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # a reset is an end as well
        if data:
            self._receiver.data_received(data)
        else:
            self.pause()
            self._receiver.eof_received()

    def write(self, data: bytes) -> bool:
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # Not now: a delivery may be going on, which this connection's end would be part of.
            self._loop.call_soon(self._receiver.connection_lost)
            return True
        if sent == len(data):
            return True
        # A view: what many are behind with is kept once.
        self._unsent = memoryview(data)[sent:]
        self._loop.add_writer(self._socket, self._writable)
        return False

    def _writable(self) -> None:
        assert self._unsent is not None
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._receiver.connection_lost()
            return
        self._unsent = self._unsent[sent:] if sent < len(self._unsent) else None
        if self._unsent is None:
            self._loop.remove_writer(self._socket)
            self._receiver.drained()

    def end_writing(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._receiver.connection_lost()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self.pause()
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._unsent = None


class StreamTransport:
    """On Tornado's stream, which keeps the bytes: where TLS is ended by ourselves."""

    def __init__(self, stream: IOStream, receiver: Receiver) -> None:
        self._stream = stream
        self._receiver = receiver
        self._going = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.unsent = 0

    def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                await self._going.wait()
                self._receiver.data_received(await self._stream.read_bytes(RECEIVE_BYTES, partial=True))
                await asyncio.sleep(0)  # what is there already is read without a turn of the loop
        except OSError:  # closed, or bytes that are no TLS
            self._receiver.eof_received()

    def write(self, data: bytes) -> bool:
        try:
            written = self._stream.write(data)
        except StreamClosedError:
            return True  # the reader finds out
        if written.done():
            return True
        self.unsent = len(data)
        written.add_done_callback(self._written)
        return False

    def _written(self, written: asyncio.Future[None]) -> None:
        self.unsent = 0
        if not written.cancelled() and written.exception() is None:
            self._receiver.drained()

    def end_writing(self) -> None:
        """TLS has no half of a connection to close: the other side closes, or time runs out."""

    def close(self) -> None:
        self._stream.close()
        if self._task is not None and self._task is not asyncio.current_task():
            self._going.set()  # to find out


class _NoTransport:
    """What a wire has when the connection is over: it goes nowhere, and refers to nobody."""

    unsent = 0

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def write(self, data: bytes) -> bool:
        return True

    def end_writing(self) -> None: ...

    def close(self) -> None: ...


OVER: Final = _NoTransport()


def transport_of(stream: IOStream, receiver: Receiver) -> tuple[Transport, bytes]:
    """Takes a connection over from Tornado's stream, and what that has read already."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    if isinstance(stream, SSLIOStream):
        return StreamTransport(stream, receiver), b""  # it comes with the first read
    connected = stream.socket
    stream.io_loop.remove_handler(connected)
    early = bytes(stream._read_buffer)
    stream.socket = None  # type: ignore[assignment]
    stream._closed = True
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketTransport(connected, receiver), early
