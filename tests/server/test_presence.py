"""Who is told that somebody is online, or gone: those concerned, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from server.settings import Settings
from tests.harness import Server, Socket


async def stand(socket: Socket, x: float = 0, y: float = 0, **fields: object) -> None:
    await socket.ask("location_updated", type="update_location", x=x, y=y, **fields)


async def test_online_and_offline_are_told_in_a_shared_room(server: Server) -> None:
    """Every field; the time is that of the arrival and of the disconnect."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    his = await bob.chat(room)
    for status in ("online", "offline"):
        if status == "online":
            hers = await ann.chat()
        else:
            await hers.close()
        update = await his.next("presence_update")
        last_seen = datetime.fromisoformat(update.pop("last_seen"))
        assert update == {
            "type": "presence_update",
            "user_id": ann.id,
            "username": ann.name,
            "status": status,
        }
        assert abs(datetime.now(UTC) - last_seen) < timedelta(seconds=10)


async def test_only_those_who_have_joined_the_shared_room_are_told(server: Server) -> None:
    """Not a member elsewhere, not a person in the same land, not a stranger, not oneself."""
    ann, bob, cat, dan, eve = await server.people(5)
    group, land = await ann.group(bob, cat), await ann.land()
    his = await bob.chat(group)
    others = [await cat.chat(), await dan.chat(land), await eve.chat()]
    hers = await ann.chat(land)
    await his.next("presence_update", status="online")
    await hers.close()
    await his.next("presence_update", status="offline")
    for socket in others:
        await socket.quiet("presence_update")
    assert not hers.taken("presence_update")


async def test_a_second_connection_is_no_news_and_the_last_to_go_is(server: Server) -> None:
    """Of the user, not of the connection."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    his = await bob.chat(room)
    one, two = await ann.chat(), await ann.chat()
    await his.next("presence_update", status="online")
    await one.close()
    await two.quiet("presence_update")
    await his.quiet("presence_update")
    await two.close()
    await his.next("presence_update", status="offline")


async def test_a_short_absence_is_not_told(new_server: Callable[..., Server]) -> None:
    """Who is back in time was never away; by default that is three seconds."""
    assert Settings().offline_seconds == 3.0
    async with new_server(offline_seconds=2.0) as server:
        ann, bob, cat = await server.people(3)
        group = await ann.group(bob, cat)
        his = await bob.chat(group)
        hers, cats = await ann.chat(group), await cat.chat(group)
        for _ in range(2):
            await his.next("presence_update", status="online")
        await hers.close()
        await his.next("user_left", user_id=ann.id)
        hers = await ann.chat()
        await cats.close()
        # Hers would have been told before.
        assert (await his.next("presence_update"))["user_id"] == cat.id
        await his.quiet("presence_update")


async def test_the_audience_of_offline_is_that_of_the_moment_of_leaving(server: Server) -> None:
    """The room shared with somebody is empty of the one who went by the time it is told, and so it has to be."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(room), await bob.chat(room)
    await hers.close()
    await his.next("user_left", user_id=ann.id)
    assert await his.next("presence_update", status="offline")
    await his.quiet("presence_update")


async def test_those_within_earshot_are_told(server: Server) -> None:
    """At the first position, which says who they are, and at the end; once, where a room is shared as well."""
    ann, bob, far, elsewhere = await server.people(4)
    room = await ann.private(bob)
    his = await bob.chat(room)
    others = [await far.chat(), await elsewhere.chat()]
    await stand(his, 10, -10)  # 20 from the next
    await stand(others[0], 10.001, 10)
    await stand(others[1], 0, 0, world_id="another")
    hers = await ann.chat()
    await his.next("presence_update", status="online")
    await stand(hers)
    await stand(hers)
    await hers.quiet("presence_update")
    await his.quiet("presence_update")
    await hers.close()
    await his.next("presence_update", status="offline")
    await his.quiet("presence_update")
    for socket in others:
        await socket.quiet("presence_update")


async def test_a_stranger_within_earshot_is_told_at_the_first_position(server: Server) -> None:
    """Without any room in common; moving on is no news."""
    ann, bob = await server.people(2)
    his = await bob.chat()
    await stand(his)
    hers = await ann.chat()
    await his.quiet("presence_update")
    await stand(hers, 10, 10)
    assert (await his.next("presence_update"))["status"] == "online"
    await stand(hers, 5, 5)
    await his.quiet("presence_update")
    await hers.close()
    assert (await his.next("presence_update"))["status"] == "offline"
