"""A real server in the test's own loop, and clients of it: what the tests of `tests/server` stand on.

`Server` is an `App` over a real MongoDB; `Person` is an account with its REST calls and sockets;
`Socket` is one WebSocket, which keeps every event that it got. Nothing here knows the services:
what a test sees is what a client sees.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Collection
from itertools import count
from types import TracebackType
from typing import Any

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from server.app import App
from server.clock import Clock
from server.ids import new_id
from server.settings import Settings
from storage.keyring import Keyring
from storage.records import User
from storage.store import Store

PATIENCE = 10.0  # seconds until an event that has not come counts as missing
TOKEN_SECRET = b"a token secret for tests, of 64 bytes or more, as SHA-512 would want it"
PASSWORD = "correct horse"
# The contract's codes and their status over REST.
STATUS = {
    "invalid_message": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
}


class MovableClock(Clock):
    """The real time, and what a test has added to it; held, it goes on by that alone."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._held: tuple[int, float] | None = None

    def advance(self, seconds: float) -> None:
        self._ahead += seconds

    def hold(self) -> None:
        """From now on, for windows of a second or so that a busy machine would miss. Timers of the loop go on."""
        self._held = super().now(), super().monotonic()

    def now(self) -> int:
        return (self._held[0] if self._held else super().now()) + round(self._ahead * 1000)

    def monotonic(self) -> float:
        return (self._held[1] if self._held else super().monotonic()) + self._ahead


class Server:
    """One running server; `async with` starts and stops it."""

    def __init__(self, uri: str, database: str, keyring: Keyring, **changes: Any) -> None:
        changes = {"rate_limits": False, "offline_seconds": 0.2, **changes}
        self.settings = dataclasses.replace(Settings(), port=0, mongodb_database=database, **changes)
        self.clock = MovableClock()
        self._uri = uri
        self._keyring = keyring
        self._names = count()
        self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=200, max_body_size=10_000_000)
        self._sockets: list[Socket] = []

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Also after `stop`: the same database, a new process as far as clients can tell, another port."""
        self.store = await Store.open(
            self._uri,
            keyring=self._keyring,
            database=self.settings.mongodb_database,
            timeout=self.settings.storage_timeout,
        )
        self.app = App(self.settings, self.store, TOKEN_SECRET, self.clock)
        await self.app.start()

    async def start_again(self) -> None:
        """After `app.stop`, on the port that it had: to its clients the same server, back."""
        self.settings = dataclasses.replace(self.settings, port=self.app.port)
        await self.start()

    async def stop(self) -> None:
        for socket in self._sockets:
            await socket.close()
        self._sockets.clear()
        await self.app.stop()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.app.port}"

    @property
    def api(self) -> str:
        return f"{self.origin}/api/v1"

    async def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        """`path` below the base path, or from the root where it does not start with one of its groups.

        `body` is sent as JSON, bytes as they are. No status raises.
        """
        url = path if path.startswith("http") else self.api + path
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = HTTPRequest(
            url, method=method, headers=sent, body=data, allow_nonstandard_methods=True, request_timeout=30
        )
        return await self._client.fetch(request, raise_error=False)

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, Any]:
        """(status, the JSON of the answer or None)."""
        response = await self.fetch(method, path, body, token=token)
        return response.code, json.loads(response.body) if response.body else None

    async def refused(
        self, code: str, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> str:
        """A call that has to be answered with this error; its sentence."""
        status, answer = await self.call(method, path, body, token=token)
        assert (status, answer["error"]["code"]) == (STATUS[code], code), (status, answer)
        assert answer.keys() == {"error"}
        return str(answer["error"]["message"])

    async def ready(self) -> int:
        """The status of /readyz; 599 if nobody listens."""
        try:
            return (await self.fetch("GET", f"{self.origin}/readyz")).code
        except OSError:
            return 599

    async def history(self, token: str, room_id: str) -> list[dict[str, Any]]:
        """Every message of a room, oldest first, page by page."""
        messages: list[dict[str, Any]] = []
        after = 0
        while True:
            path = f"/chat/sessions/{room_id}/messages?limit=200&after={after}"
            status, page = await self.call("GET", path, token=token)
            assert status == 200, page
            messages += page["messages"]
            if "next_after" not in page:
                return messages
            after = page["next_after"]

    async def person(self, name: str | None = None, **body: Any) -> Person:
        """Registers somebody; a name is made up if none is given."""
        name = name or f"person-{next(self._names)}"
        status, answer = await self.call(
            "POST", "/auth/register", {"username": name, "password": PASSWORD, **body}
        )
        assert status == 201, answer
        return Person(self, answer)

    async def people(self, count: int) -> list[Person]:
        """So many people, straight into the store: nobody knows their passwords, so none has to be hashed."""
        return list(await asyncio.gather(*(self._insert_person() for _ in range(count))))

    async def _insert_person(self) -> Person:
        name = f"person-{next(self._names)}"
        user = User(new_id(), name, name, None, self.clock.now())
        await self.store.users.insert(user)
        token = self.app.node.tokens.issue(user.id, new_id())
        return Person(self, {"access_token": token, "user": {"id": user.id, "username": name}})

    async def connect(
        self,
        path: str = "/ws/connect",
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
        subprotocols: list[str] | None = None,
    ) -> Socket:
        """Opens a socket without waiting for `connected`. A token goes into the `Authorization` header."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        request = HTTPRequest(self.api.replace("http", "ws", 1) + path + query, headers=sent)
        connection = await websocket_connect(request, subprotocols=subprotocols, max_message_size=10_000_000)
        socket = Socket(connection)
        self._sockets.append(socket)
        return socket


class Person:
    """Somebody with an account and a login."""

    def __init__(self, server: Server, pair: dict[str, Any]) -> None:
        self.server = server
        self.pair = pair
        self.token: str = pair["access_token"]
        self.id: str = pair["user"]["id"]
        self.name: str = pair["user"]["username"]

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return await self.server.call(method, path, body, token=self.token)

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a call that has to succeed."""
        status, answer = await self.call(method, path, body)
        assert status in (200, 201, 204), (status, answer)
        return answer

    async def refused(self, code: str, method: str, path: str, body: Any = None) -> str:
        return await self.server.refused(code, method, path, body, token=self.token)

    async def chat(self, *rooms: str) -> Socket:
        """A chat socket that is connected, and has joined these rooms."""
        return await self._open("/ws/connect", rooms)

    async def signal(self) -> Socket:
        return await self._open("/webrtc/signal", ())

    async def _open(self, path: str, rooms: tuple[str, ...]) -> Socket:
        socket = await self.server.connect(path, token=self.token)
        await socket.next("connected")
        for room_id in rooms:
            await socket.ask("joined_room", type="join_room", room_id=room_id)
        return socket

    async def land(self, x: float = 0, y: float = 0, **body: Any) -> str:
        """Claims a land of ten by ten; its id."""
        wanted = {"name": "land", "x": x, "y": y, "width": 10, "height": 10, **body}
        return str((await self.ok("POST", "/lands", wanted))["id"])

    async def private(self, other: Person) -> str:
        return str((await self.ok("POST", "/chat/sessions", {"participant_ids": [other.id]}))["id"])

    async def group(self, *others: Person, name: str = "group") -> str:
        body = {"participant_ids": [other.id for other in others], "name": name}
        return str((await self.ok("POST", "/chat/sessions", body))["id"])


class Socket:
    """One WebSocket. Events are kept in order; `next` takes the first that fits and leaves the others."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.closed: tuple[int | None, str | None] | None = None
        self._arrived = asyncio.Condition()
        self._refs = count(1)
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while (message := await self.connection.read_message()) is not None:
            self.events.append(json.loads(message))
            await self._tell()
        self.closed = (self.connection.close_code, self.connection.close_reason)
        await self._tell()

    async def _tell(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def send(self, **request: Any) -> None:
        await self.send_raw(json.dumps(request))

    async def send_raw(self, message: str | bytes) -> None:
        await self.connection.write_message(message, binary=isinstance(message, bytes))

    async def first(self) -> dict[str, Any] | None:
        """Waits for the first event, which stays where it is; None if there was a close in place of it."""
        await self._wait(lambda: self.events or self.closed, "an event or a close")
        return self.events[0] if self.events else None

    async def next(self, type: str, **fields: Any) -> dict[str, Any]:
        """Waits for an event of a type with these fields, and takes it out."""

        def found() -> dict[str, Any] | None:
            for event in self.events:
                if event["type"] == type and fields.items() <= event.items():
                    return event
            return None

        event: dict[str, Any] = await self._wait(found, f"{type} {fields}")
        self.events.remove(event)
        return event

    async def came(self, **fields: Any) -> dict[str, Any]:
        """Waits for an event with these fields, and leaves it where it is."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events if fields.items() <= event.items()), None)

        event: dict[str, Any] = await self._wait(found, str(fields))
        return event

    async def next_of(self, types: Collection[str]) -> dict[str, Any]:
        """Waits for an event of any of these types, and takes it out."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events if event["type"] in types), None)

        event: dict[str, Any] = await self._wait(found, f"one of {types}")
        self.events.remove(event)
        return event

    async def answer_to(self, **request: Any) -> dict[str, Any]:
        """Sends a request with a `ref` and waits for what comes with the same: an answer or an error."""
        ref = f"ref-{next(self._refs)}"
        await self.send(**request, ref=ref)

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events if event.get("ref") == ref), None)

        event: dict[str, Any] = await self._wait(found, f"an answer to {request}")
        self.events.remove(event)
        return event

    async def ask(self, answer: str, **request: Any) -> dict[str, Any]:
        """`answer_to` that fails unless the answer is of this type."""
        event = await self.answer_to(**request)
        assert event["type"] == answer, f"expected {answer}, got {event}"
        return event

    async def refused(self, code: str, **request: Any) -> dict[str, Any]:
        """Sends a request that has to be answered with this error."""
        error = await self.ask("error", **request)
        assert error["code"] == code, error
        return error

    async def quiet(self, *types: str) -> None:
        """Holds if no event of these types (or none at all) waits or comes before a ping is answered.

        The server answers in order, so what it had to tell because of earlier requests of this
        connection has come by then. For the effects of others' requests, wait for their answers first.
        """
        await self.ask("pong", type="ping")
        unexpected = [event for event in self.events if not types or event["type"] in types]
        assert not unexpected, unexpected

    def taken(self, type: str) -> list[dict[str, Any]]:
        """Takes out every event of a type that has come so far."""
        found = [event for event in self.events if event["type"] == type]
        self.events = [event for event in self.events if event["type"] != type]
        return found

    async def ended(self) -> tuple[int | None, str | None]:
        """Waits for the close; (code, reason)."""
        await self._wait(lambda: self.closed, "a close")
        assert self.closed is not None
        return self.closed

    async def close(self) -> None:
        self.connection.close()
        await asyncio.wait([self._reader], timeout=PATIENCE)

    async def _wait(self, condition: Callable[[], Any], what: str) -> Any:
        try:
            async with asyncio.timeout(PATIENCE), self._arrived:
                while not (found := condition()):
                    if self.closed is not None:
                        raise AssertionError(
                            f"closed with {self.closed} while waiting for {what}; got {self.events}"
                        )
                    await self._arrived.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"{what} did not come; got {self.events}") from None
