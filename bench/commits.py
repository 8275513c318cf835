"""A commit by each way: `python -m bench.commits`. Eight messages inserted at majority and journal, alone and idle.

On the loop's own connection (`storage.link`), by motor in its thread, in turn; prints for each the median, and the time of
our core. MongoDB has the other core.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.processes import LOAD_CORE, SERVER_CORE, Process, python
from storage.driver import Database

MESSAGES: Final = 8
RUNS: Final = 600
PAUSE_SECONDS: Final = 0.003  # as long as the delivery to 500 people takes


async def main(uri: str) -> None:
    database = Database(uri, "bench_commits", timeout=5.0)
    messages = database["messages"]
    await messages.create_index([("session", 1), ("seq", 1)], unique=True)
    await messages.create_index([("kind", 1), ("created_at", 1)])
    while not database.link.connected:
        await database.link.insert("messages", batch(0))
        await asyncio.sleep(0.1)

    async def straight(documents: list[dict[str, Any]]) -> None:
        if await database.link.insert("messages", documents) != len(documents):
            raise SystemExit("the straight way left an insert to the driver")

    ways: dict[str, Callable[[list[dict[str, Any]]], Awaitable[Any]]] = {
        "straight": straight,
        "driver": messages.insert_many,
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    used = dict.fromkeys(ways, 0.0)
    for number in range(1, RUNS + 1):
        for way, insert in ways.items():
            documents = batch(number)
            began, cpu = time.perf_counter(), time.process_time()
            await insert(documents)
            took[way].append(time.perf_counter() - began)
            used[way] += time.process_time() - cpu
            await asyncio.sleep(PAUSE_SECONDS)
    print(f"{'way':<9} {'p50 ms':>7} {'our core, ms':>13}")
    for way in ways:
        print(f"{way:<9} {statistics.median(took[way]) * 1000:7.2f} {used[way] / RUNS * 1000:13.2f}")
    await database.close()


def batch(number: int) -> list[dict[str, Any]]:
    session = secrets.token_hex(16)
    return [
        {
            "_id": secrets.token_hex(16),
            "session": session,
            "seq": seq,
            "kind": "land",
            "sender": session,
            "created_at": number,
            "body": secrets.token_bytes(150),
        }
        for seq in range(MESSAGES)
    ]


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(SERVER_CORE)})
    with tempfile.TemporaryDirectory(prefix="hereabouts-bench-") as folder:
        mongod = Process(python("-m", "bench.mongod", Path(folder)), core=LOAD_CORE)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main(mongod.first_line))
        finally:
            mongod.end_input()
