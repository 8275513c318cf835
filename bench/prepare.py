"""Puts people into a database for `bench.server` to serve: `python -m bench.prepare FOLDER --mongodb-uri URI`.

Straight into the store: hashing passwords is not what is measured. In FOLDER it leaves what the server
needs (`world.json`), a WebSocket path with a token for each person (`paths`), and the first one's token.
Another process than the server's, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet

from server.clock import Clock
from server.ids import new_id
from server.services.tokens import Tokens
from server.settings import Settings
from storage.keyring import Keyring
from storage.records import Land, User
from storage.store import Store

TOKEN_SECONDS = 86_400  # longer than any run
SIDE = 500.0  # of the land; the walkers' grid lies elsewhere


async def main(options: argparse.Namespace) -> None:
    world = {
        "mongodb_uri": options.mongodb_uri,
        "database": f"bench_{secrets.token_hex(4)}",
        "token_secret": secrets.token_hex(32),
        "master_key": Fernet.generate_key().decode(),
        "land": new_id(),
    }
    store = await Store.open(
        world["mongodb_uri"],
        keyring=Keyring([world["master_key"].encode()]),
        database=world["database"],
    )
    clock = Clock()
    tokens = Tokens(replace(Settings(), token_seconds=TOKEN_SECONDS), world["token_secret"].encode(), clock)
    users = [
        User(new_id(), f"person-{number}", f"person-{number}", None, clock.now())
        for number in range(options.people)
    ]
    for start in range(0, len(users), 100):
        await asyncio.gather(*(store.users.insert(user) for user in users[start : start + 100]))
    land = Land(
        id=world["land"],
        world_id="main",
        name="Benchmark",
        x=-2 * SIDE,
        y=0,
        width=SIDE,
        height=SIDE,
        owner_id=users[0].id,
        access="open",
        invited=frozenset(),
        created_at=clock.now(),
    )
    await store.lands.insert(land)
    await store.close()
    issued = [tokens.issue(user.id, new_id()) for user in users]
    folder: Path = options.folder
    (folder / "paths").write_text("".join(f"/api/v1/ws/connect?token={token}\n" for token in issued))
    (folder / "token").write_text(issued[0])
    (folder / "world.json").write_text(json.dumps(world))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mongodb-uri", required=True)
    parser.add_argument("--people", type=int, default=10_000)
    asyncio.run(main(parser.parse_args()))
