"""What the tests of the client library share: clients of one server, and what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from client import Hereabouts
from client.emitter import Emitter
from server.errors import Close
from tests.harness import PASSWORD, PATIENCE, Person, Server
from tests.storage.proxy import Proxy


class Told:
    """What an emitter tells under these types, in order."""

    def __init__(self, emitter: Emitter, *types: str) -> None:
        self.events: list[Any] = []
        self._arrived = asyncio.Event()
        for type in types:
            emitter.on(type, self._note)

    def _note(self, detail: Any) -> None:
        self.events.append(detail)
        self._arrived.set()

    async def until(self, condition: Callable[[list[Any]], bool]) -> list[Any]:
        """Waits until the events so far are as they should be."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition(self.events):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"did not come; got {self.events}") from None
        return self.events

    async def next(self, **fields: Any) -> Any:
        """Waits for an event with these fields, and takes it and all before it out."""

        def fits(event: Any) -> bool:
            return bool(fields.items() <= event.items())

        await self.until(lambda events: any(map(fits, events)))
        at = next(index for index, event in enumerate(self.events) if fits(event))
        event = self.events[at]
        del self.events[: at + 1]
        return event


@asynccontextmanager
async def connected(server: Server, person: Person, origin: str | None = None) -> AsyncIterator[Hereabouts]:
    """The library's client of a person, signed in and ready; by way of another origin if one is given."""
    async with Hereabouts(origin or server.origin) as hereabouts:
        await hereabouts.auth.login(username=person.name, password=PASSWORD)
        await hereabouts.chat.ready()
        yield hereabouts


@asynccontextmanager
async def proxied(server: Server) -> AsyncIterator[tuple[Proxy, str]]:
    """A network between a client and the server that can be cut, and the server's origin behind it."""
    proxy = Proxy(server.app.port)
    await proxy.start()
    try:
        yield proxy, f"http://127.0.0.1:{proxy.port}"
    finally:
        await proxy.stop()


def dismiss(server: Server, person: Person, close: Close) -> None:
    """Closes every chat connection of a person."""
    for connection in tuple(server.app.node.chat.of_user(person.id)):
        connection.close(close)


async def say(person: Person, room: str, *contents: str) -> list[dict[str, Any]]:
    """The messages, as REST answers."""
    path = f"/chat/sessions/{room}/messages"
    return [await person.ok("POST", path, {"content": content}) for content in contents]


def contents(messages: list[Any]) -> list[str]:
    return [message["content"] for message in messages]
