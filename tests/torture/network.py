"""The network between clients and server: a TCP proxy of our own that can be cut, lose bytes, trickle or stall.

A `Link` is one client's way to the server: an address that stays, whatever port the server has after a
restart. `Network` makes them. What happens to them, and when, is decided by `faults`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from typing import Final

# Towards the server, small buffers and segments: what a reader does not read has to reach the server's own
# buffer soon, and not wait in the kernel's, which grow to megabytes with the segments of loopback.
RECEIVE_BYTES: Final = 8_192
SEGMENT_BYTES: Final = 1_000
CHUNK: Final = 16_384


class Mode(Enum):
    OPEN = "passes everything on"
    CUT = "connections are reset, and new ones at once"
    LOSSY = "connections stay, and what is sent on them arrives nowhere"
    HALF_OPEN = "the same, of what the server sends alone: it hears, and is not heard"
    SLOW = "bytes trickle, in both directions"
    STALLED = "nothing is read of what the server sends; the other direction goes on"


SLOW_BYTES: Final = 2_000  # a second and direction, while slow


class Link:
    """One address to connect to, and the connections through it."""

    def __init__(self, target: Callable[[], int]) -> None:
        """`target` is the server's port at the moment."""
        self._target = target
        self._mode = Mode.OPEN
        self._changed = asyncio.Event()
        self._streams: set[asyncio.StreamWriter] = set()
        self._to_client: set[asyncio.StreamWriter] = set()  # those of them
        # What was lost on these is missing: they can only be reset.
        self._broken: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if mode is Mode.CUT:
            self._reset(self._streams)
        elif mode is Mode.LOSSY:
            self._broken |= self._streams
        elif mode is Mode.HALF_OPEN:
            self._broken |= self._to_client
        if before in (Mode.LOSSY, Mode.HALF_OPEN):
            self._reset(self._broken)
        self._changed.set()
        self._changed = asyncio.Event()

    async def stop(self) -> None:
        self._server.close()
        self._reset(self._streams)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset(self, streams: set[asyncio.StreamWriter]) -> None:
        for stream in tuple(streams):
            stream.transport.abort()
        self._broken -= streams

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._streams.add(writer)
        self._to_client.add(writer)
        server_writer: asyncio.StreamWriter | None = None
        try:
            if self._mode is Mode.CUT:
                return
            if self._mode is Mode.LOSSY:
                self._broken.add(writer)
                while self._mode is Mode.LOSSY and await reader.read(CHUNK):
                    continue
                return
            if self._mode is Mode.HALF_OPEN:
                self._broken.add(writer)
            server_reader, server_writer = await _connect(self._target())
            self._streams.add(server_writer)
            await asyncio.gather(
                self._pump(reader, server_writer, from_server=False),
                self._pump(server_reader, writer, from_server=True),
            )
        except (OSError, asyncio.CancelledError):
            return  # nobody listens, a reset, or the end
        finally:
            for stream in (writer, server_writer):
                if stream is not None:
                    stream.close()
                    self._streams.discard(stream)
                    self._to_client.discard(stream)
                    self._broken.discard(stream)
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool
    ) -> None:
        while True:
            await self._readable(from_server)
            data = await reader.read(SLOW_BYTES // 4 if self._mode is Mode.SLOW else CHUNK)
            if not data:
                break
            await self._readable(from_server)
            if writer in self._broken:
                continue
            writer.write(data)
            await writer.drain()
            if self._mode is Mode.SLOW:
                await asyncio.sleep(len(data) / SLOW_BYTES)
        writer.close()

    async def _readable(self, from_server: bool) -> None:
        while from_server and self._mode is Mode.STALLED:
            await self._changed.wait()


class Network:
    """All links to one server."""

    def __init__(self) -> None:
        self.port = 0  # the server's; whoever starts it anew says so here
        self._links: dict[str, Link] = {}

    async def link(self, client: str) -> Link:
        """A new one, for a client of this name."""
        link = Link(lambda: self.port)
        await link.start()
        self._links[client] = link
        return link

    def __getitem__(self, client: str) -> Link:
        return self._links[client]

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    async def remove(self, client: str) -> None:
        await self._links.pop(client).stop()

    def heal(self) -> None:
        for link in self._links.values():
            if link.mode is not Mode.OPEN:
                link.mode = Mode.OPEN

    async def stop(self) -> None:
        await asyncio.gather(*(link.stop() for link in self._links.values()))


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    towards = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        towards.setblocking(False)
        towards.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        with suppress(OSError):  # not every system has it; then more is needed until a buffer is full
            towards.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        await asyncio.get_running_loop().sock_connect(towards, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=towards, limit=RECEIVE_BYTES)
    except BaseException:
        towards.close()
        raise
