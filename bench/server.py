"""Hereabouts with everything on, as `run.py` serves it, but for rates: `python -m bench.server FOLDER`.

FOLDER is `bench.prepare`'s. `--positions` fills the index of the world that the walkers walk in with
people who are somewhere else. Prints its port when it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
from pathlib import Path

import uvloop

from run import spare_the_collector
from server import logs
from server.app import App
from server.settings import Settings
from spatial.positions import PositionIndex
from storage.keyring import Keyring
from storage.store import Store

# A grid of its own, far from where anybody walks.
EDGE = -10_000.0
SPACING = 25.0
COLUMNS = 300


async def main(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    world = json.loads((options.folder / "world.json").read_text())
    settings = dataclasses.replace(Settings(), port=0, rate_limits=False, mongodb_database=world["database"])
    logs.configure("text", "warning")
    store = await Store.open(
        world["mongodb_uri"],
        keyring=Keyring([world["master_key"].encode()]),
        database=settings.mongodb_database,
        timeout=settings.storage_timeout,
    )
    app = App(settings, store, world["token_secret"].encode())
    await app.start()
    if options.positions:
        proximity = app.node.proximity
        proximity._worlds["main"] = next(proximity._worlds_made), elsewhere(options.positions)
    spare_the_collector()
    print(app.port, flush=True)
    await stopping.wait()
    await app.stop()


def elsewhere(count: int) -> PositionIndex:
    index = PositionIndex()
    for number in range(count):
        row, column = divmod(number, COLUMNS)
        index.set(f"absent-{number}", EDGE - column * SPACING, row * SPACING)
    return index


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--positions", type=int, default=0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
