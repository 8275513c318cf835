"""What those at the door do to those inside: `python -m bench.doors` prints a table, in under two minutes.

A server as `run.py` starts it, rate limits on; somebody's pings over a socket, alone and while others sign in
or flood from another address (a process of their own, on the load's core and nice); and how long it takes to
refuse a wrong password and an unknown name, in turn. Linux, two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bench.processes import LOAD_CORE, ROOT, SERVER_CORE

SECONDS: Final = 6.0
PAUSE: Final = 0.012  # between two pings: 42 of the 50 points a second
SIGN_INS: Final = 50  # at once
TRIES: Final = 150  # of each kind
KNOWN: Final = 16  # accounts: fewer tries each than are free
HERE, THERE = "198.51.100.1", "203.0.113.1"
# A mask of zeros: the payload as it is.
REQUESTS: Final = (b"\x81\x8f" + bytes(4) + b'{"type":"ping"}') * 2000
PINGS: Final = (b"\x89\x80" + bytes(4)) * 8000


async def open_socket(
    port: int, token: str, address: str
) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        (
            "GET /api/v1/ws/connect HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"X-Forwarded-For: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    return int(head.split()[1]), reader, writer


async def post(port: int, path: str, body: dict[str, Any], address: str) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    writer.write(
        (
            f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {address}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        ).encode()
        + data
    )
    answer = await reader.read()
    writer.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(text)


# Those who flood


async def _pour(port: int, token: str, frames: bytes) -> None:
    """As fast as it is read, and back again as soon as it is cut."""
    _, reader, writer = await open_socket(port, token, THERE)

    async def discard() -> None:
        with suppress(OSError):
            while await reader.read(65_536):
                pass

    reading = asyncio.create_task(discard())
    while not reading.done():
        writer.write(frames)
        await writer.drain()
        await asyncio.sleep(0)
    await reading
    writer.close()


async def flood_requests(port: int, token: str) -> None:
    await _pour(port, token, REQUESTS)


async def flood_pings(port: int, token: str) -> None:
    await _pour(port, token, PINGS)


async def flood_handshakes(port: int, token: str) -> None:
    _, _, writer = await open_socket(port, "x", THERE)
    writer.close()


async def flood_sign_ins(port: int, token: str) -> None:
    body = {"username": f"name-{os.urandom(4).hex()}", "password": "wrong horse"}
    await post(port, "/auth/login", body, THERE)


FLOODS: Final[dict[str, Callable[[int, str], Awaitable[None]]]] = {
    "requests on sockets": flood_requests,
    "WebSocket pings": flood_pings,
    "handshakes with bad tokens": flood_handshakes,
    "wrong passwords": flood_sign_ins,
}
FLOODERS: Final = 8  # at a time, each somebody else


async def flood(kind: str, port: int, tokens: list[str]) -> None:
    """Until it is ended."""

    async def one(token: str) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, IndexError):
                await FLOODS[kind](port, token)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(token) for token in tokens))


# Those inside


class Inside:
    """Somebody with a socket, who pings."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    async def open(self) -> None:
        status, self.reader, self.writer = await open_socket(self.port, self.token, HERE)
        assert status == 101
        await self.reader.readuntil(b"heartbeat_seconds")
        await self.reader.readuntil(b"}")

    async def ping(self) -> float:
        """Milliseconds until its answer."""
        started = time.perf_counter()
        self.writer.write(b"\x81\x8f" + bytes(4) + b'{"type":"ping"}')
        await self.reader.readuntil(b'"server_time":"')
        await self.reader.readuntil(b"}")
        return (time.perf_counter() - started) * 1000

    async def pings(self, until: Callable[[], bool]) -> list[float]:
        taken = []
        while not until():
            taken.append(await self.ping())
            await asyncio.sleep(PAUSE)
        return taken


def line(what: str, taken: list[float]) -> str:
    ordered = sorted(taken)
    p99 = ordered[int(len(ordered) * 0.99)]
    return f"| {what} | {len(taken)} | {statistics.median(taken):.2f} | {p99:.2f} | {ordered[-1]:.2f} |"


def lasting(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


async def measure(port: int) -> None:
    account = {"username": "inside", "password": "correct horse"}
    _, inside = await post(port, "/auth/register", account, HERE)
    tokens = []
    for number in range(FLOODERS):
        _, flooder = await post(port, "/auth/register", {**account, "username": f"flooder-{number}"}, THERE)
        tokens.append(flooder["access_token"])
    somebody = Inside(port, inside["access_token"])
    await somebody.open()
    print("| somebody's pings, ms | pings | p50 | p99 | longest |\n|---|---|---|---|---|")
    print(line("alone", await somebody.pings(lasting(SECONDS))), flush=True)
    taken: list[float] = []
    others = [(f"198.51.100.{n}", {**account, "username": f"other-{n}"}) for n in range(SIGN_INS)]
    for address, other in others:
        await post(port, "/auth/register", other, address)
    for _ in range(3):
        logins = asyncio.gather(*(post(port, "/auth/login", other, address) for address, other in others))
        taken += await somebody.pings(logins.done)
        assert {status for status, _ in await logins} == {200}
    print(line(f"{SIGN_INS} sign-ins at once, three times", taken), flush=True)
    for kind in FLOODS:
        command = ["taskset", "-c", LOAD_CORE, "nice", "-n", "19", sys.executable, "-m", "bench.doors"]
        command += [kind, str(port), *tokens]
        flooding = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            await asyncio.sleep(1)
            taken = await somebody.pings(lasting(SECONDS))
            assert flooding.returncode is None, "the flood has ended"
        finally:
            flooding.kill()
            await flooding.wait()
        print(line(f"{FLOODERS} flood with {kind}", taken), flush=True)

    for number in range(KNOWN):
        await post(port, "/auth/register", {**account, "username": f"known-{number}"}, f"192.0.2.{number}")
    wrong: list[float] = []
    unknown: list[float] = []
    for number in range(TRIES):
        pair = [(f"known-{number % KNOWN}", wrong), (f"nobody-{number}", unknown)]
        random.shuffle(pair)
        for name, times in pair:
            # An address of its own, and accounts in turn: so that nobody has to wait.
            body, address = {"username": name, "password": "wrong horse"}, f"10.0.{number}.{len(name)}"
            started = time.perf_counter()
            status, _ = await post(port, "/auth/login", body, address)
            times.append((time.perf_counter() - started) * 1000)
            assert status == 401, status
    longer = sum(a > b for a in wrong for b in unknown) / (len(wrong) * len(unknown))
    print("\n| refused after, ms | tries | p50 | p99 | longest |\n|---|---|---|---|---|")
    print(line("a wrong password", wrong))
    print(line("an unknown name", unknown))
    print(
        f"\nA wrong password took longer than an unknown name in {longer:.0%} of all pairs (50%: no difference)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.doors", description=__doc__)
    parser.add_argument("flood", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        kind, port, *tokens = options.flood
        asyncio.run(flood(kind, int(port), tokens))
        return
    with tempfile.TemporaryDirectory(prefix="hereabouts-doors-") as folder:
        command = ["taskset", "-c", SERVER_CORE, sys.executable, str(ROOT / "run.py"), "--port", "0"]
        command += ["--data-dir", folder, "--trusted-proxies", "127.0.0.1", "--log-level", "warning"]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        try:
            found = None
            while found is None:
                found = re.search(r"localhost:(\d+)/$", server.stdout.readline().strip())
            os.sched_setaffinity(0, {int(LOAD_CORE)})
            asyncio.run(measure(int(found[1])))
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
