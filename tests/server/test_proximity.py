"""Positions: what one is told of oneself and of those nearby, and whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Person, Server, Socket


async def stand(socket: Socket, x: float, y: float, **fields: Any) -> list[dict[str, Any]]:
    """Those nearby."""
    await socket.ask("location_updated", type="update_location", x=x, y=y, **fields)
    return list((await socket.next("nearby_users"))["users"])


async def placed(person: Person, x: float, y: float, **fields: Any) -> Socket:
    socket = await person.chat()
    await stand(socket, x, y, **fields)
    return socket


def ids(users: list[dict[str, Any]]) -> list[str]:
    return [user["user_id"] for user in users]


async def test_a_new_position_is_answered_twice(server: Server) -> None:
    """Where one stands, then who is near; every field, both with the ref, in this order, and to nobody else."""
    ann, bob = await server.people(2)
    his = await placed(bob, 3, -4.5)
    land = await ann.land()
    hers, her_other = await ann.chat(), await ann.chat()
    await hers.send(type="update_location", x=1, y=2.25, ref="r")
    await hers.ask("pong", type="ping")
    assert hers.events == [
        {"type": "location_updated", "world_id": "main", "x": 1, "y": 2.25, "land_id": land, "ref": "r"},
        {
            "type": "nearby_users",
            "radius": 10,
            "users": [{"user_id": bob.id, "username": bob.name, "x": 3, "y": -4.5, "distance": 6.75}],
            "more": False,
            "ref": "r",
        },
    ]
    await her_other.quiet()
    await his.quiet("location_updated", "nearby_users")


async def test_nearest_come_first_up_to_the_radius_itself(server: Server) -> None:
    """Chebyshev distance, ≤ radius, without the caller."""
    people = await server.people(5)
    places = [(10.0, 10.0), (-2.0, 1.0), (0.0, 10.001), (0.0, 0.0)]
    for person, (x, y) in zip(people[1:], places, strict=True):
        await placed(person, x, y)
    hers = await people[0].chat()
    near = await stand(hers, 0, 0)
    assert [(user["user_id"], user["distance"]) for user in near] == [
        (people[4].id, 0),
        (people[2].id, 2),
        (people[1].id, 10),
    ]
    assert ids(await stand(hers, 0, 0, radius=1)) == [people[4].id]
    assert len(await stand(hers, 0, 0, radius=50)) == 4


@pytest.mark.parametrize("radius", [0, 0.999, 50.001, 51, -1, 1e308, "10", None, True])
async def test_a_radius_out_of_range_is_an_error_and_moves_nobody(radius: Any, server: Server) -> None:
    """Never clamped: the position stays what it was."""
    ann, bob = await server.people(2)
    hers, his = await placed(ann, 0, 0), await bob.chat()
    await hers.refused("invalid_message", type="update_location", x=100, y=100, radius=radius)
    assert ids(await stand(his, 0, 0)) == [ann.id]


@pytest.mark.parametrize("place", [(1e9, -1e9), (-1e9, 1e9), (0.1 + 0.2, 1e-300), (-0.0, 0)])
async def test_coordinates_come_back_as_they_were_sent(place: tuple[float, float], server: Server) -> None:
    """Up to 1e9, to the last digit."""
    (ann,) = await server.people(1)
    x, y = place
    answer = await (await ann.chat()).ask("location_updated", type="update_location", x=x, y=y)
    assert (answer["x"], answer["y"]) == (x, y)


@pytest.mark.parametrize("x", [1.0000001e9, -2e9, 1e308, "1", None, True, [], {"$gt": 0}])
async def test_other_coordinates_are_errors(x: Any, server: Server) -> None:
    """And leave no position behind."""
    ann, bob = await server.people(2)
    hers, his = await ann.chat(), await bob.chat()
    await hers.refused("invalid_message", type="update_location", x=x, y=0)
    await hers.refused("invalid_message", type="update_location", x=0, y=x)
    assert await stand(his, 0, 0, radius=50) == []


async def test_worlds_do_not_touch(server: Server) -> None:
    """Neither people nor lands; who goes to another world is gone from the first."""
    ann, bob = await server.people(2)
    await ann.land()
    there = await ann.land(world_id="moon")
    hers, his = await placed(ann, 1, 1, world_id="moon"), await bob.chat()
    assert await stand(his, 1, 1) == []
    answer = await his.ask("location_updated", type="update_location", x=1, y=1, world_id="moon")
    assert (answer["world_id"], answer["land_id"]) == ("moon", there)
    assert ids((await his.next("nearby_users"))["users"]) == [ann.id]
    assert await stand(hers, 1, 1) == []


@pytest.mark.parametrize("world_id", ["", "a" * 65, "main\n", "a b", "$main", "ü", None, 1])
async def test_a_world_has_a_plain_name(world_id: Any, server: Server) -> None:
    """Letters, digits, `_ - .`, up to 64 of them."""
    (ann,) = await server.people(1)
    hers = await ann.chat()
    await hers.refused("invalid_message", type="update_location", x=0, y=0, world_id=world_id)


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        (0, 0, True),
        (9.999999, 9.999999, True),
        (10, 5, False),
        (5, 10, False),
        (-1e-9, 5, False),
        (5, -1e-9, False),
    ],
)
async def test_a_land_is_half_open(x: float, y: float, inside: bool, server: Server) -> None:
    """Its lower edges are its own, its upper ones are not."""
    (ann,) = await server.people(1)
    land = await ann.land()
    answer = await (await ann.chat()).ask("location_updated", type="update_location", x=x, y=y)
    assert answer["land_id"] == (land if inside else None)


async def test_on_the_edge_between_two_lands_one_is_in_the_second(server: Server) -> None:
    """Touching lands leave no gap and no doubt."""
    (ann,) = await server.people(1)
    await ann.land()
    right = await ann.land(x=10)
    answer = await (await ann.chat()).ask("location_updated", type="update_location", x=10, y=5)
    assert answer["land_id"] == right


async def test_the_position_is_the_users_and_the_last_one_holds(server: Server) -> None:
    """Of two connections, whichever wrote last."""
    ann, bob = await server.people(2)
    one, two, his = await ann.chat(), await ann.chat(), await bob.chat()
    await stand(one, 0, 0)
    await stand(two, 100, 100)
    assert await stand(his, 0, 0) == []
    assert ids(await stand(his, 100, 100)) == [ann.id]
    await stand(one, 1, 1)
    assert await stand(his, 100, 100) == []
    assert ids(await stand(his, 0, 0)) == [ann.id]


async def test_the_position_goes_with_the_last_chat_connection(server: Server) -> None:
    """Not with the one that set it, and a signaling socket does not hold it."""
    ann, bob = await server.people(2)
    one, two, his = await placed(ann, 0, 0), await ann.chat(), await bob.chat()
    await ann.signal()
    await one.close()
    assert ids(await stand(his, 0, 0)) == [ann.id]
    await two.close()
    assert await stand(his, 0, 0) == []
    await ann.chat()
    assert await stand(his, 0, 0) == []


async def test_a_hundred_nearby_are_named_and_the_rest_is_more(server: Server) -> None:
    """The nearest; `more` only if there are others."""
    people = await server.people(102)
    for place, person in enumerate(people[1:]):
        await placed(person, place / 10, 0)
    hers = await people[0].chat()
    await hers.ask("location_updated", type="update_location", x=0, y=0, radius=50)
    nearby = await hers.next("nearby_users")
    assert (ids(nearby["users"]), nearby["more"]) == ([person.id for person in people[1:101]], True)
    await hers.ask("location_updated", type="update_location", x=0, y=0, radius=9.95)
    nearby = await hers.next("nearby_users")
    assert (len(nearby["users"]), nearby["more"]) == (100, False)


async def test_an_absent_radius_is_ten(server: Server) -> None:
    """And the answer says so."""
    (ann,) = await server.people(1)
    hers = await ann.chat()
    for given, used in (({}, 10), ({"radius": 1}, 1), ({"radius": 50}, 50), ({"radius": 2.5}, 2.5)):
        await hers.ask("location_updated", type="update_location", x=0, y=0, **given)
        assert (await hers.next("nearby_users"))["radius"] == used
