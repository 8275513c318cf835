"""The database driver's bare read of what row H reads over REST: `python -m bench.driver FOLDER SECONDS`.

The same newest page of 50, over motor, one after the other, not decrypted; prints the median in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

import uvloop
from motor.motor_asyncio import AsyncIOMotorClient


async def main(folder: Path, seconds: float) -> None:
    world = json.loads((folder / "world.json").read_text())
    client = AsyncIOMotorClient(world["mongodb_uri"], readConcernLevel="majority")
    messages = client[world["database"]]["messages"]
    took: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        page = await messages.find({"session": world["land"]}).sort("seq", -1).limit(50).to_list(None)
        took.append(time.perf_counter() - started)
        if len(page) != 50:
            raise SystemExit(f"expected 50 messages, got {len(page)}")
    print(json.dumps({"p50_ms": statistics.median(took) * 1000}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), float(sys.argv[2])))
