"""Where somebody is, told no finer than the operator wants; and no faster steps than the operator allows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from server.settings import Settings
from tests.harness import Person, Server, Socket

NewServer = Callable[..., Server]

CELL: Final = 8.0
# Points of one cell, 16 to 24 by -8 to 0: its corners and edges, and some of its inside.
PLACES: Final = [(16.0, -8.0), (23.9999, -0.0001), (16.0, -0.0001), (17.3, -2.6), (20.0, -4.0)]
FINE: Final = 1e-3  # what the attack can tell on a server without a grid


async def stand(socket: Socket, x: float, y: float, **fields: Any) -> dict[str, dict[str, Any]]:
    """Those nearby by id."""
    await socket.ask("location_updated", type="update_location", x=x, y=y, **fields)
    return {user["user_id"]: user for user in (await socket.next("nearby_users"))["users"]}


async def edge(seen: Callable[[float], Awaitable[bool]], inside: float, outside: float) -> float:
    """Where `seen` changes between these two, to half of FINE."""
    while abs(outside - inside) > FINE / 2:
        middle = (inside + outside) / 2
        if await seen(middle):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


class Attacker:
    """One who walks around the target, asks in every way that there is, and takes each answer for exact."""

    def __init__(self, person: Person, socket: Socket, target: str) -> None:
        self.person = person
        self.socket = socket
        self.target = target

    async def seen_from(self, x: float, y: float, radius: float) -> bool:
        return self.target in await stand(self.socket, x, y, radius=radius)

    async def by_coordinates(self) -> tuple[float, float]:
        """What `nearby_users` says outright."""
        found = (await stand(self.socket, 0, 0, radius=50))[self.target]
        return found["x"], found["y"]

    async def by_distances(self) -> tuple[float, float]:
        """From far along each axis, the distance is that along the axis."""
        along_x = (await stand(self.socket, -20, -10, radius=50))[self.target]["distance"]
        along_y = (await stand(self.socket, 10, -40, radius=50))[self.target]["distance"]
        return along_x - 20, along_y - 40

    async def by_radius(self, radius: float) -> tuple[float, float]:
        """Where the target just comes within a radius, along each axis."""
        there = await self.by_coordinates()
        x = await edge(lambda x: self.seen_from(x, there[1], radius), there[0], -45.0)
        y = await edge(lambda y: self.seen_from(there[0], y, radius), there[1], 70.0)
        return x + radius, y - radius

    async def by_participants(self) -> tuple[float, float]:
        """The same with lands of one's own, which can be moved to the width of a hair: distances and membership."""

        async def move(x: float, y: float) -> None:
            await self.person.ok("PATCH", f"/lands/{land}", {"x": x, "y": y})

        async def found(radius: float) -> dict[str, float]:
            answer = await self.person.ok("GET", f"/chat/land/{land}/participants?radius={radius}")
            anybody = await self.person.server.call("GET", f"/chat/land/{land}/participants?radius={radius}")
            near = {user["user_id"]: user["distance"] for user in answer["participants"]}
            assert (self.target in near) == (anybody[1]["count"] == 1), (
                "the count without a token tells the same"
            )
            return near

        async def within(x: float, y: float) -> bool:
            await move(x, y)
            return self.target in await found(1)

        await stand(self.socket, 0, 0, world_id="elsewhere")  # not counted oneself
        land = await self.person.land(-100, -200, width=40, height=100)
        # The land's right edge and its lower one come near.
        x = await edge(lambda x: within(x - 40, -50), 40.0, -10.0)
        await move(-40, -50)
        distance_x = (await found(50))[self.target]
        await move(0, 10)
        distance_y = (await found(50))[self.target]
        assert abs(x + 1 - distance_x) <= FINE, "distance and membership agree"
        await self.person.ok("DELETE", f"/lands/{land}")
        return distance_x, 10 - distance_y

    async def estimates(self) -> list[tuple[float, float]]:
        return [
            await self.by_coordinates(),
            await self.by_distances(),
            *[await self.by_radius(radius) for radius in (1, 2.5, 10, 50)],
            await self.by_participants(),
        ]


async def attack(server: Server) -> dict[tuple[float, float], list[tuple[float, float]]]:
    """What an attacker finds out of a target at each of PLACES."""
    ann, eve = await server.people(2)
    hers, eves = await ann.chat(), await eve.chat()
    found = {}
    for place in PLACES:
        await stand(hers, *place)
        found[place] = await Attacker(eve, eves, ann.id).estimates()
    return found


async def test_trilateration_gets_no_closer_than_the_cell(new_server: NewServer) -> None:
    """From all sides, with all radii, by coordinates, distances and membership: every point of a cell gives the same."""
    async with new_server(position_grid=CELL) as server:
        found = await attack(server)
    first = found[PLACES[0]]
    assert first[0] == (20, -4), "the middle of the cell"
    assert all(estimates == first for estimates in found.values())


async def test_without_a_grid_the_same_attack_finds_the_place(new_server: NewServer) -> None:
    """So the attack is one: each of its ways finds each place."""
    async with new_server(position_grid=0.0) as server:
        found = await attack(server)
    for place, estimates in found.items():
        assert estimates == [pytest.approx(place, abs=FINE)] * len(estimates)


@pytest.mark.parametrize(
    ("cell", "told"), [(CELL, [True] * len(PLACES)), (0.0, [y <= -4 for _, y in PLACES])]
)
async def test_earshot_is_by_cells_too(cell: float, told: list[bool], new_server: NewServer) -> None:
    """Whether one hears of somebody who comes depends on the cell alone; without a grid, on the place."""
    async with new_server(position_grid=cell, offline_seconds=0.0) as server:
        ann, eve = await server.people(2)
        eves = await eve.chat()
        await stand(eves, 20, -14)  # its cell's middle is 8 from that of PLACES
        heard = []
        for place in PLACES:
            hers = await ann.chat()
            await stand(hers, *place)
            await eves.ask("pong", type="ping")
            heard.append("online" in [event["status"] for event in eves.taken("presence_update")])
            await hers.close()
            if heard[-1]:
                await eves.next("presence_update", status="offline")
        assert heard == told


async def test_two_see_each_other_or_neither_does(new_server: NewServer) -> None:
    """At the same distance and with any radius, wherever they stand in their cells."""
    chance = random.Random(5)
    async with new_server(position_grid=CELL) as server:
        ann, bob = await server.people(2)
        hers, his = await ann.chat(), await bob.chat()
        both = 0
        for _ in range(200):
            radius = chance.uniform(1, 50)
            here, there = [[chance.uniform(-30, 30) for _ in "xy"] for _ in (ann, bob)]
            await stand(hers, *here, radius=radius)
            his_view = (await stand(his, *there, radius=radius)).get(ann.id)
            her_view = (await stand(hers, *here, radius=radius)).get(bob.id)
            assert (her_view is None) == (his_view is None)
            if her_view is not None and his_view is not None:
                both += 1
                assert her_view["distance"] == his_view["distance"] <= radius
                assert (
                    abs(her_view["distance"] - max(abs(a - b) for a, b in zip(here, there, strict=True)))
                    <= CELL
                )
        assert 0 < both < 200


async def test_ones_own_place_and_land_are_exact(new_server: NewServer) -> None:
    """The grid is for others: in a land that a cell reaches beyond, one is or is not."""
    async with new_server(position_grid=CELL) as server:
        (ann,) = await server.people(1)
        land = await ann.land(17, -7, width=2, height=2)
        hers = await ann.chat()
        for x, inside in ((17.0, True), (18.9999, True), (16.9999, False), (19.0, False)):
            answer = await hers.ask("location_updated", type="update_location", x=x, y=-6.25)
            assert (answer["x"], answer["y"], answer["land_id"]) == (x, -6.25, land if inside else None)


async def test_whoever_is_in_a_land_is_among_its_participants(new_server: NewServer) -> None:
    """At no distance, however far the middle of the cell is; who is beyond the radius by more than a cell is not."""
    async with new_server(position_grid=CELL) as server:
        ann, bob = await server.people(2)
        land = await ann.land(23, -1, width=1, height=1)  # in a corner of its cell
        his = await bob.chat()

        async def participants(radius: float) -> list[float]:
            answer = await ann.ok("GET", f"/chat/land/{land}/participants?radius={radius}")
            return [user["distance"] for user in answer["participants"]]

        for place, near, far in (
            ((23.0, -1.0), [0], [0]),
            ((23.999, -0.001), [0], [0]),
            ((16.0, -8.0), [0], [0]),  # of the same cell
            ((24.0, 0.0), [0], [0]),  # of one that touches the land
            ((32.0, 0.0), [], [8]),
            ((40.0, 0.0), [], []),
        ):
            await stand(his, *place)
            assert (await participants(1), await participants(15.999)) == (near, far), place


# Speed


async def test_a_step_that_nobody_can_make_is_refused(new_server: NewServer) -> None:
    """In a sentence; one stays where one was, for oneself and for others, and in time gets there."""
    async with new_server(max_speed=5.0) as server:
        ann, bob = await server.people(2)
        hers, his = await ann.chat(), await bob.chat()
        await stand(his, 0, 0)
        await stand(hers, 1, 0)
        error = await hers.refused("invalid_message", type="update_location", x=1000, y=0)
        assert error["message"].startswith(
            "nobody moves faster than 5 units a second here: expected a place at most "
        )
        await hers.quiet()
        assert (await stand(his, 0, 0)).keys() == {ann.id}
        server.clock.advance(200)
        await stand(hers, 1000, 0)
        assert (await stand(his, 0, 0)).keys() == set()


async def test_speed_is_of_the_user_and_within_a_world(new_server: NewServer) -> None:
    """Another connection is no short cut, nor is another world; a new presence begins anew."""
    async with new_server(max_speed=5.0) as server:
        (ann,) = await server.people(1)
        hers, other = await ann.chat(), await ann.chat()
        await stand(hers, 0, 0)
        await other.refused("invalid_message", type="update_location", x=1000, y=0)
        await stand(hers, 1000, 0, world_id="moon")
        await hers.refused("invalid_message", type="update_location", x=1000, y=0)
        await stand(hers, 1, 0)
        for socket in (hers, other):
            await socket.close()
        while server.app.node.chat.is_online(ann.id):
            await asyncio.sleep(0)
        await stand(await ann.chat(), 1000, 0)


def test_by_default_everybody_may_jump_and_is_told_exactly() -> None:
    """Figures that see each other walk are the point of most worlds."""
    assert (Settings().position_grid, Settings().max_speed) == (0.0, 0.0)
