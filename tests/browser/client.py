"""The client library in a page of a real Chromium, and the network that a test takes away from it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Request, WebSocket

from tests.browser.conftest import Browser, Visitor
from tests.harness import PASSWORD, Person
from tests.storage.proxy import Proxy

# What a browser itself says of a server that does not answer.
UNANSWERED = ("net::ERR_", "WebSocket connection to")

# Signs in beside the demo page, which is signed out, and writes down what the chat socket tells.
SIGN_IN = """async ({ username, password }) => {
  const { Hereabouts } = await import('/static/js/client/index.js');
  const kept = new Map();
  const here = new Hereabouts({ storage: {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  } });
  const told = {};
  for (const type of ['state', 'connected', 'synced', 'message', 'message_deleted', 'speech', 'speech_resumed', 'outgoing', 'resumed', 'room_lost', 'token_renewed']) {
    told[type] = [];
    here.chat.on(type, (event) => told[type].push({ ...event, ...(event.error && { error: event.error.code }) }));
  }
  Object.assign(window, { here, told });
  await here.auth.login({ username, password });
}"""


class Wire:
    """What a page has sent: the frames of its sockets, and its requests to the REST API."""

    def __init__(self, visitor: Visitor) -> None:
        self.sockets: list[WebSocket] = []
        self.frames: list[dict[str, Any]] = []
        self.requests: list[str] = []
        visitor.page.on("websocket", self._opened)
        visitor.page.on("request", self._requested)

    def of(self, type: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == type]

    @property
    def resumed(self) -> list[list[str]]:
        """The rooms of each `resume` that names any; all connections ask for speech."""
        asked = [[room["room_id"] for room in frame["rooms"]] for frame in self.of("resume")]
        return [rooms for rooms in asked if rooms]

    @property
    def history(self) -> list[str]:
        """The requests that read messages."""
        return [url for url in self.requests if urlsplit(url).path.endswith("/messages")]

    def forget(self) -> None:
        self.sockets.clear()
        self.frames.clear()
        self.requests.clear()

    def _opened(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on("framesent", lambda frame: self.frames.append(json.loads(frame)))

    def _requested(self, request: Request) -> None:
        if "/api/v1/" in request.url:
            self.requests.append(request.url)


class Client:
    """One person's client library in a page; `told` is what it told, `wire` what it sent."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.wire = Wire(visitor)

    async def sign_in(self, person: Person) -> None:
        await self.visitor.page.evaluate(SIGN_IN, {"username": person.name, "password": PASSWORD})

    async def run(self, body: str, argument: Any = None) -> Any:
        """Runs the body of an async function, which has `here`, `chat`, `told` and its argument `given`."""
        script = f"async (given) => {{ const {{ here, told }} = window; const {{ chat }} = here; {body} }}"
        return await self.visitor.page.evaluate(script, argument)

    async def until(self, condition: str, argument: Any = None) -> None:
        """Waits until an expression over `here`, `chat`, `told` and `given` holds."""
        script = (
            f"(given) => {{ const {{ here, told }} = window; const {{ chat }} = here; return {condition}; }}"
        )
        await self.visitor.until(script, argument)

    async def told(self, type: str, *fields: str) -> list[Any]:
        """The events of a type so far, or of each the one field, or these fields."""
        events = await self.visitor.page.evaluate("(type) => window.told[type]", type)
        if not fields:
            return list(events)
        return [
            tuple(event.get(field) for field in fields) if len(fields) > 1 else event.get(fields[0])
            for event in events
        ]

    async def synced(self, times: int) -> None:
        """Waits until it has been brought up to date so often."""
        await self.until("told.synced.length >= given", times)


async def client_of(browser: Browser, person: Person, *, port: int | None = None) -> Client:
    """A page with the library in it, signed in and up to date."""
    client = Client(await browser.visit(person.name, port=port))
    await client.sign_in(person)
    await client.synced(1)
    return client


def forgive(*visitors: Visitor) -> None:
    """Takes out what a browser complained of while nobody answered."""
    for visitor in visitors:
        visitor.complaints = [
            text for text in visitor.complaints if not any(part in text for part in UNANSWERED)
        ]


class Road:
    """The network between a page and the server, which can be away."""

    def __init__(self, proxy: Proxy, port: int) -> None:
        self._proxy = proxy
        self.port = port

    def close(self) -> None:
        """Cuts what is open; whoever tries again is not answered."""
        self._proxy.lose_requests = True
        self._proxy.cut()

    def lose_answers(self) -> None:
        """What the page sends arrives; what it is answered does not."""
        self._proxy.lose_answers = True

    def open(self) -> None:
        """Cuts what is open, and answers again."""
        self._proxy.pass_on()


@asynccontextmanager
async def road(port: int) -> AsyncIterator[Road]:
    """`async with road(server.app.port) as it`: a way to the server at `it.port`."""
    proxy = Proxy(port)
    at = urlsplit(await proxy.start()).port
    assert at is not None
    try:
        yield Road(proxy, at)
    finally:
        await proxy.stop()
