#!/usr/bin/env python3
"""Runs Hereabouts: `python run.py`, or `python run.py rotate-keys`. The work is done elsewhere; this
reads the options, opens the data folder and the database, and stops everything in the right order.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from server import logs, settings
from server.app import App
from server.ids import new_secret
from server.logs import log
from server.settings import BadSetting, Settings
from storage.datadir import DataDir
from storage.errors import StorageError
from storage.keyring import Keyring
from storage.mongod import LocalMongod
from storage.rotation import rewrap
from storage.store import Store, connect

DESCRIPTION = """\
The real-time server for virtual worlds: land, private and group chat, presence,
proximity and call signaling over WebSockets, with REST beside it.

Without --mongodb-uri it starts and supervises a MongoDB of its own on loopback, in
the data folder. Each option is also an environment variable, named in brackets with
the default; what is secret is taken from the environment or a file alone."""

COMMANDS = """\
commands:
  serve         run the server (what happens without a command)
  rotate-keys   add a master key and wrap every data key with it; safe while the
                server runs, and to be run again where it was interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python run.py",
        description=DESCRIPTION,
        epilog=COMMANDS,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "command", nargs="?", default="serve", choices=("serve", "rotate-keys"), metavar="command"
    )
    settings.add_options(parser)
    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    try:
        chosen = settings.load(options)
        logs.configure(chosen.log_format, chosen.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(chosen) if command == "serve" else rotate_keys(chosen))
    except (BadSetting, StorageError) as error:
        print(f"hereabouts: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # before there was anything to stop
    return 0


def spare_the_collector() -> None:
    """What is there by now stays, and what comes goes by reference counts: cycles are looked for seldom.

    With Python's own thresholds the search takes a tenth to a quarter of a busy server's time, since
    each message in flight is a handful of new objects and each connection some that stay.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def serve(chosen: Settings) -> None:
    """Runs until SIGTERM or SIGINT. Either also ends a start that takes its time."""
    stopping = asyncio.Event()
    starting = asyncio.current_task()

    def stop() -> None:
        nonlocal starting
        stopping.set()
        if starting is not None:
            starting.cancel()
            starting = None

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        with DataDir(chosen.data_dir):
            keyring = _keyring(chosen)
            token_secret = _token_secret(chosen)
            async with _database(chosen) as uri:
                store = await Store.open(
                    uri, keyring=keyring, database=chosen.mongodb_database, timeout=chosen.storage_timeout
                )
                app = App(chosen, store, token_secret)
                try:
                    await app.start()
                    starting = None
                    spare_the_collector()
                    _greet(chosen, app.port)
                    await stopping.wait()
                    log.info("stopping")
                finally:
                    await app.stop()
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
    # The loop is about to give the signals back: one more of them must not spoil a good end.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))


async def rotate_keys(chosen: Settings) -> None:
    """Beside a running server it uses that one's database; otherwise it starts it for as long as it takes."""
    # A setting is not ours to write: there the operator has put the new key in front.
    keyring = _keyring(chosen) if chosen.master_keys else Keyring.from_file(_key_file(chosen))
    uri = chosen.mongodb_uri or LocalMongod.running_uri(chosen.data_dir)
    if uri:
        await _rotate(uri, keyring, chosen)
        return
    with DataDir(chosen.data_dir):
        async with _database(chosen) as local:
            await _rotate(local, keyring, chosen)


async def _rotate(uri: str, keyring: Keyring, chosen: Settings) -> None:
    def progress(done: int, left: int) -> None:
        print(f"\r{done} data keys wrapped anew, {left} to go ", end="", file=sys.stderr, flush=True)

    database = await connect(uri, database=chosen.mongodb_database, timeout=chosen.storage_timeout)
    try:
        result = await rewrap(database, keyring, progress)
        # Keys that were left under an older master key are an interrupted rotation: that one is finished first.
        if not result.rewrapped and not chosen.master_keys:
            keyring.add_key()
            result = await rewrap(database, keyring, progress)
    finally:
        await database.close()
    print(f"{result.rewrapped} data keys are now under master key {result.key_id}")
    print("Keep the older keys for as long as a backup from before may be restored.")


@asynccontextmanager
async def _database(chosen: Settings) -> AsyncIterator[str]:
    """The URI of the database: the given one, or that of one of our own."""
    if chosen.mongodb_uri:
        yield chosen.mongodb_uri
        return
    mongod = LocalMongod(chosen.data_dir)
    log.info("starting_mongodb", data_dir=str(chosen.data_dir))
    uri = await mongod.start()
    try:
        yield uri
    finally:
        await mongod.stop()


def _key_file(chosen: Settings) -> Path:
    return chosen.data_dir / "master.keys"


def _keyring(chosen: Settings) -> Keyring:
    return (
        Keyring.from_setting(chosen.master_keys) if chosen.master_keys else Keyring.create(_key_file(chosen))
    )


def _token_secret(chosen: Settings) -> bytes:
    """The setting, or a secret made at the first run and kept beside the data (0600)."""
    if chosen.token_secret:
        return chosen.token_secret.encode()
    path = chosen.data_dir / "token.secret"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(new_secret() + new_secret())
        fresh.replace(path)  # a start that is interrupted leaves no half a secret
    secret = path.read_text().strip().encode()
    if len(secret) < 32:
        raise BadSetting(
            f"{path} holds fewer than 32 bytes: delete it, and a new one is made (everybody signs in anew)"
        )
    return secret


def _greet(chosen: Settings, port: int) -> None:
    scheme = "https" if chosen.tls else "http"
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    shown = "localhost" if chosen.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
    url = f"{scheme}://{shown}:{port}"
    print(
        f"\n  Hereabouts is running.\n\n    demo   {url}/\n    API    {url}/api/docs\n\n  Ctrl-C stops it.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
