"""Several people on both sockets who say anything: right, nearly right, or no protocol at all.

Every request is answered, every event is as documented, nothing but a broken protocol closes a socket, and
when all have gone nothing of them is left.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import cache, partial
from itertools import count
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from handlers.rest import BASE_PATH
from server.apidocs import asyncapi
from server.protocol.requests import ChatRequest, SignalRequest
from tests.fuzz import footprint
from tests.fuzz.conftest import Budget
from tests.fuzz.strategies import requests, settle
from tests.handlers.client import CONTINUATION, PING, TEXT, client_frame
from tests.harness import Person, Server, Socket
from tests.server.documents import closed, resolve

PEOPLE = 3
STEPS = 30
EXAMPLES = 15  # of a round
T = TypeVar("T")
REF = "this one"
# Where all is well with them, they go to others, and that is all.
UNANSWERED = ["typing", "unwatch_nearby", "offer", "answer", "ice_candidate"]

places = count()  # for lands, which do not overlap
people = st.integers(0, PEOPLE - 1)
# What breaks the protocol, and the codes that say so.
BROKEN = st.sampled_from(
    [
        (b"\xc1\x80", 1002),
        (b"\x81\x01x", 1002),
        (client_frame(3), 1002),
        (client_frame(CONTINUATION, b"x"), 1002),
        (client_frame(PING, b"x" * 126), 1002),
        (client_frame(TEXT, b"\xff"), 1007),
        (client_frame(TEXT, b" " * 65_537), 1009),
        (client_frame(TEXT, b"{", fin=False) + client_frame(TEXT, b"}"), 1002),
    ]
)
BABBLE = st.tuples(st.text(max_size=100) | st.binary(max_size=100), st.none())


def test_whatever_is_said(server: Server, io_loop: IOLoop, budget: Budget) -> None:
    """See above; the log stays quiet and the loop free, as in every test."""
    crowd = Crowd.on(server, io_loop, budget)
    run = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.reuse, Phase.generate),
    )
    run_state_machine_as_test(
        crowd, settings=settings(run, max_examples=1)
    )  # what is kept for good is made now
    footprint.is_idle(server, io_loop)
    before = footprint.of(server)
    budget.spend(lambda: run_state_machine_as_test(crowd, settings=run))
    footprint.settles_at(server, io_loop, before)


class Crowd(RuleBasedStateMachine):
    server: Server
    io_loop: IOLoop
    budget: Budget

    @classmethod
    def on(cls, server: Server, io_loop: IOLoop, budget: Budget) -> type[Crowd]:
        return type("Crowd", (cls,), {"server": server, "io_loop": io_loop, "budget": budget})

    def wait(self, work: Callable[..., Awaitable[T]], *arguments: Any, **options: Any) -> T:
        result: T = self.io_loop.run_sync(partial(work, *arguments, **options))
        return result

    @initialize()
    def begin(self) -> None:
        self.wait(self._begin)

    async def _begin(self) -> None:
        self.people: list[Person] = await self.server.people(PEOPLE)
        ann, bob, cid = self.people
        self.known = {
            "rooms": [await ann.land(x=20 * next(places)), await ann.private(bob), await bob.group(ann, cid)],
            "people": [person.id for person in self.people],
            "tokens": [person.token for person in self.people],
            "calls": [],
        }
        self.chats = [await person.chat() for person in self.people]
        self.signals = [await person.signal() for person in self.people]

    @rule(who=people, said=st.lists(requests(ChatRequest), min_size=1, max_size=5))
    def chat(self, who: int, said: list[dict[str, Any]]) -> None:
        for request in said:
            self.wait(self._say, "chat", self.chats[who], request)

    @rule(who=people, said=st.lists(requests(SignalRequest), min_size=1, max_size=5))
    def signal(self, who: int, said: list[dict[str, Any]]) -> None:
        for request in said:
            self.wait(self._say, "signal", self.signals[who], request)

    async def _say(self, channel: str, socket: Socket, request: dict[str, Any]) -> None:
        """The request, and what it is answered; a ping, where there may be nothing but an error."""
        self.budget.count("requests over sockets")
        settled = {**settle(request, self.known), "ref": REF}
        await socket.send_raw(json.dumps(settled))
        if settled.get("type") not in UNANSWERED:
            answered = partial(any_with_ref, socket)
            await socket._wait(answered, f"an answer to {settled}")
        await socket.ask("pong", type="ping")
        self._look(channel, socket)

    def _look(self, channel: str, socket: Socket) -> None:
        for event in socket.events:
            validator(channel, event["type"]).validate(event)
            if "call_id" in event and event["call_id"] not in self.known["calls"]:
                self.known["calls"].append(event["call_id"])
        socket.events.clear()

    @rule(who=people, is_chat=st.booleans(), how=BABBLE | BROKEN | st.sampled_from(["vanish", "come again"]))
    def disturb(self, who: int, is_chat: bool, how: Any) -> None:
        """Anything in a frame; what is no frame; an end without a word; or one more socket, which says nothing."""
        sockets = self.chats if is_chat else self.signals
        if how == "vanish":
            self.wait(self._vanish, who, is_chat)
        elif how == "come again":
            self.wait(self.people[who].chat if is_chat else self.people[who].signal)
        elif how[1] is None:
            self.wait(self._babble, sockets[who], how[0])
        else:
            self.wait(self._break, who, is_chat, *how)

    async def _babble(self, socket: Socket, text: str | bytes) -> None:
        self.budget.count("frames of anything")
        await socket.send_raw(text)
        await socket.next("error", code="invalid_message")
        await socket.ask("pong", type="ping")

    async def _break(self, who: int, is_chat: bool, data: bytes, code: int) -> None:
        self.budget.count("broken frames")
        sockets = self.chats if is_chat else self.signals
        await stream_of(sockets[who]).write(data)
        assert (await sockets[who].ended())[0] == code
        sockets[who] = await (self.people[who].chat() if is_chat else self.people[who].signal())

    async def _vanish(self, who: int, is_chat: bool) -> None:
        """Without a word, and back at once."""
        sockets = self.chats if is_chat else self.signals
        stream_of(sockets[who]).close()
        await sockets[who].close()
        sockets[who] = await (self.people[who].chat() if is_chat else self.people[who].signal())

    def teardown(self) -> None:
        if hasattr(self, "people"):
            self.wait(self._leave)

    async def _leave(self) -> None:
        for channel, sockets in (("chat", self.chats), ("signal", self.signals)):
            for socket in sockets:
                assert socket.closed is None, socket.closed
                await socket.ask("pong", type="ping")
                self._look(channel, socket)
        for socket in self.server._sockets:
            await socket.close()
        self.server._sockets.clear()


def stream_of(socket: Socket) -> IOStream:
    protocol = socket.connection.protocol
    assert protocol is not None and protocol.stream is not None
    return protocol.stream


def any_with_ref(socket: Socket) -> bool:
    return any(event.get("ref") == REF for event in socket.events)


@cache
def _document() -> dict[str, Any]:
    return asyncapi.document(BASE_PATH)


@cache
def validator(channel: str, type: str) -> Draft202012Validator:
    document = _document()
    messages = document["channels"][channel]["messages"]
    assert f"server.{type}" in messages, f"{type} is not documented for {channel}"
    payload = resolve(document, messages[f"server.{type}"])["payload"]
    schemas = {"schemas": closed(document["components"]["schemas"])}
    return Draft202012Validator(
        {**closed(payload), "components": schemas}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
