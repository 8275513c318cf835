"""People who have joined the voice in earshot: what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from tests.harness import Person, Server, Socket

NewServer = Callable[..., Server]
Peer = dict[str, Any]
PEERS_OF_NONE: dict[str, Any] = {"type": "voice_peers", "connect": [], "disconnect": []}


class Speaker:
    """Somebody at a place, with both sockets."""

    def __init__(self, person: Person, chat: Socket, signal: Socket) -> None:
        self.person = person
        self.id = person.id
        self.chat = chat
        self.signal = signal
        self._met: dict[str, Peer] = {}

    async def stand(self, x: float, y: float = 0, **world: str) -> None:
        await self.chat.ask("location_updated", type="update_location", x=x, y=y, **world)
        self.chat.taken("nearby_users")

    async def join(self) -> dict[str, Any]:
        return await self.signal.ask("voice_peers", type="voice_join")

    async def meets(self, other: Speaker) -> Peer:
        """Waits until this one is told of the other; what it is told. Of the rest that comes nothing is kept but that."""
        while other.id not in self._met:
            event = await self.signal.next("voice_peers")
            self._met |= {peer["user_id"]: peer for peer in event["connect"]}
        return self._met.pop(other.id)

    async def loses(self, call_id: str) -> None:
        """Waits until it is told that a link is over, and nothing else."""
        event = await self.signal.next("voice_peers")
        assert event == {"type": "voice_peers", "connect": [], "disconnect": [call_id]}


async def speakers(server: Server, *places: float) -> list[Speaker]:
    """As many people as places along y = 0, who have joined."""
    people = await server.people(len(places))
    found = []
    for person, x in zip(people, places, strict=True):
        speaker = Speaker(person, await person.chat(), await person.signal())
        await speaker.stand(x)
        assert await speaker.join() == {**PEERS_OF_NONE, "ref": "ref-1"}
        found.append(speaker)
    return found


async def two(server: Server) -> tuple[Speaker, Speaker, str]:
    """Two who are paired, at (0, 0) and (3, 0), and the id of their link."""
    ann, bob = await speakers(server, 0, 3)
    link = await ann.meets(bob)
    await bob.meets(ann)
    return ann, bob, str(link["call_id"])


def counted(server: Server) -> Any:
    """A context whose value counts the ticks (`call_count`)."""
    voice = server.app.node.voice
    return patch.object(voice, "_look", wraps=voice._look)


async def ticks(server: Server, count: int = 2) -> None:
    """Until whole ticks have passed, and what they told has come (after a ping)."""
    with counted(server) as looks:
        while looks.call_count < count:
            await asyncio.sleep(0.01)


async def unpaired(server: Server, *those: Speaker) -> None:
    """Holds if the next ticks tell none of them of a link."""
    await ticks(server)
    for speaker in those:
        await speaker.signal.quiet("voice_peers")
