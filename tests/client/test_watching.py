"""Watching who is near: `nearby` is who is in view, whatever the network did."""

from __future__ import annotations

import asyncio

from client import Hereabouts
from server import errors
from tests.client.steps import Told, connected, dismiss
from tests.harness import PATIENCE, Server

AWAY = errors.try_later(60)  # until the test calls `retry_now`


async def shows(client: Hereabouts, *places: tuple[str, float, float]) -> None:
    """Waits until these are in view, and nobody else."""
    async with asyncio.timeout(PATIENCE):
        while {(user["username"], user["x"], user["y"]) for user in client.chat.nearby.values()} != {*places}:
            await asyncio.sleep(0.01)


async def test_nearby_is_who_is_in_view(server: Server) -> None:
    """Entering, moving, leaving; and nobody after `unwatch_nearby`."""
    ann, bob = await server.person("ann"), await server.person("bob")
    walker = await bob.chat()
    async with connected(server, ann) as hers:
        snapshots, updates = Told(hers.chat, "nearby_snapshot"), Told(hers.chat, "nearby_update")
        await hers.chat.update_location(0, 0)
        hers.chat.watch_nearby(20)
        assert (await snapshots.next())["radius"] == 20
        for x in (5, 7.5):
            await walker.ask("location_updated", type="update_location", x=x, y=1)
            await updates.next()
            await shows(hers, ("bob", x, 1))
        await walker.ask("location_updated", type="update_location", x=50, y=1)
        await shows(hers)
        await walker.ask("location_updated", type="update_location", x=5, y=1)
        await shows(hers, ("bob", 5, 1))
        hers.chat.unwatch_nearby()
        assert hers.chat.nearby == {}


async def test_after_a_reconnect_it_watches_again(server: Server) -> None:
    """With the same radius; who left meanwhile is gone."""
    ann, bob = await server.person("ann"), await server.person("bob")
    walker = await bob.chat()
    await walker.ask("location_updated", type="update_location", x=5, y=1)
    async with connected(server, ann) as hers:
        states, snapshots = Told(hers.chat, "state"), Told(hers.chat, "nearby_snapshot")
        await hers.chat.update_location(0, 0)
        hers.chat.watch_nearby(20)
        await snapshots.next()
        await shows(hers, ("bob", 5, 1))
        dismiss(server, ann, AWAY)
        await states.next(state="waiting")
        await walker.ask("location_updated", type="update_location", x=50, y=1)
        hers.retry_now()
        assert (await snapshots.next())["radius"] == 20
        assert hers.chat.nearby == {}
        await hers.chat.update_location(45, 0)
        await shows(hers, ("bob", 50, 1))
