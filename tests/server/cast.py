"""Rooms of each kind with everybody who may and may not enter them, and what can be told of a request from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.harness import Person, Server, Socket

# Where an id that is not there is asked for: of the length of a real one.
ABSENT: Final = "0" * 32
# Comes by itself some time after a message, or after somebody has gone: no request waits for it.
LATER: Final = {"trail.write", "users.update"}


@contextmanager
def operations(server: Server) -> Iterator[list[str]]:
    """The names of what the store is asked to do meanwhile."""
    done: list[str] = []
    observe = server.store.observe

    def note(name: str, seconds: float) -> None:
        if name not in LATER:
            done.append(name)

    server.store.observe = note
    try:
        yield done
    finally:
        server.store.observe = observe


class Cast:
    """Rooms of three kinds, and who is what to them."""

    ann: Person  # owns, made and invited
    bob: Person  # may enter
    fay: Person  # could enter, and had joined
    eve: Person  # has nothing to do with any of them
    bea: Person  # is blocked by Ann, and in a private session with her

    def __init__(self) -> None:
        self.rooms: dict[str, str] = {}
        self.across = ""
        self.chats: dict[Person, Socket] = {}
        # A message in each room: the former member's own where there is one.
        self.messages: dict[str, str] = {}

    @property
    def outsiders(self) -> tuple[Person, Person]:
        return self.eve, self.fay


async def say(person: Person, room: str) -> str:
    return str((await person.ok("POST", f"/chat/sessions/{room}/messages", {"content": "before"}))["id"])


async def gather(server: Server) -> Cast:
    cast = Cast()
    cast.ann, cast.bob, cast.fay, cast.eve, cast.bea = people = await server.people(5)
    ann, bob, fay, eve, bea = people
    group = await ann.group(bob, fay)
    land = await ann.land(access="invited", invited_ids=[bob.id, fay.id])
    private = await ann.private(bob)
    cast.across = await ann.private(bea)
    cast.rooms = {"group": group, "land": land, "private": private}
    cast.messages = {
        group: await say(fay, group),
        land: await say(fay, land),
        private: await say(bob, private),
    }
    cast.messages[cast.across] = await say(ann, cast.across)
    cast.chats = {person: await person.chat() for person in people}
    for room in (group, land):
        for person in (ann, bob, fay):
            await cast.chats[person].ask("joined_room", type="join_room", room_id=room)
    await ann.ok("DELETE", f"/chat/sessions/{group}/members/{fay.id}")
    await ann.ok("PATCH", f"/lands/{land}", {"invited_ids": [bob.id]})
    await ann.ok("PUT", f"/users/{bea.id}/block")
    for socket in cast.chats.values():
        await socket.ask("pong", type="ping")
        socket.events.clear()
    return cast
