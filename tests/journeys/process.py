"""`run.py` as its users have it: a process of its own, with its data folder, and whatever comes of signals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from tornado.simple_httpclient import SimpleAsyncHTTPClient

from tests.harness import Server, Socket

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0  # the issue's
POLL_SECONDS = 0.05

# A line of the log, as text or as JSON.
_UNREMARKABLE = re.compile(r'^\S+Z \[(info|debug) *\]|^\{.*"level": "(info|debug)"')
_READY = re.compile(r"demo +https?://localhost:(\d+)/$", re.MULTILINE)


def environment(**more: str) -> dict[str, str]:
    """This one's without any setting of the server in it, rate limits off, and `more`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HEREABOUTS_") and name not in ("MONGODB_URI", "REDIS_URL")
    }
    return {**inherited, "HEREABOUTS_RATE_LIMITS": "off", **more}


def command(data_dir: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), *arguments, "--data-dir", str(data_dir)]


def complaints(stderr: str) -> list[str]:
    """The lines of warning and above, and any that the log did not write, such as a traceback's."""
    return [line for line in stderr.splitlines() if not _UNREMARKABLE.search(line)]


async def refusal(data_dir: Path, *arguments: str, **variables: str) -> str:
    """The sentence with which a start is refused: one line, exit code 1, nothing of Python's."""
    done = await asyncio.to_thread(
        subprocess.run,
        command(data_dir, "--port", "0", *arguments),
        env=environment(HEREABOUTS_LOG_LEVEL="error", **variables),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1, (done.returncode, lines)
    assert len(lines) == 1 and lines[0].startswith("hereabouts: "), lines
    return lines[0]


async def until(condition: Any, what: str, seconds: float = STOP_SECONDS) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(POLL_SECONDS)


def alive(pid: int) -> bool:
    """A zombie is dead: its parent may be a container's first process, which reaps nobody."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Process(Server):
    """A running `run.py`, and what `Server` does as its client. It can be started again on its data folder."""

    def __init__(self, data_dir: Path, *options: str, **variables: str) -> None:
        self.data_dir = data_dir
        self.options = options
        self.variables = variables
        self.port = 0
        self.stdout = data_dir.with_suffix(".stdout")
        self.stderr = data_dir.with_suffix(".stderr")
        self._names = count()
        self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=200, max_body_size=10_000_000)
        self._sockets: list[Socket] = []

    async def start(self) -> None:
        with self.stdout.open("wb") as stdout, self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                command(self.data_dir, "--port", "0", *self.options),
                # As JSON a stack is no lines of its own.
                env=environment(**{"HEREABOUTS_LOG_FORMAT": "json", **self.variables}),
                stdout=stdout,
                stderr=stderr,
            )

        def ready() -> bool:
            assert self.process.poll() is None, self.stderr.read_text()
            return _READY.search(self.stdout.read_text()) is not None

        await until(ready, "a line with the URL", START_SECONDS)
        found = _READY.search(self.stdout.read_text())
        assert found is not None
        self.port = int(found.group(1))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mongod(self) -> int:
        """The process id of its database."""
        return int(json.loads((self.data_dir / "mongod.json").read_text())["pid"])

    @property
    def mongod_uri(self) -> str:
        port = json.loads((self.data_dir / "mongod.json").read_text())["port"]
        return f"mongodb://127.0.0.1:{port}/?directConnection=true"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        """Waits for its end."""
        await until(lambda: self.process.poll() is not None, "the end of the process")
        return self.process.returncode

    async def forget_sockets(self) -> None:
        """Closes this side of every socket: the other is gone."""
        for socket in self._sockets:
            await socket.close()
        self._sockets.clear()

    async def stop(self) -> None:
        """As an operator does. It has to end well."""
        await self.forget_sockets()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            assert await self.exit_code() == 0, self.stderr.read_text()
        self._client.close()

    async def kill(self) -> None:
        """Ends all that is left of it, however that stands."""
        for socket in self._sockets:
            socket.connection.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with suppress(FileNotFoundError, TypeError, ProcessLookupError):
            pid = self.mongod
            os.kill(pid, signal.SIGCONT)
            await until(lambda: not alive(pid), "the end of mongod")
