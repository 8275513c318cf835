"""The network does to connections what it is told, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.torture.network import Link, Mode, Network

KERNEL_BYTES = 400_000  # what two sockets may hold of what nobody reads


class Echo:
    """A server that says back what it is told; told nothing but `flood`, it writes for ever and counts."""

    def __init__(self) -> None:
        self.written = 0
        self.heard = b""
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        try:
            while data := await reader.read(1000):
                if data == b"flood":
                    writer.transport.set_write_buffer_limits(0)
                    while True:
                        writer.write(b"x" * 1000)
                        await writer.drain()
                        self.written += 1000
                self.heard += data
                writer.write(data)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving)


@pytest.fixture
def echo(io_loop: IOLoop) -> Iterator[Echo]:
    echo = Echo()
    yield echo
    io_loop.run_sync(echo.stop)


@pytest.fixture
def network(io_loop: IOLoop, echo: Echo) -> Iterator[Network]:
    network = Network()
    network.port = io_loop.run_sync(echo.start)
    yield network
    io_loop.run_sync(network.stop)


async def connect(link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes) -> bytes:
    writer.write(what)
    async with asyncio.timeout(10):
        return await reader.read(1000)


async def reset(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(10):
            return await reader.read(1000) == b""
    except ConnectionError:
        return True


async def test_an_open_link(network: Network) -> None:
    """What is sent arrives, in both directions."""
    reader, writer = await connect(await network.link("ann"))
    assert await told(reader, writer, b"hello") == b"hello"
    writer.close()


async def test_a_cut_link(network: Network) -> None:
    """Connections are reset, and so is whoever connects, until it is healed; other links go on."""
    link, other = await network.link("ann"), await network.link("bob")
    reader, writer = await connect(link)
    others = await connect(other)
    assert await told(reader, writer, b"hello") == b"hello"
    link.mode = Mode.CUT
    assert await reset(reader)
    again, again_writer = await connect(link)
    assert await reset(again)
    assert await told(*others, b"hello") == b"hello"
    network.heal()
    last = await connect(link)
    assert await told(*last, b"hello") == b"hello"
    for each in (writer, again_writer, others[1], last[1]):
        each.close()


async def test_a_lossy_link(network: Network) -> None:
    """What is sent arrives nowhere and nobody hears of it; when it is healed, those connections are reset."""
    link = await network.link("ann")
    reader, writer = await connect(link)
    assert await told(reader, writer, b"hello") == b"hello"
    link.mode = Mode.LOSSY
    new, new_writer = await connect(link)
    for each in (writer, new_writer):
        each.write(b"lost")
    for silent in (reader, new):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await silent.read(1000)
    network.heal()
    assert await reset(reader) and await reset(new)
    last = await connect(link)
    assert await told(*last, b"hello") == b"hello"
    for one in (writer, new_writer, last[1]):
        one.close()


async def test_a_half_open_link(network: Network, echo: Echo) -> None:
    """What the client sends arrives, and no answer comes back; when it is healed, those connections are reset."""
    link = await network.link("ann")
    reader, writer = await connect(link)
    assert await told(reader, writer, b"hello") == b"hello"
    link.mode = Mode.HALF_OPEN
    new, new_writer = await connect(link)
    for each in (writer, new_writer):
        each.write(b"heard")
    async with asyncio.timeout(10):
        while echo.heard != b"hello" + 2 * b"heard":
            await asyncio.sleep(0.01)
    for silent in (reader, new):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await silent.read(1000)
    network.heal()
    assert await reset(reader) and await reset(new)
    for one in (writer, new_writer):
        one.close()


async def test_a_slow_link(network: Network) -> None:
    """Bytes trickle and none is lost."""
    link = await network.link("ann")
    reader, writer = await connect(link)
    link.mode = Mode.SLOW
    loop = asyncio.get_running_loop()
    started = loop.time()
    writer.write(b"x" * 3000)
    await reader.readexactly(1500)
    assert loop.time() - started > 0.4
    network.heal()
    await reader.readexactly(1500)
    writer.close()


async def test_a_stalled_link(network: Network, echo: Echo) -> None:
    """The server's writes wait after what the kernel holds, its reading goes on, and nothing is lost."""
    link = await network.link("ann")
    reader, writer = await connect(link)
    assert await told(reader, writer, b"hello") == b"hello"
    link.mode = Mode.STALLED
    writer.write(b"flood")
    stood = -1
    async with asyncio.timeout(10):
        while echo.written != stood or not stood:
            stood = echo.written
            await asyncio.sleep(0.1)
    assert stood < KERNEL_BYTES
    network.heal()
    async with asyncio.timeout(10):
        assert set(await reader.readexactly(2 * stood)) == set(b"x")
    writer.close()
