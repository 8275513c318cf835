"""Bots in the loop of a real server: their accounts, and what becomes of the others when something happens to one."""

from __future__ import annotations

import asyncio
import json
import random
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from client import Hereabouts
from client.bots import crowd
from client.bots.accounts import Accounts
from server.errors import restarting
from tests.client.steps import Told, connected
from tests.harness import PATIENCE, Server


@asynccontextmanager
async def bots(server: Server, count: int, path: Path) -> AsyncIterator[None]:
    """So many in the village, for as long as the block takes."""
    leaving = asyncio.Event()
    living = asyncio.create_task(crowd.live(server.origin, count, Accounts(path), random.Random(1), leaving))
    try:
        yield
    finally:
        leaving.set()
        await living


@asynccontextmanager
async def watching(server: Server) -> AsyncIterator[Hereabouts]:
    """Ann, who stands at the origin and sees the whole village."""
    async with connected(server, await server.person("Ann")) as ann:
        await ann.chat.update_location(0, 0)
        ann.chat.watch_nearby(50)
        yield ann


async def sees(watcher: Hereabouts, *usernames: str) -> None:
    """Waits until these are in view, and nobody else."""
    async with asyncio.timeout(PATIENCE):
        while {user["username"] for user in watcher.chat.nearby.values()} != {*usernames}:
            await asyncio.sleep(0.02)


async def see_walking(watcher: Hereabouts) -> None:
    """Waits until all in view stand elsewhere than they do."""

    def places() -> dict[str, tuple[float, float]]:
        return {user["username"]: (user["x"], user["y"]) for user in watcher.chat.nearby.values()}

    before = places()
    async with asyncio.timeout(3 * PATIENCE):
        while not all(places()[name] != place for name, place in before.items()):
            await asyncio.sleep(0.02)


async def test_they_come_and_go(server: Server, tmp_path: Path) -> None:
    """At the end their connections are closed and their logins are over."""
    async with watching(server) as ann:
        async with bots(server, 3, tmp_path / "bots.json"):
            await sees(ann, "Ada.bot", "Bruno.bot", "Clara.bot")
            await see_walking(ann)
        await sees(ann)
        assert (await ann.api.online_users())["count"] == 1


async def test_they_come_back(server: Server, tmp_path: Path) -> None:
    """After a connection is lost, a bot is seen again and walks on."""
    async with watching(server) as ann, bots(server, 2, tmp_path / "bots.json"):
        await sees(ann, "Ada.bot", "Bruno.bot")
        updates = Told(ann.chat, "nearby_update")
        ada = (await ann.api.user_named("Ada.bot"))["id"]
        for connection in server.app.node.chat.of_user(ada):
            connection.close(restarting(0.2))
        await updates.until(lambda events: any(ada in event["left"] for event in events))
        await sees(ann, "Ada.bot", "Bruno.bot")
        await see_walking(ann)


async def test_what_is_said_aloud_is_answered_aloud(server: Server, tmp_path: Path) -> None:
    """By the one who is spoken to, whether in the room of a land or in none."""
    async with watching(server) as ann, bots(server, 1, tmp_path / "bots.json"):
        await sees(ann, "Ada.bot")
        heard = Told(ann.chat, "speech")
        (ada,) = ann.chat.nearby.values()
        await ann.chat.update_location(ada["x"], ada["y"])
        await ann.chat.say("Hello Ada!").settled()
        assert "Ann" in (await heard.next(sender_id=ada["user_id"]))["content"]


@pytest.mark.logs("hereabouts.bots WARNING bot 0 was signed out")
async def test_one_that_is_sent_away(server: Server, tmp_path: Path) -> None:
    """It goes and stays away; the others stay."""
    path = tmp_path / "bots.json"
    async with watching(server) as ann, bots(server, 3, path):
        await sees(ann, "Ada.bot", "Bruno.bot", "Clara.bot")
        password = json.loads(path.read_text())["accounts"][0]["password"]
        async with Hereabouts(server.origin) as owner:
            await owner.auth.login("Ada.bot", password)
            await owner.api.change_password(password, "another good one")
        await sees(ann, "Bruno.bot", "Clara.bot")
        await see_walking(ann)


@pytest.mark.logs("hereabouts.bots ERROR bot 0 has failed")
async def test_one_that_fails(server: Server, tmp_path: Path) -> None:
    """It is logged, and takes nobody along: here one whose account cannot be kept."""
    path = tmp_path / "bots.json"
    async with watching(server) as ann:
        async with bots(server, 3, path):
            await sees(ann, "Ada.bot", "Bruno.bot", "Clara.bot")
        accounts = json.loads(path.read_text())["accounts"]
        path.write_text(json.dumps({"accounts": [None, *accounts[1:]]}))
        path.with_suffix(".new").mkdir()
        async with bots(server, 3, path):
            await sees(ann, "Bruno.bot", "Clara.bot")


async def test_a_land_that_is_closed_to_them(server: Server, tmp_path: Path) -> None:
    """They walk through it, and are not in its room; where somebody's land is, theirs are not made."""
    async with watching(server) as ann:
        land = await ann.api.claim_land("Ann's", -50, -50, 100, 100, access="invited")
        async with bots(server, 2, tmp_path / "bots.json"):
            await sees(ann, "Ada.bot", "Bruno.bot")
            await see_walking(ann)
            assert (await ann.api.lands())["lands"] == [land]
            assert (await ann.chat.join(land["id"]))["member_count"] == 1


async def test_a_world_where_nobody_runs(new_server: Callable[..., Server], tmp_path: Path) -> None:
    """A limit that is slower than they are is no error of theirs."""
    path = tmp_path / "bots.json"
    async with new_server(max_speed=1.0) as server, watching(server) as ann, bots(server, 2, path):
        await sees(ann, "Ada.bot", "Bruno.bot")
        await see_walking(ann)


async def test_the_same_bots_come_back(server: Server, tmp_path: Path) -> None:
    """From a file that nobody else can read, with the passwords in it."""
    path = tmp_path / "bots.json"
    users = []
    for _ in range(2):
        async with Hereabouts(server.origin) as hereabouts:
            await Accounts(path).sign_in(hereabouts.auth, 0)
            users.append(hereabouts.user)
            await hereabouts.auth.logout()
    assert users[0] == users[1]
    assert users[0] is not None
    assert (users[0]["username"], users[0]["display_name"]) == ("Ada.bot", "Ada (bot)")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_name_that_is_taken(server: Server, tmp_path: Path) -> None:
    """Another is taken, and kept; the order in the file is that of the bots, whoever came first."""
    await server.person("ada.BOT")
    accounts = Accounts(tmp_path / "bots.json")
    for number in (1, 0):
        async with Hereabouts(server.origin) as hereabouts:
            await accounts.sign_in(hereabouts.auth, number)
            await hereabouts.auth.logout()
    kept = json.loads((tmp_path / "bots.json").read_text())["accounts"]
    assert [account["username"] for account in kept] == ["Ada-2.bot", "Bruno.bot"]


@pytest.mark.logs("hereabouts.bots WARNING Ada.bot is not known here any more")
async def test_an_account_that_is_gone(server: Server, tmp_path: Path) -> None:
    """A server that does not know it, or knows it as somebody else's, gets another."""
    path = tmp_path / "bots.json"
    path.write_text(json.dumps({"accounts": [{"username": "Ada.bot", "password": "of another server"}]}))
    async with Hereabouts(server.origin) as hereabouts:
        await Accounts(path).sign_in(hereabouts.auth, 0)
        assert hereabouts.user is not None and hereabouts.user["username"] == "Ada.bot"
        await hereabouts.auth.logout()
    assert json.loads(path.read_text())["accounts"][0]["password"] != "of another server"
