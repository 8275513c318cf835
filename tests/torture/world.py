"""A small world to torture: people, their devices, lands, sessions, and what the store has of them in the end.

Accounts and rooms are made over REST, without faults, before the devices open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Final, TypeVar

from pymongo import MongoClient
from tornado.httpclient import HTTPClientError

from tests.harness import PASSWORD, Person
from tests.journeys.process import Process
from tests.torture.history import History, Room, Stored, shortened
from tests.torture.network import Network
from tests.torture.people import Device

MOST_DEVICES: Final = 3  # of one person
LANDS: Final = 2
PRIVATES: Final = 4
GROUPS: Final = 3
T = TypeVar("T")
# Seconds between two comings or goings.
CHURN: Final = (1.0, 4.0)


@dataclass(slots=True)
class World:
    process: Process
    network: Network
    history: History
    random: Random
    people: list[Person] = field(default_factory=list)
    lands: list[str] = field(default_factory=list)
    rooms: dict[str, Person] = field(default_factory=dict)  # and somebody who may read it
    devices: list[Device] = field(default_factory=list)
    _names: Any = field(default_factory=count)

    async def make(self, people: int) -> None:
        """People, their rooms, and one device of each person at least."""
        random = self.random
        self.people = [await self.process.person(f"person-{number}") for number in range(people)]
        for number in range(LANDS):
            owner = random.choice(self.people)
            land = await owner.land(20 * number)
            self.lands.append(land)
            self._add(land, "land", owner)
        for _ in range(PRIVATES):
            one, other = random.sample(self.people, 2)
            self._add(await one.private(other), "private", one, other)
        for _ in range(GROUPS):
            members = random.sample(self.people, random.randint(3, people - 1))
            self._add(await members[0].group(*members[1:]), "group", *members)
        await asyncio.gather(
            *(
                self.open_device(person)
                for person in self.people
                for _ in range(random.randint(1, MOST_DEVICES))
            )
        )

    def _add(self, room: str, kind: str, *members: Person) -> None:
        if room not in self.rooms:  # the one private session of two
            self.rooms[room] = members[0]
            self.history.add(
                Room(room, kind, () if kind == "land" else tuple(member.id for member in members))
            )

    async def open_device(self, person: Person) -> Device:
        name = f"{person.name}/{next(self._names)}"
        link = await self.network.link(name)
        device = Device(name, person.id, link.origin, self.history, Random(self.random.random()))
        lands = [land for land in self.lands if self.random.random() < 0.8]
        sessions = await self._sessions(person)
        await device.open(person.name, sessions, lands)
        self.devices.append(device)
        return device

    async def _sessions(self, person: Person) -> list[dict[str, Any]]:
        async def asking() -> list[dict[str, Any]]:
            token = await self.token(person)
            status, answer = await self.process.call("GET", "/chat/sessions", token=token)
            assert status == 200, answer
            return [session for session in answer["sessions"] if session["kind"] != "land"]

        return await _insist(asking)

    async def token(self, person: Person) -> str:
        """A new one: a run outlives the first."""
        status, answer = await self.process.call(
            "POST", "/auth/login", {"username": person.name, "password": PASSWORD}
        )
        assert status == 200, answer
        return str(answer["access_token"])

    async def churn(self, going: Callable[[], bool]) -> None:
        """Devices come and go, and lands are left and joined."""
        random = Random(self.random.random())
        while going():
            await asyncio.sleep(random.uniform(*CHURN))
            what = random.choice(("come", "go", "leave", "join"))
            device = random.choice(self.devices)
            if what == "come":
                person = random.choice(self.people)
                if sum(each.user_id == person.id for each in self.devices) < MOST_DEVICES:
                    await self.open_device(person)
            elif what == "go":
                if sum(each.user_id == device.user_id for each in self.devices) > 1:
                    self.devices.remove(device)
                    await device.close()
                    await self.network.remove(device.name)
            elif what == "leave" and (joined := [land for land in self.lands if land in device.rooms]):
                await device.leave(random.choice(joined))
            elif what == "join" and (left := [land for land in self.lands if land not in device.rooms]):
                await device.join(random.choice(left))

    async def read_store(self) -> None:
        """Writes down every room's messages, as its pages of history and as the database have them."""
        for room, reader in self.rooms.items():
            for message in await self.process.history(await self.token(reader), room):
                content = message.get("content")
                self.history.add(
                    Stored(
                        "rest",
                        room,
                        message["seq"],
                        message["id"],
                        message.get("sender_id"),
                        message.get("client_id"),
                        None if content is None else shortened(content),
                    )
                )
        for document in await asyncio.to_thread(self._documents):
            content = "" if "body" in document else None
            self.history.add(
                Stored(
                    "database",
                    document["session"],
                    document["seq"],
                    document["_id"],
                    document["sender"],
                    document.get("client_id"),
                    content,
                )
            )

    def _documents(self) -> list[dict[str, Any]]:
        client: MongoClient[dict[str, Any]] = MongoClient(self.process.mongod_uri)
        with client:
            return list(client["hereabouts"]["messages"].find())


async def _insist(work: Callable[[], Awaitable[T]]) -> T:
    """As `persist`, for calls that go to the server itself and not through the library."""
    while True:
        try:
            return await work()
        except (OSError, HTTPClientError, AssertionError):
            await asyncio.sleep(0.3)
