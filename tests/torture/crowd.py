"""Thousands of light clients in this process: each a raw socket that joins one land, comes back and resumes.

They stand in for the libraries where only numbers matter: they wait as those do, answer pings, and see to
it that no message is missing and none comes twice. `storm` and `readers` measure with them.
"""

from __future__ import annotations

import asyncio
import json
import resource
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, Final, cast

from cryptography.fernet import Fernet
from pymongo import MongoClient

from client.backoff import asked_retry_delay, full_jitter
from server.clock import Clock
from server.ids import new_id
from server.services.tokens import Tokens
from server.settings import Settings
from storage.keyring import Keyring
from storage.mongod import LocalMongod
from storage.records import Land, User
from storage.store import Store
from tests.journeys.process import Process

TOKEN_SECONDS: Final = 86_400  # longer than any run
# The kernel keeps no more than this for one who does not read.
RECEIVE_BYTES: Final = 16_384
# Handshakes of the first coming, which is none of the measurement.
AT_ONCE: Final = 100
PATIENCE: Final = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Population:
    """People and lands, in a database of their own; what a server needs to serve them."""

    tokens: list[str]
    lands: list[str]
    uri: str
    variables: dict[str, str]


async def populate(uri: str, people: int, lands: int) -> Population:
    """Straight into the store: hashing passwords is not what is measured."""
    database, secret, key = f"crowd_{secrets.token_hex(4)}", secrets.token_hex(32), Fernet.generate_key()
    store = await Store.open(uri, keyring=Keyring([key]), database=database)
    clock = Clock()
    tokens = Tokens(replace(Settings(), token_seconds=TOKEN_SECONDS), secret.encode(), clock)
    users = [User(new_id(), f"person-{n}", f"person-{n}", None, clock.now()) for n in range(people)]
    for start in range(0, people, AT_ONCE):
        await asyncio.gather(*(store.users.insert(user) for user in users[start : start + AT_ONCE]))
    made = [
        Land(
            id=new_id(),
            world_id="main",
            name="Land",
            x=20.0 * number,
            y=0,
            width=10,
            height=10,
            owner_id=users[0].id,
            access="open",
            invited=frozenset(),
            created_at=clock.now(),
        )
        for number in range(lands)
    ]
    for land in made:
        await store.lands.insert(land)
    await store.close()
    return Population(
        [tokens.issue(user.id, new_id()) for user in users],
        [land.id for land in made],
        uri,
        {
            "MONGODB_URI": uri,
            "HEREABOUTS_MONGODB_DATABASE": database,
            "HEREABOUTS_TOKEN_SECRET": secret,
            "HEREABOUTS_MASTER_KEYS": key.decode(),
        },
    )


@asynccontextmanager
async def served(
    folder: Path, people: int, lands: int, *options: str, rate_limits: bool
) -> AsyncIterator[tuple[Process, Population]]:
    """A population, and a server of it that keeps its port; MongoDB is ours, and outlives the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server inherits it
    assert people + 500 < hard, f"{people} clients need more than the {hard} descriptors that are allowed"
    folder.mkdir(parents=True, exist_ok=True)
    mongod = LocalMongod(folder / "mongod")
    population = await populate(await mongod.start(), people, lands)
    limits = {"HEREABOUTS_RATE_LIMITS": "on" if rate_limits else "off"}
    process = Process(folder / "data", "--log-level", "warning", *options, **population.variables, **limits)
    try:
        await process.start()
        process.options = (*process.options, "--port", str(process.port))
        yield process, population
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait()
        await mongod.stop()


def operations(uri: str) -> Counter[str]:
    """How often each kind of command has been served since MongoDB started."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        status = client.admin.command("serverStatus")
    commands = status["metrics"]["commands"]
    return Counter({name: int(commands[name]["total"]) for name in READS + WRITES})


READS: Final = ("find", "aggregate", "getMore", "count", "distinct")
WRITES: Final = ("insert", "update", "delete", "findAndModify")


class Light(asyncio.Protocol):
    """One client. It is `ready` once it is in its land, for the first time or again."""

    __slots__ = (
        "attempt",
        "crowd",
        "data",
        "land",
        "ready",
        "seq",
        "stalled",
        "token",
        "told",
        "transport",
        "upgraded",
    )

    def __init__(self, crowd: Crowd, token: str, land: str) -> None:
        self.crowd = crowd
        self.token = token
        self.land = land
        self.seq = -1  # before it has joined
        self.attempt = 0
        self.ready = False
        self.stalled = False
        self.told: tuple[int | None, str] | None = None  # the close frame
        self.data = bytearray()
        self.upgraded = False
        self.transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        towards = socket.socket()
        towards.setblocking(False)
        towards.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(towards, ("127.0.0.1", self.crowd.port))
            await loop.create_connection(lambda: self, sock=towards)
        except OSError:
            towards.close()
            self.crowd.refused += 1
            self._again(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self.transport = transport
        self.data.clear()
        self.upgraded = False
        self.told = None
        transport.write(
            f"GET /api/v1/ws/connect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.upgraded:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:16]:
                self._refused(bytes(head))
                return
            self.upgraded = True
            self.data = rest
        while (frame := self._frame()) is not None:
            self._handle(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """(RFC 6455 §5.2); the server's are whole and unmasked."""
        data = self.data
        if len(data) < 2:
            return None
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            return None
        opcode, payload = data[0] & 0x0F, bytes(data[start : start + size])
        del data[: start + size]
        return opcode, payload

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x9:
            self._send(0xA, payload)
        elif opcode == 0x8:
            code = int.from_bytes(payload[:2], "big") if payload else None
            self.told = (code, payload[2:].decode())
            self.crowd.closes[code] += 1
            self._send(0x8, payload[:2])
        elif payload.startswith(b'{"type":"message"'):
            self._message(json.loads(payload))
        elif payload.startswith((b'{"type":"connected"', b'{"type":"joined_room"', b'{"type":"resumed"')):
            self._progress(json.loads(payload))
        elif payload.startswith(b'{"type":"error"'):
            self.crowd.errors[json.loads(payload)["code"]] += 1

    def _progress(self, event: dict[str, Any]) -> None:
        if event["type"] == "connected":
            self.attempt = 0
            if self.seq < 0:
                self.request(type="join_room", room_id=self.land)
            else:
                self.request(type="resume", rooms=[{"room_id": self.land, "after_seq": self.seq}])
            return
        if event["type"] == "joined_room":
            self.seq = event["last_seq"]
        elif not event["complete"] or event["last_seq"] > self.seq:
            self.crowd.gaps += 1
            self.seq = event["last_seq"]
        self.ready = True
        self.crowd.came(self)

    def _message(self, event: dict[str, Any]) -> None:
        if event["seq"] != self.seq + 1:
            self.crowd.gaps += 1
        self.seq = event["seq"]
        self.crowd.heard(self, event)

    def request(self, **fields: Any) -> None:
        self._send(0x1, json.dumps(fields).encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which leaves it as it is."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        assert self.transport is not None
        self.transport.write(bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + payload)

    def _refused(self, head: bytes) -> None:
        """By HTTP: 503 or 429, with the seconds to wait, if the server says them."""
        status = int(head.split(b" ", 2)[1])
        asked = [line for line in head.decode().split("\r\n") if line.lower().startswith("retry-after:")]
        self.crowd.closes[status] += 1
        self.told = (1013, f"retry_after={asked[0].partition(':')[2].strip()}") if asked else (None, "")
        assert self.transport is not None
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self.told is None:
            self.crowd.closes[None] += 1
        self._again(asked_retry_delay(*(self.told or (None, ""))))

    def _again(self, delay: float | None) -> None:
        """As the libraries do: after the time that the server asks for, or with full jitter."""
        self.ready = False
        self.transport = None
        if delay is None:
            delay = full_jitter(self.attempt)
            self.attempt += 1
        self.crowd.later(delay, self)

    def abort(self) -> None:
        """The connection is reset; it will make another."""
        self.ready = False
        if self.transport is not None:
            self.transport.abort()

    def stall(self) -> None:
        """Reads nothing from now on."""
        assert self.transport is not None
        self.stalled = True
        self.transport.pause_reading()

    def read_on(self) -> None:
        self.stalled = False
        if self.transport is not None:
            self.transport.resume_reading()


class Crowd:
    """All of them, and what came of them since the last `forget`."""

    def __init__(self, port: int, tokens: Iterable[str], lands: list[str]) -> None:
        self.port = port
        self.clients = [Light(self, token, lands[number % len(lands)]) for number, token in enumerate(tokens)]
        self.on_message: Callable[[Light, dict[str, Any]], None] = lambda client, event: None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.gaps = 0  # messages that were missing, or came twice, ever
        self.forget()

    def forget(self) -> None:
        """The count begins anew."""
        self.since = monotonic()
        self.closes: Counter[int | None] = Counter()
        self.errors: Counter[str] = Counter()
        self.refused = 0  # connections that nobody took
        self.back: list[float] = []  # seconds after which each was ready

    @property
    def ready(self) -> int:
        return sum(client.ready for client in self.clients)

    async def come(self) -> None:
        """The first time, so many at once."""
        waiting = iter(self.clients)

        async def some() -> None:
            for client in waiting:
                await client.connect()
                await until(lambda client=client: client.ready)  # type: ignore[misc]

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    async def all_ready(self) -> None:
        await until(lambda: self.ready == len(self.clients))

    def came(self, client: Light) -> None:
        self.back.append(monotonic() - self.since)

    def heard(self, client: Light, event: dict[str, Any]) -> None:
        self.on_message(client, event)

    def later(self, delay: float, client: Light) -> None:
        if not self._closed:
            asyncio.get_running_loop().call_later(delay, self._connect, client)

    def _connect(self, client: Light) -> None:
        if not self._closed:
            task = asyncio.create_task(client.connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def talk(self, speakers: list[Light], rate: float, length: int = 100) -> None:
        """So many messages a second, by one of them after the other, until cancelled; each says when it was said."""
        number = 0
        due = monotonic()
        while True:
            speaker = speakers[number % len(speakers)]
            number += 1
            if speaker.ready:
                content = f"{time_ns()} ".ljust(length, "x")
                speaker.request(type="send_message", room_id=speaker.land, content=content)
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - monotonic()))

    def close(self) -> None:
        self._closed = True
        for client in self.clients:
            if client.transport is not None:
                client.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)
