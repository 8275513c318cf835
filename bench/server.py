"""Hereabouts with everything on, for the load: `python -m bench.server FOLDER --mongodb-uri URI`.

Makes people straight in the store (hashing passwords is not what is measured), one land, and more
positions in the index than there are people, then serves like run.py. In FOLDER it leaves
`paths` (a WebSocket path with a token for each person) and `token`, and prints one line of JSON when ready.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import secrets
import signal
from pathlib import Path

from cryptography.fernet import Fernet

from run import event_loop
from server import logs
from server.app import App
from server.ids import new_id
from server.settings import Settings
from spatial.positions import PositionIndex
from storage.keyring import Keyring
from storage.records import User
from storage.store import Store

PEOPLE = 10_000
# Far from the walkers (bench.rows), a grid as loose as theirs is tight.
EDGE = -10_000
SPACING = 25.0


async def main(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    settings = dataclasses.replace(
        Settings(), port=0, rate_limits=False, mongodb_database=f"bench_{secrets.token_hex(4)}"
    )
    logs.configure("text", "warning")
    store = await Store.open(
        options.mongodb_uri,
        keyring=Keyring([Fernet.generate_key()]),
        database=settings.mongodb_database,
        timeout=settings.storage_timeout,
    )
    app = App(settings, store, secrets.token_bytes(64))
    await app.start()
    now = app.node.clock.now()
    users = [User(new_id(), f"person-{i}", f"person-{i}", None, now) for i in range(options.people)]
    for start in range(0, len(users), 100):
        await asyncio.gather(*(store.users.insert(user) for user in users[start : start + 100]))
    tokens = [app.node.tokens.issue(user.id, new_id()) for user in users]
    index = app.node.proximity._worlds["main"] = PositionIndex()
    for place in range(options.positions):
        index.set(f"absent-{place}", EDGE - place % 300 * SPACING, place // 300 * SPACING)
    folder: Path = options.folder
    (folder / "paths").write_text("".join(f"/api/v1/ws/connect?token={token}\n" for token in tokens))
    (folder / "token").write_text(tokens[0])
    print(json.dumps({"port": app.port, "database": settings.mongodb_database}), flush=True)
    await stopping.wait()
    await app.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mongodb-uri", required=True)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--positions", type=int, default=0)
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main(parser.parse_args()))
