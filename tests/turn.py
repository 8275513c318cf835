"""A real coturn with the sample configuration of the documents, and a client that asks it for relays and permissions.

What differs from the sample is where it listens and what it keeps, and what a test allows besides.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import which

from aioice import stun
from aioice.turn import TurnClientUdpProtocol

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "turnserver.conf"
SECRET = "a secret shared with coturn"
LOOPBACKS = ("127.0.0.1", "::1")
READY = 10.0  # seconds that it may take to start

FORBIDDEN = 403  # RFC 8656 §9.2: a peer that policy excludes


@asynccontextmanager
async def coturn(folder: Path, *options: str) -> AsyncIterator[int]:
    """`async with coturn(tmp_path) as port`: one on loopback, both families, that keeps its files in the folder."""
    program = which("turnserver")
    assert program, "these tests need `turnserver` on the PATH (Debian: apt install coturn)"
    text = SAMPLE.read_text()
    configuration = folder / "turnserver.conf"
    configuration.write_text(text.replace("the same as HEREABOUTS_TURN_SECRET", SECRET))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        *("-c", str(configuration), "--listening-port", str(port), "--no-tls", "--no-dtls"),
        *(f"--{which}-ip={address}" for which in ("listening", "relay") for address in LOOPBACKS),
        *("--pidfile", str(folder / "pid"), "--userdb", str(folder / "db"), "--log-file", "stdout"),
        *options,
        stdout=PIPE,
        stderr=STDOUT,
    )
    log: list[bytes] = []
    reader = asyncio.ensure_future(_read(process, log))
    try:
        async with asyncio.timeout(READY):
            while not await _listens(port):
                assert process.returncode is None, b"".join(log).decode()
                await asyncio.sleep(0.05)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reader


async def _read(process: asyncio.subprocess.Process, log: list[bytes]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        log.append(line)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Relay(TurnClientUdpProtocol):
    """One allocation, of the family of the address that coturn is reached at."""

    def __init__(self, server: tuple[str, int], username: str, credential: str) -> None:
        super().__init__(server, username, credential, lifetime=600, channel_refresh_time=500)

    async def permits(self, address: str) -> bool:
        """Whether packets to and from this address would be relayed. Nothing is sent there."""
        request = stun.Message(message_method=stun.Method.CREATE_PERMISSION, message_class=stun.Class.REQUEST)
        request.attributes["XOR-PEER-ADDRESS"] = (address, 9)
        try:
            await self.request_with_retry(request)
        except stun.TransactionFailed as refusal:
            assert refusal.response.error_code == FORBIDDEN, refusal.response
            return False
        return True


@asynccontextmanager
async def relay(port: int, username: str, credential: str, host: str = "127.0.0.1") -> AsyncIterator[Relay]:
    """`async with relay(port, …) as it`: a relay of one's own; raises `stun.TransactionFailed` where it is refused."""
    transport, it = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay((host, port), username, credential), remote_addr=(host, port)
    )
    try:
        await it.connect()
        yield it
        await it.delete()
    finally:
        transport.close()
