"""Voice while people do everything at once: what each client knows of its links, put together, is one consistent whole."""

from __future__ import annotations

import asyncio
import random
from itertools import combinations
from typing import Any

import pytest

from server.protocol.limits import DEFAULT_RADIUS
from spatial.distance import distance
from spatial.pairing import LEAVE, PEERS
from tests.harness import Person, Server, Socket

PEOPLE = 9
STEPS = 60


class _Heard(list[dict[str, Any]]):
    """The list that a socket keeps its events in, with a listener: the order of coming is what counts."""

    def __init__(self, walker: Walker) -> None:
        super().__init__()
        self._walker = walker

    def append(self, event: dict[str, Any]) -> None:
        self._walker.heard(event)
        super().append(event)


class Walker:
    """Somebody who does at random what people do, and knows what a client would know."""

    def __init__(self, person: Person, chat: Socket) -> None:
        self.person = person
        self.id = person.id
        self.chat = chat
        self.signal: Socket | None = None
        self.place = (0.0, 0.0)
        self.joined = False
        self.hidden = False
        self.links: dict[str, str] = {}  # call id → the peer's

    def heard(self, event: dict[str, Any]) -> None:
        if event["type"] != "voice_peers":
            return
        if "ref" in event:  # an answer has all there are
            self.links = {}
        for call_id in event["disconnect"]:
            self.links.pop(call_id, None)
        self.links |= {peer["call_id"]: peer["user_id"] for peer in event["connect"]}

    async def walk(self, dice: random.Random) -> None:
        self.place = (dice.uniform(0, 25), dice.uniform(0, 12))
        x, y = self.place
        await self.chat.ask("location_updated", type="update_location", x=x, y=y)

    async def open(self) -> Socket:
        if self.signal is None:
            self.signal = await self.person.signal()
            self.signal.events = _Heard(self)
        return self.signal

    async def join(self) -> None:
        socket = await self.open()
        self.joined = True
        await socket.ask("voice_peers", type="voice_join")

    async def leave(self) -> None:
        socket = await self.open()
        self.joined = False
        await socket.ask("voice_peers", type="voice_leave")

    async def lose(self) -> None:
        """For a while: joining follows some time, and finds the links there are."""
        if self.signal is not None:
            socket, self.signal = self.signal, None
            await socket.close()

    async def hide(self, dice: random.Random) -> None:
        self.hidden = not self.hidden
        field = dice.choice(("invisible", "share_location"))
        fields = {"invisible": False, "share_location": True}
        if self.hidden:
            fields[field] = field == "invisible"
        await self.person.ok("PATCH", "/auth/me", fields)


class World:
    """All of them, and what there should be between them."""

    def __init__(self, server: Server, walkers: list[Walker]) -> None:
        self.server = server
        self.walkers = walkers
        self.blocks: set[tuple[Walker, Walker]] = set()
        self.call: tuple[Walker, Walker, str] | None = None

    async def act(self, dice: random.Random) -> None:
        one, other = dice.sample(self.walkers, 2)
        choice = dice.choices(
            ("walk", "join", "leave", "lose", "hide", "block", "call"), (10, 8, 2, 3, 2, 2, 2)
        )[0]
        if choice == "walk":
            await one.walk(dice)
        elif choice == "hide":
            await one.hide(dice)
        elif choice == "block":
            await self.block(one, other)
        elif choice == "call":
            await self.ring_or_hang_up(one, other)
        elif self.call is None or one not in self.call:  # a call holds its connections
            await getattr(one, choice)()

    async def block(self, one: Walker, other: Walker) -> None:
        block = (one, other)
        if block in self.blocks:
            self.blocks.discard(block)
            await one.person.ok("DELETE", f"/users/{other.id}/block")
        elif self.call is None or {one, other} != set(self.call[:2]):
            self.blocks.add(block)
            await one.person.ok("PUT", f"/users/{other.id}/block")

    async def ring_or_hang_up(self, one: Walker, other: Walker) -> None:
        if self.call is not None:
            caller, _, call_id = self.call
            self.call = None
            await (await caller.open()).ask("call_ended", type="call_hangup", call_id=call_id)
        elif not other.hidden and not self.blocked(one, other):
            hers, his = await one.open(), await other.open()
            answer = await hers.ask(
                "call_initiated", type="call_initiate", callee_id=other.id, call_type="audio"
            )
            await his.ask("call_started", type="call_accept", call_id=answer["call_id"])
            self.call = (one, other, answer["call_id"])

    def blocked(self, a: Walker, b: Walker) -> bool:
        return (a, b) in self.blocks or (b, a) in self.blocks

    def takes_part(self, walker: Walker) -> bool:
        return walker.joined and not walker.hidden and not (self.call and walker in self.call)

    async def settle(self) -> None:
        """Until a tick after the last request has passed, and what it told has come."""
        voice = self.server.app.node.voice
        ticks, look = 0, voice._look

        def counted(news: Any) -> Any:
            nonlocal ticks
            ticks += 1
            return look(news)

        voice._look = counted  # type: ignore[method-assign]
        while ticks < 2 and len(voice):
            await asyncio.sleep(0.01)
        voice._look = look  # type: ignore[method-assign]
        for walker in self.walkers:
            if walker.signal is not None:
                await walker.signal.ask("pong", type="ping")
                walker.signal.events.clear()

    def check(self) -> None:
        links = {link.id: set(link.pair) for link in self.server.app.node.voice._links.values()}
        for walker in self.walkers:
            mine = {call_id for call_id, pair in links.items() if walker.id in pair}
            if walker.signal is not None and self.holds(walker):
                assert {call_id: {walker.id, peer} for call_id, peer in walker.links.items()} == {
                    call_id: links[call_id] for call_id in mine
                }
            assert len(mine) <= (PEERS if self.takes_part(walker) else 0)
        count = {walker: sum(walker.id in pair for pair in links.values()) for walker in self.walkers}
        for a, b in combinations(self.walkers, 2):
            linked = {a.id, b.id} in links.values()
            assert not (linked and self.blocked(a, b))
            if not (self.holds(a) and self.holds(b)):
                continue  # of one who is away nothing changes
            away = distance(*a.place, *b.place)
            assert not (linked and away > LEAVE * DEFAULT_RADIUS)
            if self.takes_part(a) and self.takes_part(b) and not self.blocked(a, b) and not linked:
                assert away > DEFAULT_RADIUS or PEERS in (count[a], count[b])

    def holds(self, walker: Walker) -> bool:
        """Whether a connection speaks for somebody."""
        speaker = self.server.app.node.voice._joined.get(walker.id)
        return speaker is not None and speaker.connection_id is not None


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_all_that_the_clients_know_fits_together(seed: int, server: Server) -> None:
    """Both sides of each link know of it, nobody has more than six, none is across a block or with somebody hidden or
    in a call, and two who could be connected are; while they walk, join, leave, vanish, hide, block and call."""
    dice = random.Random(seed)
    people = await server.people(PEOPLE)
    world = World(server, [Walker(person, await person.chat()) for person in people])
    for walker in world.walkers:
        await walker.walk(dice)
        await walker.join()
    most = 0
    for _ in range(STEPS // 4):
        for _ in range(4):
            await world.act(dice)
        await world.settle()
        world.check()
        most = max(most, server.app.node.voice.link_count)
    assert most > PEOPLE
