"""The people of a torture: devices that talk, delete, come and go, through the client library, on the record.

A `Device` is a client of the checker's: one `Hereabouts` over a link of its own, and every event that its
user gets written into the history. What it says and when is drawn from the random generator it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

from client import Hereabouts, HereaboutsError, OutgoingMessage
from tests.harness import PASSWORD
from tests.torture.history import (
    Acknowledged,
    Closed,
    Connected,
    Deleted,
    DeletionAsked,
    Disconnected,
    Failed,
    History,
    Joined,
    Left,
    Opened,
    Resumed,
    Seen,
    Sent,
    shortened,
)

# A device whose messages do not get through says no more until they do.
MOST_UNSETTLED: Final = 12
# Characters: most messages are a line, some a page, so that buffers fill as they do in a lively room.
LINE, PAGE = (5, 120), (500, 3_500)
PAGES: Final = 0.25  # of all messages
DELETED: Final = 0.04
RETRY_SECONDS: Final = 0.3


class Device:
    """One device of a user. `open` first."""

    def __init__(self, name: str, user_id: str, origin: str, history: History, random: Random) -> None:
        self.name = name
        self.user_id = user_id
        self.closed = False
        self.silent = False  # it listens, and says nothing
        self.synced = False
        self.unsettled = 0
        self.rooms: set[str] = set()  # that it may talk in
        self._history = history
        self._random = random
        self._connected = False
        self._sending: set[str] = set()  # client ids that were written down
        self._incomplete: dict[str, int] = {}  # rooms whose resume the library completes from history
        self._deleting: set[asyncio.Task[None]] = set()
        self.client = Hereabouts(origin)
        chat = self.client.chat
        chat.on("state", self._state)
        chat.on("message", self._message)
        chat.on("message_deleted", self._deleted)
        chat.on("outgoing", self._outgoing)
        chat.on("joined_room", self._joined)
        chat.on("resumed", self._resumed)
        chat.on("synced", self._synced)

    @property
    def settled(self) -> bool:
        return self.synced and not self.unsettled and not self._deleting

    async def open(self, username: str, sessions: list[dict[str, Any]], lands: list[str]) -> None:
        """Signs in, follows these sessions (as REST told of them just before) and joins these lands."""
        self._history.add(Opened(self.name, self.user_id))
        await persist(lambda: self.client.auth.login(username, PASSWORD))
        # Before the socket, which the login has told to open, can have opened.
        for session in sessions:
            self._history.add(Joined(self.name, session["id"], session["last_seq"]))
            self.client.chat.follow(session)
            self.rooms.add(session["id"])
        for land in lands:
            await self.join(land)

    async def join(self, land: str) -> None:
        async def joining() -> None:
            await self.client.chat.ready()
            await self.client.chat.join(land)

        await self._persist(joining)

    async def leave(self, land: str) -> None:
        self.rooms.discard(land)
        self._history.add(Left(self.name, land))
        await self._persist(lambda: self.client.chat.leave(land))

    async def close(self) -> None:
        """For good; what it sent and has no answer to is written down as given up, by the library."""
        self.closed = True
        await asyncio.gather(*self._deleting)
        self.client.chat.close()
        self._history.add(Closed(self.name))
        await self.client.__aexit__(None, None, None)

    async def talk(self, seconds: Callable[[], float], going: Callable[[], bool]) -> None:
        """Says something every so many seconds on average, and sometimes takes it back."""
        while going() and not self.closed:
            await asyncio.sleep(self._random.expovariate(1 / seconds()))
            speaks = going() and not self.closed and not self.silent
            if speaks and self.rooms and self.unsettled < MOST_UNSETTLED:
                self.say(self._random.choice(sorted(self.rooms)))

    def say(self, room: str, length: int | None = None) -> OutgoingMessage:
        """So many characters; a line, mostly, if nothing is said of it."""
        drawn = self._random.randint(*(PAGE if self._random.random() < PAGES else LINE))
        number = f"{self.name} {self._random.getrandbits(48):012x} "
        return self.client.chat.send(room, (number + "·la " * 1000)[: length or drawn])

    # What the user is told

    def _state(self, event: dict[str, Any]) -> None:
        connected = event["state"] == "open"
        if connected and not self._connected:
            self._history.add(Connected(self.name))
        elif self._connected and not connected:
            self._history.add(Disconnected(self.name, self.client.chat.close_code))
        self._connected = connected
        self.synced = False
        self._incomplete.clear()

    def _message(self, event: dict[str, Any]) -> None:
        room = event["room_id"]
        if room not in self.rooms:
            return  # what was on its way when the user left
        self._history.add(
            Seen(
                self.name,
                room,
                event["seq"],
                event["id"],
                event["sender_id"],
                event.get("client_id"),
                shortened(event["content"]),
            )
        )

    def _deleted(self, event: dict[str, Any]) -> None:
        self._history.add(Deleted(self.name, event["room_id"], event["id"]))

    def _joined(self, event: dict[str, Any]) -> None:
        self._history.add(Joined(self.name, event["room_id"], event["last_seq"]))
        self.rooms.add(event["room_id"])

    def _resumed(self, event: dict[str, Any]) -> None:
        if event["complete"]:
            self._history.add(Resumed(self.name, event["room_id"], event["last_seq"], True))
        else:
            self._incomplete[event["room_id"]] = event["last_seq"]

    def _synced(self, _: object) -> None:
        """The library's promise: whatever the resume left out has been read from history."""
        for room, last_seq in self._incomplete.items():
            self._history.add(Resumed(self.name, room, last_seq, True))
        self._incomplete.clear()
        self.synced = True

    def _outgoing(self, message: OutgoingMessage) -> None:
        assert message.room_id is not None  # nobody speaks aloud here
        if message.client_id not in self._sending:
            self._sending.add(message.client_id)
            self.unsettled += 1
            self._history.add(Sent(self.name, message.room_id, message.client_id, shortened(message.content)))
        elif message.state == "sent":
            assert message.id is not None and message.seq is not None
            self.unsettled -= 1
            self._history.add(Acknowledged(self.name, message.client_id, message.id, message.seq))
            if self._random.random() < DELETED:
                task = asyncio.create_task(self._take_back(message.room_id, message.id))
                self._deleting.add(task)
                task.add_done_callback(self._deleting.discard)
        elif message.state == "failed":
            self.unsettled -= 1
            self._history.add(
                Failed(self.name, message.client_id, message.error.code if message.error else "")
            )
            self.client.chat.discard(message.client_id)

    async def _take_back(self, room: str, id: str) -> None:
        self._history.add(DeletionAsked(self.name, room, id))
        await self._persist(lambda: self.client.api.delete_message(room, id))

    async def _persist(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Until it is done, or refused for good, or the login has ended: what follows is the checker's to find."""
        with suppress(HereaboutsError):
            await persist(work, lambda: self.client.user is not None)


async def persist(work: Callable[[], Awaitable[Any]], going: Callable[[], bool] = lambda: True) -> Any:
    """Does it, again and again while it fails for a reason that passes."""
    while True:
        try:
            return await work()
        except HereaboutsError as error:
            if not error.transient or not going():
                raise
            await asyncio.sleep(RETRY_SECONDS if error.retry_after is None else error.retry_after)
