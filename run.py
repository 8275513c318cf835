#!/usr/bin/env python3
"""Runs Hereabouts: `python run.py`, or a command beside it. The work is done elsewhere; this
reads the options, opens the data folder and the database, and stops everything in the right order.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop

from client.bots.accounts import MOST as MOST_BOTS
from server import logs, settings
from server.app import App
from server.clock import Clock
from server.ids import new_secret
from server.logs import log
from server.security import SecurityLog
from server.settings import BadSetting, Settings
from storage.bans import Bans
from storage.datadir import DataDir
from storage.driver import Database
from storage.errors import StorageError
from storage.keyring import Keyring
from storage.mongod import LocalMongod
from storage.records import User
from storage.rotation import rewrap
from storage.store import Store, connect
from storage.users import Users

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
                server runs, and to be run again where it was interrupted
  ban USER      keep a user (name or id) out; running servers close the sockets
                within a second
  unban USER    let a user in again, who then signs in as before"""

USER_COMMANDS = ("ban", "unban")

BOTS_LEAVE_SECONDS = 3.0  # they take two; a server that stops does not wait for ones that hang


class BadCommand(Exception):
    """A command that cannot be done; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python run.py",
        description=DESCRIPTION,
        epilog=COMMANDS,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="serve",
        choices=("serve", "rotate-keys", *USER_COMMANDS),
        metavar="command",
    )
    parser.add_argument("user", nargs="?", metavar="USER", help="of ban and unban: a username or an id")
    parser.add_argument(
        "--bots",
        type=int,
        default=0,
        metavar="N",
        help=f"of serve: N walkers around the origin that move and chat, {MOST_BOTS} at most, for a first look",
    )
    settings.add_options(parser)
    options = vars(parser.parse_intermixed_args(arguments))
    command, user, bots = options.pop("command"), options.pop("user"), options.pop("bots")
    if (command in USER_COMMANDS) != bool(user):
        parser.error(f"{command} takes {'a USER' if command in USER_COMMANDS else 'no USER'}")
    if not 0 <= bots <= MOST_BOTS or (bots and command != "serve"):
        parser.error(f"--bots: expected 0 to {MOST_BOTS}, with serve")
    try:
        chosen = settings.load(options)
        if bots:
            check_bots_can_sign_in(chosen)
        logs.configure(chosen.log_format, chosen.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if command == "serve":
                runner.run(serve(chosen, bots))
            elif command == "rotate-keys":
                runner.run(rotate_keys(chosen))
            else:
                runner.run(ban(chosen, user, banned=command == "ban"))
    except (BadSetting, BadCommand, StorageError) as error:
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


def check_bots_can_sign_in(chosen: Settings) -> None:
    if chosen.oidc_issuer:
        raise BadSetting("--bots needs accounts of our own, and here an identity provider signs people in")
    if chosen.tls:
        raise BadSetting(
            "--bots needs plain HTTP on this machine, and our certificate is for another name:"
            " run `python -m client.bots` with the server's public URL instead"
        )


async def serve(chosen: Settings, bots: int) -> None:
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
                    _greet(chosen, app.port, bots)
                    async with _bots(chosen, app.port, bots):
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
    def progress(done: int, left: int) -> None:
        print(f"\r{done} data keys wrapped anew, {left} to go ", end="", file=sys.stderr, flush=True)

    # A setting is not ours to write: there the operator has put the new key in front.
    keyring = _keyring(chosen) if chosen.master_keys else Keyring.from_file(_key_file(chosen))
    async with _beside(chosen) as database:
        result = await rewrap(database, keyring, progress)
        # Keys that were left under an older master key are an interrupted rotation: that one is finished first.
        if not result.rewrapped and not chosen.master_keys:
            keyring.add_key()
            result = await rewrap(database, keyring, progress)
    SecurityLog(Clock()).tell("master_keys_rotated", key_id=result.key_id, data_keys=result.rewrapped)
    print(f"{result.rewrapped} data keys are now under master key {result.key_id}")
    print("Keep the older keys for as long as a backup from before may be restored.")


async def ban(chosen: Settings, given: str, *, banned: bool) -> None:
    """Written down; running servers, and those that start later, look for it themselves."""
    clock = Clock()
    async with _beside(chosen) as database:
        user = await _find(Users(database), given)
        bans = Bans(database)
        changed = await (bans.ban(user.id, now=clock.now()) if banned else bans.unban(user.id))
    if changed:
        SecurityLog(clock).tell("ban_set" if banned else "ban_lifted", user_id=user.id)
    already = "" if changed else " already"
    print(f"{user.username or 'a deleted account'} ({user.id}) is {'' if banned else 'not '}banned{already}")


async def _find(users: Users, given: str) -> User:
    """By name or id. One user can have taken another's id for a name: then neither is meant."""
    by_id, by_name = await users.get(given), await users.by_username(given)
    if by_id is not None and by_name is not None and by_id.id != by_name.id:
        raise BadCommand(
            f"{given} is the id of {by_id.username or 'a deleted account'} and the name of user {by_name.id}:"
            " give the name of the one, or the id of the other"
        )
    user = by_id or by_name
    if user is None:
        raise BadCommand(f"no user has the name or the id {given}")
    return user


@asynccontextmanager
async def _beside(chosen: Settings) -> AsyncIterator[Database]:
    """A running server's database; with none running it is started for as long as it takes."""
    async with AsyncExitStack() as stack:
        uri = chosen.mongodb_uri or LocalMongod.running_uri(chosen.data_dir)
        if not uri:
            stack.enter_context(DataDir(chosen.data_dir))
            uri = await stack.enter_async_context(_database(chosen))
        database = await connect(uri, database=chosen.mongodb_database, timeout=chosen.storage_timeout)
        stack.push_async_callback(database.close)
        yield database


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


@asynccontextmanager
async def _bots(chosen: Settings, port: int, count: int) -> AsyncIterator[None]:
    """So many walkers, in a process of their own: that leaves the server its core, and they are clients like others.

    They leave when their standard input ends. It does whatever becomes of this process, a SIGKILL included.
    """
    if not count:
        yield
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(chosen.host, chosen.host)
    origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    accounts = (chosen.data_dir / "bots.json").absolute()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client.bots", origin, str(count), str(accounts), "--until-stdin-ends"),
        stdin=PIPE,
        stderr=PIPE,
        cwd=Path(__file__).parent,
        # The settings hold secrets, which are not their business.
        env={name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ},
        # A Ctrl-C at the terminal is for us: it is we who end them.
        start_new_session=True,
    )
    log.info("bots_started", bots=count, process_id=process.pid)
    listening = asyncio.create_task(_hear(process))
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if not (await asyncio.wait([listening], timeout=BOTS_LEAVE_SECONDS))[0]:
            log.warning("bots_killed", process_id=process.pid)
            process.kill()
            await listening


async def _hear(process: asyncio.subprocess.Process) -> None:
    """Passes on to the log what they complain of, until they are gone."""
    assert process.stderr is not None
    async for line in process.stderr:
        log.warning("bots", said=line.decode("utf-8", "replace").rstrip())
    code = await process.wait()
    (log.warning if code else log.info)("bots_left", exit_code=code)


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


def _greet(chosen: Settings, port: int, bots: int) -> None:
    scheme = "https" if chosen.tls else "http"
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    shown = "localhost" if chosen.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
    url = f"{scheme}://{shown}:{port}"
    print(
        f"\n  Hereabouts is running.\n\n    demo   {url}/\n    API    {url}/api/docs\n"
        + (f"\n  {bots} bots walk about in its middle, where newcomers begin.\n" if bots else "")
        + "\n  Ctrl-C stops it.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
