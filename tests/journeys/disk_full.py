"""The database's disk full, in full flow: `python -m tests.journeys.disk_full`.

A command and no test, as it mounts a small file system (tmpfs) for the data folder and so needs root on
Linux. It says what happened and ends with 0 if nothing that was acknowledged is lost or doubled and the
server went on by itself when there was room again.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic

from tests.journeys.process import Process, complaints
from tests.journeys.test_faults import recovery, start_flow

SIZE_MB = 512  # an empty mongod takes some 310: its journal is made in files of 100
LEAST_FREE = 64 * 1024  # bytes left by the file that fills the disk


async def run(folder: Path, elsewhere: Path) -> None:
    process = Process(folder / "data", "--storage-timeout", "2")
    process.stdout, process.stderr = elsewhere / "stdout", elsewhere / "stderr"
    await process.start()
    try:
        flow, ann, land, _, tasks = await start_flow(process)
        tasks += [asyncio.create_task(flow.read(ann, "/chat/sessions"))]
        mongod = process.mongod
        started = monotonic()
        filler = folder / "filler"
        fill(filler)
        say(f"the disk is full, {len(flow.acknowledged)} messages are acknowledged")
        hers = await ann.chat(land)
        while "unavailable" not in flow.refused:
            fill(filler)
            assert monotonic() - started < 120, "nobody was refused"
            # Long messages, so that what the database has set aside is used up.
            await hers.send(type="send_message", room_id=land, content="x" * 4_000)
            await asyncio.sleep(0.001)
        say(f"after {monotonic() - started:.1f} s: unavailable; /readyz {await process.ready()}")
        await asyncio.sleep(10)
        deaths = sum("starting it again" in line for line in complaints(process.stderr.read_text()))
        say(f"10 s later: /readyz {await process.ready()}, mongod died {deaths} times so far")
        say(f"slowest answer {flow.slowest:.2f} s, {len(flow.refused)} refusals")
        filler.unlink()
        started = monotonic()
        await recovery(flow)
        say(f"there is room again: acknowledged again after {monotonic() - started:.1f} s")
        say(f"mongod is {'the same' if process.mongod == mongod else 'another one'}")
        flow.stop()
        await asyncio.gather(*tasks)
        stored = await process.history(ann.token, land)
        mine = [message for message in stored if "client_id" in message]
        by_client = {message["client_id"]: message["seq"] for message in mine}
        assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1)), "gaps"
        assert len(by_client) == len(mine), "doubled"
        assert flow.acknowledged.items() <= by_client.items(), "lost"
        say(f"{len(flow.acknowledged)} acknowledged, none lost, none doubled; {len(stored)} stored, no gap")
        await process.stop()
    finally:
        await process.kill()


def fill(path: Path) -> None:
    """Takes what room there is, but for a little."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while (status := os.statvfs(path)).f_bavail * status.f_frsize > LEAST_FREE:
            file.write(bytes(LEAST_FREE))


def say(what: str) -> None:
    print(what, flush=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "none", folder])
        if mounted.returncode:
            print("a file system cannot be mounted here: this needs root on Linux", file=sys.stderr)
            return 2
        try:
            asyncio.run(run(Path(folder), Path(elsewhere)))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
