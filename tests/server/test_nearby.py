"""Watching who is near: enters, moves and leaves, who is never shown, and ticks that do not pile up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from server.codec import encode
from server.protocol import requests
from tests.harness import Person, Server, Socket

PLACE = {"type": "update_location", "world_id": "main"}


class View:
    """What a client makes of the events of its watch."""

    def __init__(self, person: Person, chat: Socket) -> None:
        self.person = person
        self.chat = chat
        self.version = 0
        self.users: dict[str, tuple[float, float]] = {}

    async def watch(self, radius: float = 10) -> dict[str, Any]:
        snapshot = await self.chat.ask("nearby_snapshot", type="watch_nearby", radius=radius)
        self.chat.events = [event for event in self.chat.events if event["type"] != "nearby_update"]
        assert (snapshot["version"], snapshot["radius"]) == (1, radius)
        self.version = 1
        self.users = {user["user_id"]: (user["x"], user["y"]) for user in snapshot["users"]}
        return snapshot

    def apply(self) -> None:
        for update in [event for event in self.chat.events if event["type"] == "nearby_update"]:
            self.chat.events.remove(update)
            self.version += 1
            assert update["version"] == self.version
            assert update["entered"] or update["moved"] or update["left"]
            moved = {user_id: (x, y) for user_id, x, y in update["moved"]}
            assert moved.keys() <= self.users.keys() and set(update["left"]) <= self.users.keys()
            self.users.update(moved)
            for user in update["entered"]:
                self.users[user["user_id"]] = (user["x"], user["y"])
            for user_id in update["left"]:
                del self.users[user_id]

    async def shows(self, **places: tuple[float, float]) -> None:
        """Waits until these are in view, and nobody else."""
        async with asyncio.timeout(10):
            while True:
                self.apply()
                if self.users == places:
                    return
                async with self.chat._arrived:
                    await self.chat._arrived.wait()

    async def stand(self, x: float, y: float = 0, world_id: str = "main") -> None:
        await self.chat.ask("location_updated", type="update_location", x=x, y=y, world_id=world_id)


async def views(server: Server, *xs: float) -> list[View]:
    """So many people, each at a place."""
    made = [View(person, await person.chat()) for person in await server.people(len(xs))]
    for view, x in zip(made, xs, strict=True):
        await view.stand(x)
    return made


async def ticks(server: Server, count: int = 2) -> None:
    """Waits until so many more ticks are over."""
    interest = server.app.node.nearby._interest
    until = interest.steps + count
    async with asyncio.timeout(10):
        while interest.steps < until:
            await asyncio.sleep(0.01)


async def test_who_watches_sees_others_come_move_and_go(server: Server) -> None:
    """From the snapshot on; out of view beyond a tenth more than the radius, or with the last connection."""
    ann, bob = await views(server, 0, 20)
    await ann.watch()
    assert ann.users == {}
    await bob.stand(9, 3)
    await ann.shows(**{bob.person.id: (9, 3)})
    await bob.stand(10.5, 3)
    await ann.shows(**{bob.person.id: (10.5, 3)})
    await bob.stand(11.5, 3)
    await ann.shows()
    await bob.stand(4)
    await ann.shows(**{bob.person.id: (4, 0)})
    await bob.stand(4, world_id="another")
    await ann.shows()
    await bob.stand(4)
    await ann.shows(**{bob.person.id: (4, 0)})
    await bob.chat.close()
    await ann.shows()


async def test_the_snapshot_names_who_is_in_view(server: Server) -> None:
    """With the `ref` of the request; by name, without oneself."""
    ann, bob = await views(server, 0, 3)
    snapshot = await ann.watch()
    user = {"user_id": bob.person.id, "username": bob.person.name, "x": 3.0, "y": 0.0}
    assert snapshot["users"] == [user]


async def test_while_watching_a_step_is_answered_by_the_place_alone(server: Server) -> None:
    """`nearby_users` comes before, and again after `unwatch_nearby`, which ends the updates."""
    ann, bob = await views(server, 0, 3)
    await ann.chat.next("nearby_users")
    await ann.watch()
    await ann.stand(1)
    await ann.chat.ask("pong", type="ping")
    assert not [event for event in ann.chat.events if event["type"] == "nearby_users"]
    await ann.chat.send(type="unwatch_nearby")
    await ann.stand(2)
    await ann.chat.next("nearby_users")
    await bob.stand(4)
    async with asyncio.timeout(10):
        while server.app.node.nearby._timer is not None:  # nobody watches any more
            await asyncio.sleep(0.01)
    await ann.chat.ask("pong", type="ping")
    assert not [event for event in ann.chat.events if event["type"] == "nearby_update"]


async def test_watching_again_begins_anew_with_the_new_radius(server: Server) -> None:
    """And is the only watch of that connection."""
    ann, bob = await views(server, 0, 15)
    await ann.watch(10)
    assert ann.users == {}
    await ann.watch(20)
    assert ann.users == {bob.person.id: (15, 0)}
    await bob.stand(16)
    await ann.shows(**{bob.person.id: (16, 0)})
    assert len(server.app.node.nearby) == 1


async def test_watching_again_gives_no_new_budget(new_server: Callable[..., Server]) -> None:
    """Nor does ending it first: it is a connection's, not a watch's."""
    async with new_server(nearby_bytes=1000.0) as server:
        ann, bob = await views(server, 0, 3)
        nearby = server.app.node.nearby
        (connection,) = server.app.node.chat.of_user(ann.person.id)
        for again in range(40):  # in no time, but for the share of each tick
            if again % 2:
                nearby.unwatch(connection, requests.UnwatchNearby())
            nearby.watch(connection, requests.WatchNearby(radius=10))
            nearby._look()
        nearby.unwatch(connection, requests.UnwatchNearby())
        await ann.chat.ask("pong", type="ping")
        told = [event for event in ann.chat.events if event["type"] == "nearby_snapshot"]
        assert told
        assert sum(len(encode(event)) for event in told) < 1000 + 40 * 100


async def test_one_without_a_place_sees_nobody_until_there_is_one(server: Server) -> None:
    """Nobody is near nowhere."""
    (bob,) = await views(server, 3)
    (person,) = await server.people(1)
    ann = View(person, await person.chat())
    await ann.watch()
    assert ann.users == {}
    await ann.stand(0)
    await ann.shows(**{bob.person.id: (3, 0)})


async def test_each_connection_has_a_watch_of_its_own(server: Server) -> None:
    """With its own radius; one that ends leaves the other."""
    ann, bob = await views(server, 0, 15)
    tablet = View(ann.person, await ann.person.chat())
    await ann.watch(10)
    await tablet.watch(20)
    assert (ann.users, tablet.users) == ({}, {bob.person.id: (15, 0)})
    await ann.chat.close()
    await bob.stand(14)
    await tablet.shows(**{bob.person.id: (14, 0)})


async def test_the_hidden_are_in_nobodys_view_and_see_the_others(server: Server) -> None:
    """Invisible, or not sharing the location: gone from view at once, and back when they show themselves."""
    ann, bob = await views(server, 0, 3)
    await ann.watch()
    await bob.watch()
    there = {bob.person.id: (3.0, 0.0)}
    for field, hidden in (("invisible", True), ("share_location", False)):
        await ann.shows(**there)
        await bob.person.ok("PATCH", "/auth/me", {field: hidden})
        await ann.shows()
        await bob.stand(3)
        await ann.stand(1)
        await bob.shows(**{ann.person.id: (1, 0)})
        await bob.person.ok("PATCH", "/auth/me", {field: not hidden})
        await ann.stand(0)
        await bob.shows(**{ann.person.id: (0, 0)})


async def test_across_a_block_neither_sees_the_other(server: Server) -> None:
    """From the block on, whichever of the two it is of, until it is taken back."""
    ann, bob, cid = await views(server, 0, 3, 6)
    for view in (ann, bob):
        await view.watch()
    for one, other in ((ann, bob), (bob, ann)):
        await one.person.ok("PUT", f"/users/{other.person.id}/block")
        await ann.shows(**{cid.person.id: (6, 0)})
        await bob.shows(**{cid.person.id: (6, 0)})
        await one.person.ok("DELETE", f"/users/{other.person.id}/block")
        await ann.shows(**{cid.person.id: (6, 0), bob.person.id: (3, 0)})
        await bob.shows(**{cid.person.id: (6, 0), ann.person.id: (0, 0)})


async def test_one_who_comes_back_within_a_tick_is_in_view(server: Server) -> None:
    """In one update, which does not say that they left."""
    ann, bob = await views(server, 0, 3)
    await ann.watch()
    for x in (4, 5, 6):
        await ticks(server, 1)  # the next is a tick's time away
        await bob.chat.close()
        bob.chat = await bob.person.chat()
        await bob.stand(x)
        await ann.shows(**{bob.person.id: (x, 0)})


async def test_others_know_the_cell_alone_where_there_is_a_grid(new_server: Callable[..., Server]) -> None:
    """With `position_grid`, as in every other answer."""
    async with new_server(position_grid=4.0) as server:
        ann, bob = await views(server, 0, 5)
        await ann.watch()
        assert ann.users == {bob.person.id: (6, 2)}
        await bob.stand(6.5)
        await ticks(server)
        ann.apply()
        assert ann.version == 1


async def test_nothing_is_sent_where_nothing_changed(server: Server) -> None:
    """Neither to who stands among people who stand, nor for a step that leads nowhere, nor out of view."""
    ann, bob, far = await views(server, 0, 3, 50)
    await ann.watch()
    await bob.stand(3)
    await far.stand(60)
    await ann.stand(0.5)
    await ticks(server, 3)
    ann.apply()
    assert ann.version == 1


async def test_ticks_that_are_late_are_left_out(server: Server) -> None:
    """After ten seconds in which nothing ran there is one tick, not a hundred."""
    ann, bob = await views(server, 0, 3)
    await ann.watch()
    interest, skipped = server.app.node.nearby._interest, server.app.node.metrics.nearby_skipped
    before, steps = skipped._value.get(), interest.steps
    server.clock.advance(10)
    await bob.stand(4)
    await ann.shows(**{bob.person.id: (4, 0)})
    assert skipped._value.get() - before >= 99
    assert interest.steps - steps < 20


async def test_what_waits_for_the_end_of_the_turn_keeps_nobody_from_being_told(server: Server) -> None:
    """A step that is answered in the turn of a tick: only what the other side has not taken is a backlog."""
    ann, bob = await views(server, 0, 3)
    await ann.watch()
    nearby = server.app.node.nearby
    (connection,) = server.app.node.chat.of_user(ann.person.id)
    (watcher,) = nearby._watchers.values()
    await bob.stand(3)
    await ticks(server)
    before = watcher.version
    connection.answer({"type": "pong", "server_time": "now"})
    nearby._interest.place(bob.person.id, 0, 4.0, 0.0)
    nearby._look()
    assert watcher.version == before + 1
    await ann.shows(**{bob.person.id: (4, 0)})


async def test_one_who_does_not_read_is_told_what_has_changed_when_they_do(
    new_server: Callable[..., Server],
) -> None:
    """A backlog holds no updates: afterwards the view is right, and the versions have no gap."""
    async with new_server() as server:
        ann, bob = await views(server, 0, 3)
        await ann.watch()
        (connection,) = server.app.node.chat.of_user(ann.person.id)
        land = await ann.person.land()
        await ann.chat.ask("joined_room", type="join_room", room_id=land)
        await bob.chat.ask("joined_room", type="join_room", room_id=land)
        stream = ann.chat.connection.protocol.stream
        stream.socket.setblocking(False)
        reading = stream._handle_read
        stream._handle_read = lambda: None  # this client reads nothing from now on
        try:
            while not connection.behind:
                await bob.chat.ask("message_ack", type="send_message", room_id=land, content="x" * 4000)
            await ticks(server)
            backlog = connection.backlog
            for x in (4.0, 20.0, 5.0, 6.0):
                await bob.stand(x)
                await ticks(server)
            assert connection.backlog == backlog
        finally:
            stream._handle_read = reading
        await ann.shows(**{bob.person.id: (6, 0)})


@pytest.mark.parametrize("radius", [0.5, 51, "10", None])
async def test_a_radius_out_of_range_is_refused(radius: Any, server: Server) -> None:
    """And the watch that there was goes on."""
    ann, bob = await views(server, 0, 3)
    await ann.watch()
    answer = await ann.chat.answer_to(type="watch_nearby", radius=radius)
    assert (answer["type"], answer["code"]) == ("error", "invalid_message")
    await bob.stand(4)
    await ann.shows(**{bob.person.id: (4, 0)})


async def test_nothing_is_left_of_those_who_are_gone(server: Server) -> None:
    """No watch, no slot, no timer."""
    everybody = await views(server, *range(12))
    for view in everybody:
        await view.watch()
    for view in everybody:
        await view.chat.close()
    nearby = server.app.node.nearby
    async with asyncio.timeout(10):
        while len(nearby) or nearby._timer:
            await asyncio.sleep(0.01)
    (ann,) = await views(server, 0)
    await ann.watch()
    await ticks(server)
    assert len(nearby._interest._gone) == 0 and len(nearby._feeds.told) == 0
