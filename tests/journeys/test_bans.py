"""`python run.py ban` and `unban`: beside a running server, and by themselves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

from tests.journeys.process import Process, command, environment


async def run(data_dir: Path, *arguments: str) -> tuple[int, str, str]:
    """The command's exit code, and what it says on its two outputs."""
    done = await asyncio.to_thread(
        subprocess.run,
        command(data_dir, *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


async def test_beside_a_running_server(process: Process, data_dir: Path) -> None:
    """By name or by id; sockets close while the server goes on; unbanned, the old token serves again."""
    ann, bob = await process.person("ann"), await process.person("bob")
    hers, his = await ann.chat(), await bob.chat()
    code, said, logged = await run(data_dir, "ban", "Ann")
    assert (code, said) == (0, f"ann ({ann.id}) is banned")
    assert f"user_id={ann.id}" in logged and "ban_set" in logged
    assert await hers.ended() == (4003, "this account is banned")
    await ann.refused("forbidden", "GET", "/auth/me")
    await his.ask("pong", type="ping")
    assert (await run(data_dir, "ban", ann.id))[:2] == (0, f"ann ({ann.id}) is banned already")

    code, said, logged = await run(data_dir, "unban", ann.id)
    assert (code, said) == (0, f"ann ({ann.id}) is not banned")
    assert f"user_id={ann.id}" in logged and "ban_lifted" in logged
    assert (await run(data_dir, "unban", "ann"))[:2] == (0, f"ann ({ann.id}) is not banned already")
    while (await ann.call("GET", "/auth/me"))[0] != 200:
        await asyncio.sleep(0.05)
    await ann.chat()


async def test_without_a_server(process: Process, data_dir: Path) -> None:
    """It starts the database for as long as it takes, and the server finds the ban at its next start."""
    ann, bob = await process.person("ann"), await process.person("bob")
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0
    assert (await run(data_dir, "ban", "ann"))[:2] == (0, f"ann ({ann.id}) is banned")
    await process.start()
    await ann.refused("forbidden", "GET", "/auth/me")
    await bob.ok("GET", "/auth/me")


async def test_whom_it_cannot_find_it_does_not_ban(process: Process, data_dir: Path) -> None:
    """One sentence and exit code 1; who has taken another's id for a name gets nobody banned in their place."""
    ann = await process.person("ann")
    code, said, logged = await run(data_dir, "ban", "nobody")
    assert (code, said) == (1, "")
    assert logged == "hereabouts: no user has the name or the id nobody"
    imposter = await process.person(ann.id)
    code, said, logged = await run(data_dir, "ban", ann.id)
    assert (code, said) == (1, "")
    assert f"the id of ann and the name of user {imposter.id}" in logged
    assert (await run(data_dir, "ban", imposter.id))[:2] == (0, f"{ann.id} ({imposter.id}) is banned")
    await ann.ok("GET", "/auth/me")
    assert (await run(data_dir, "ban"))[0] == 2
    assert (await run(data_dir, "rotate-keys", "ann"))[0] == 2
