"""A MongoDB of the benchmarks' own: `python -m bench.mongod FOLDER`. Prints its URI; ends with standard input."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from storage.mongod import LocalMongod


async def main(folder: Path) -> None:
    mongod = LocalMongod(folder)
    print(await mongod.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await mongod.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
