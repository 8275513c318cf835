"""From a first start to a clean end, and what is there at the next start."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.harness import Person, Socket
from tests.journeys.conftest import NewProcess
from tests.journeys.process import STOP_SECONDS, Process, alive, until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def listening(pid: int) -> set[str]:
    """The addresses that a process listens on, as the kernel writes them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            inodes.add(os.readlink(descriptor))
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                addresses.add(fields[1].partition(":")[0])
    return addresses


async def test_a_first_start(process: Process, data_dir: Path) -> None:
    """It makes what it needs, for its owner alone, and says where to look."""
    assert mode(data_dir) == 0o700
    for name in ("master.keys", "token.secret", "lock", "mongod.log"):
        assert mode(data_dir / name) == 0o600, name
    said = process.stdout.read_text()
    assert f"http://localhost:{process.port}/\n" in said
    assert f"http://localhost:{process.port}/api/docs\n" in said
    for path in ("/healthz", "/readyz"):
        assert (await process.fetch("GET", process.origin + path)).code == 200


async def test_no_file_is_anybody_elses(process: Process, data_dir: Path) -> None:
    """The database's too, to the last one: nobody but their owner may read or write any, whatever the umask."""
    await (await process.person()).land()
    files = {path: mode(path) for path in data_dir.rglob("*") if path.exists()}
    assert any(path.suffix == ".wt" for path in files)
    assert {path: oct(found) for path, found in files.items() if found & 0o077} == {}
    assert mode(data_dir / "mongodb") == 0o700


async def test_everything_listens_on_loopback_alone(process: Process) -> None:
    """The server by default, its database always."""
    assert listening(process.mongod) == {"0100007F"}
    assert listening(process.process.pid) == {"0100007F"}


async def test_a_second_start_knows_everybody(process: Process) -> None:
    """Accounts, tokens, sessions and messages outlive the process; so do the files' keys."""
    ann = await process.person("Ann")
    land = await ann.land()
    await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "before"})
    keys = (process.data_dir / "master.keys").read_bytes(), (process.data_dir / "token.secret").read_bytes()
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    await process.start()
    assert keys == (
        (process.data_dir / "master.keys").read_bytes(),
        (process.data_dir / "token.secret").read_bytes(),
    )
    assert (await ann.ok("GET", "/auth/me"))["username"] == "Ann"
    assert [message["content"] for message in await process.history(ann.token, land)] == ["before"]
    hers = await ann.chat(land)
    ack = await hers.ask("message_ack", type="send_message", room_id=land, content="after")
    assert ack["seq"] == 2


async def write(socket: Socket, room_id: str, amount: int) -> None:
    """Sends without waiting, for as long as it can be sent."""
    for number in range(amount):
        await socket.send(
            type="send_message", room_id=room_id, content=f"message {number}", client_id=f"c{number}"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stopping(process: Process, number: signal.Signals) -> None:
    """Everybody is sent away, each for another while; what was acknowledged is there; the database ends too."""
    ann = await process.person()
    land = await ann.land()
    sockets = [await ann.chat(land) for _ in range(8)] + [await ann.signal() for _ in range(2)]
    mongod = process.mongod
    writing = asyncio.ensure_future(write(sockets[0], land, 400))
    await sockets[0].next("message_ack")
    started = monotonic()
    process.signal(number)
    closes = [await socket.ended() for socket in sockets]
    assert await process.ready() != 200
    assert await process.exit_code() == 0
    assert monotonic() - started < STOP_SECONDS
    await asyncio.gather(writing, return_exceptions=True)
    await until(lambda: not alive(mongod), "the end of mongod")
    assert "Traceback" not in process.stderr.read_text()

    assert {code for code, _ in closes} == {1012}
    delays = [float((reason or "").removeprefix("retry_after=")) for _, reason in closes]
    assert len(set(delays)) == len(delays) and all(0 < delay <= 60 for delay in delays)

    acknowledged = {ack["client_id"]: ack["seq"] for ack in sockets[0].taken("message_ack")}
    await process.forget_sockets()
    await process.start()
    messages = await process.history(ann.token, land)
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    kept = {message["client_id"]: message["seq"] for message in messages}
    assert acknowledged and acknowledged.items() <= kept.items()


async def test_stopping_under_a_request(process: Process) -> None:
    """A request that was taken is answered before the end, or was not taken at all."""
    ann = await process.person()
    land = await ann.land()
    posts = [
        asyncio.ensure_future(
            process.fetch(
                "POST", f"/chat/sessions/{land}/messages", {"content": f"{number}"}, token=ann.token
            )
        )
        for number in range(50)
    ]
    await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
    process.signal(signal.SIGTERM)
    answers = await asyncio.gather(*posts, return_exceptions=True)
    assert await process.exit_code() == 0
    written = {number for number, answer in enumerate(answers) if getattr(answer, "code", 0) == 201}
    await process.start()
    kept = {int(message["content"]) for message in await process.history(ann.token, land)}
    assert written and written <= kept


async def test_stopping_while_starting(new_process: NewProcess) -> None:
    """A signal that comes before it is ready ends it as well, database and all."""
    process = new_process()
    starting = asyncio.ensure_future(process.start())
    await until(lambda: (process.data_dir / "mongod.json").exists(), "a mongod that starts")
    mongod = process.mongod
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    await until(lambda: not alive(mongod), "the end of mongod")
    await asyncio.gather(starting, return_exceptions=True)
    await process.start()
    await process.person()
    await process.stop()


async def test_stopping_while_the_database_does_not_start(new_process: NewProcess) -> None:
    """A signal ends a start also while that waits for a database that hangs."""
    process = new_process()
    starting = asyncio.ensure_future(process.start())
    await until(lambda: (process.data_dir / "mongod.json").exists(), "a mongod that starts")
    mongod = process.mongod
    await until(lambda: Path(f"/proc/{mongod}/comm").read_text() == "mongod\n", "the program itself")
    os.kill(mongod, signal.SIGSTOP)
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    assert not alive(mongod)
    await asyncio.gather(starting, return_exceptions=True)


@pytest.mark.logs("^hereabouts: mongod ended at once")
async def test_a_database_that_dies_while_it_starts(new_process: NewProcess) -> None:
    """Is told in one sentence; the next start is as good as any."""
    process = new_process()
    starting = asyncio.ensure_future(process.start())
    await until(lambda: (process.data_dir / "mongod.json").exists(), "a mongod that starts")
    os.kill(process.mongod, signal.SIGKILL)
    assert await process.exit_code() == 1
    await asyncio.gather(starting, return_exceptions=True)
    await process.start()
    assert await process.ready() == 200
    await process.stop()


async def test_the_page_and_the_person(process: Process) -> None:
    """What it prints leads to the demo page."""
    response = await process.fetch("GET", f"{process.origin}/")
    assert response.code == 200 and "text/html" in response.headers["Content-Type"]
    assert isinstance(await process.person(), Person)
