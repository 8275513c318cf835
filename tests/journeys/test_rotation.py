"""`python run.py rotate-keys`: beside a running server, interrupted, and without one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.journeys.process import Process, command, environment


async def rotate(data_dir: Path) -> str:
    """Runs the command to its end; what it says."""
    done = await asyncio.to_thread(
        subprocess.run,
        command(data_dir, "rotate-keys"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "master_keys_rotated" in done.stderr
    return done.stdout


def keys_in_use(uri: str) -> set[str]:
    """The ids of the master keys that data keys are under."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        return set(client["hereabouts"]["sessions"].distinct("key.id"))


async def test_beside_a_running_server(process: Process) -> None:
    """No read and no write fails meanwhile; afterwards every data key is under the new master key."""
    ann = await process.person()
    lands = [await ann.land(x=20 * number) for number in range(10)]
    for land in lands:
        await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "before"})
    before = keys_in_use(process.mongod_uri)
    rotating = asyncio.create_task(rotate(process.data_dir))
    written = 0
    while not rotating.done():
        land = lands[written % len(lands)]
        await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "meanwhile"})
        await ann.ok("GET", f"/chat/sessions/{land}/messages")
        written += 1
    said = await rotating
    after = keys_in_use(process.mongod_uri)
    assert len(after) == 1 and not after & before
    assert after.pop() in said
    # A session made now, and one read by a server that has never held its key before.
    ann_too = await ann.land(x=-100)
    await ann.ok("POST", f"/chat/sessions/{ann_too}/messages", {"content": "after"})
    assert len(keys_in_use(process.mongod_uri)) == 1
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    await process.start()
    for land in lands:
        contents = [message["content"] for message in await process.history(ann.token, land)]
        assert contents[0] == "before" and set(contents[1:]) <= {"meanwhile"}


async def test_without_a_server(process: Process, data_dir: Path) -> None:
    """It starts the database for as long as it takes; twice is two new keys, and all stays readable."""
    ann = await process.person()
    land = await ann.land()
    await ann.ok("POST", f"/chat/sessions/{land}/messages", {"content": "before"})
    await process.forget_sockets()
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    for keys in (2, 3):
        await rotate(data_dir)
        assert len((data_dir / "master.keys").read_text().split()) == keys
    await process.start()
    assert [message["content"] for message in await process.history(ann.token, land)] == ["before"]
