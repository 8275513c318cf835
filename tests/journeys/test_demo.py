"""A first look: `run.py --bots` as a process, the village that somebody finds there, and what is left of it after the end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from client import Hereabouts
from client.bots.talking import first_name, is_bot
from client.bots.village import PLAN
from tests.client.steps import Told
from tests.harness import PASSWORD
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process, alive, refusal, until

BOTS = 8
SECONDS = 60.0


def bots_of(process: Process) -> int:
    """The process id of the bots, from the log of the latest start."""
    return int(re.findall(r'"process_id": (\d+)', process.stderr.read_text())[-1])


@asynccontextmanager
async def visitor(process: Process, name: str) -> AsyncIterator[Hereabouts]:
    """Somebody who has come to the village and stands in its middle."""
    async with Hereabouts(process.origin) as hereabouts:
        await hereabouts.auth.register(name, PASSWORD)
        await hereabouts.chat.ready()
        yield hereabouts


async def bots_in_sight(hereabouts: Hereabouts) -> dict[str, tuple[str, float, float]]:
    """When all are there: id: username, x, y."""
    looks = Told(hereabouts.chat, "nearby_users")
    deadline = monotonic() + SECONDS
    while True:
        await hereabouts.chat.update_location(0, 0, radius=50)
        users = (await looks.next())["users"]
        bots = {user["user_id"]: (user["username"], user["x"], user["y"]) for user in users}
        if len(bots) == BOTS:
            return bots
        assert monotonic() < deadline, bots
        await asyncio.sleep(0.2)


async def greet(hereabouts: Hereabouts, heard: Told) -> str:
    """Greets one bot after the other, each in the land that it stands in, until one answers, and says which."""
    deadline = monotonic() + SECONDS
    while monotonic() < deadline:
        for id, (username, x, y) in (await bots_in_sight(hereabouts)).items():
            land = (await hereabouts.chat.update_location(x, y))["land_id"]
            if land is None:
                continue
            members = (await hereabouts.chat.join(land))["members"]
            if id in {member["user_id"] for member in members}:
                hereabouts.chat.send(land, f"Hello {first_name(username)}!")
                with suppress(TimeoutError):  # it may have been on its way out
                    async with asyncio.timeout(7):
                        await heard.next(sender_id=id, room_id=land)
                        return id
            await hereabouts.chat.leave(land)
    raise AssertionError("nobody answered")


@pytest.fixture
def demo(new_process: NewProcess) -> Process:
    """To be started, with the limits that everybody has."""
    return new_process("--bots", str(BOTS), HEREABOUTS_RATE_LIMITS="on")


@pytest.mark.gen_test(timeout=180)
async def test_a_first_look(demo: Process) -> None:
    """A visitor sees lands with names and bots that walk, greets one, and writes to one in private: both answer."""
    await demo.start()
    assert f"{BOTS} bots" in demo.stdout.read_text()
    async with visitor(demo, "Ann") as ann:
        before = await bots_in_sight(ann)
        assert all(is_bot(username) for username, _, _ in before.values())
        lands = (await ann.api.lands(x0=-50, y0=-50, x1=50, y1=50))["lands"]
        assert {land["name"] for land in lands} == {land.name for land in PLAN}
        assert {land["owner_id"] for land in lands} <= before.keys()

        walked: set[str] = set()
        while len(walked) < BOTS / 2:
            after = await bots_in_sight(ann)
            walked |= {id for id in after if after[id] != before[id]}

        heard = Told(ann.chat, "message")
        id = await greet(ann, heard)

        private = (await ann.api.create_session([id]))["id"]
        ann.chat.send(private, "Are you a bot?")
        answer = await heard.next(sender_id=id, room_id=private)
        assert "bot" in answer["content"]
    await demo.stop()


@pytest.mark.gen_test(timeout=180)
async def test_the_same_come_back(demo: Process) -> None:
    """After a restart: the same accounts in the same lands, and no others; SIGTERM ends the bots as well."""
    found = []
    for name in ("Ann", "Ben"):
        await demo.start()
        async with visitor(demo, name) as person:
            bots = await bots_in_sight(person)
            lands = (await person.api.lands(x0=-50, y0=-50, x1=50, y1=50))["lands"]
        accounts = json.loads((demo.data_dir / "bots.json").read_text())["accounts"]
        found.append(({id: username for id, (username, _, _) in bots.items()}, lands, accounts))
        process_id = bots_of(demo)
        assert alive(process_id)
        demo.signal(signal.SIGTERM)
        assert await demo.exit_code() == 0
        assert not alive(process_id)
    assert found[0] == found[1]


@pytest.mark.gen_test(timeout=180)
async def test_nobody_stays_behind(demo: Process) -> None:
    """Of a server that is killed, bots and database end by themselves."""
    await demo.start()
    async with visitor(demo, "Ann") as ann:
        await bots_in_sight(ann)
        left = (bots_of(demo), demo.mongod)
        demo.signal(signal.SIGKILL)
        await demo.exit_code()
        await until(lambda: not any(map(alive, left)), "the end of what it had started")


@pytest.mark.logs('"event": "bots_left"')
@pytest.mark.gen_test(timeout=180)
async def test_bots_that_die_take_nobody_along(demo: Process) -> None:
    """The log tells of it, and the server goes on and stops well."""
    await demo.start()
    async with visitor(demo, "Ann") as ann:
        await bots_in_sight(ann)
        process_id = bots_of(demo)
        os.kill(process_id, signal.SIGKILL)
        await until(lambda: "bots_left" in demo.stderr.read_text(), "a line in the log")
        assert (await ann.api.me())["username"] == "Ann"
    await demo.stop()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {
                "HEREABOUTS_OIDC_ISSUER": "https://id.example",
                "HEREABOUTS_OIDC_AUDIENCE": "hereabouts",
                "HEREABOUTS_OIDC_KEY_FILE": "keys.json",
            },
            "identity provider",
        ),
        ({"HEREABOUTS_TLS_CERT": "chain.pem", "HEREABOUTS_TLS_KEY": "key.pem"}, "plain HTTP"),
    ],
)
async def test_where_bots_cannot_sign_in(data_dir: Path, variables: dict[str, str], reason: str) -> None:
    """The start is refused, before anything is made."""
    assert reason in await refusal(data_dir, "--bots", "3", **variables)
    assert not data_dir.exists()
