"""Who is hidden cannot be told from who is not there: one story, told with each of the two.

The story goes through all that an observer can be told: every event of both sockets and every answer over REST,
while others come, talk, call and go. Two people are in the middle of it all, invisible, or are not there at all; or
they are there, and stand near without sharing it, or stand nowhere. What the observer gets has to be the same to the byte,
ids and times apart, in the same order, and after the same work of the store. Order is the story's clock: what is
held back, or comes sooner, comes at another place between the events around it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Literal, get_args, get_type_hints

import pytest

from handlers.routes import ROUTES
from server.protocol import events, requests
from storage.keyring import Keyring
from tests.harness import Person, Server, Socket
from tests.server.cast import operations

How = Literal["absent", "invisible", "visible", "nowhere", "unshared", "shared"]
Transcript = dict[str, list[Any]]

# Writing, speaking, typing, reading and calling show, also of somebody invisible: no such request is made for them.
SHOWS: Final = {"send_message", "say", "typing", "mark_read"}
# Nothing of another person is in the answers to these, nor in what they depend on.
ONESELF: Final = {
    (method, f"/auth/{call}")
    for method, call in (
        ("POST", "register"), ("POST", "login"), ("POST", "refresh"), ("POST", "logout"), ("POST", "password"),
        ("POST", "ticket"), ("PATCH", "me"), ("DELETE", "me"),
    )
}  # fmt: skip

ID: Final = re.compile(r"[0-9a-f]{32}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Observer:
    """Ann, who keeps all that she is told, step by step, with names in place of ids."""

    def __init__(self, server: Server, names: dict[str, str], person: Person) -> None:
        self.server = server
        self.person = person
        self.transcript: Transcript = {}
        self.types: set[str] = set()
        self.routes: set[tuple[str, str]] = set()
        self._names = names
        self._refs = 0

    async def connect(self, *rooms: str) -> None:
        self.chat, self.signal = await self.person.chat(*rooms), await self.person.signal()
        self.types.add("connected")
        await self.ask(self.chat, type="update_location", x=0, y=0)
        await self.step("connected")

    async def ask(self, socket: Socket, **request: Any) -> dict[str, Any]:
        self._refs += 1
        await socket.send(**request, ref=f"ask-{self._refs}")
        return await socket.came(ref=f"ask-{self._refs}")

    async def step(self, name: str) -> None:
        """All that has come since the last step."""
        assert name not in self.transcript
        told = []
        for socket in (self.chat, self.signal):
            await socket.ask("pong", type="ping")
            told.append([self._plain(event) for event in socket.events])
            self.types |= {event["type"] for event in socket.events}
            socket.events.clear()
        self.transcript[name] = told

    async def call(
        self, key: tuple[str, str], body: Any, query: str = "", token: str | None = None, **ids: str
    ) -> Any:
        """A REST call with this token (or none): kept under its name, with the work of the store."""
        self.routes.add(key)
        method, path = key
        with operations(self.server) as done:
            status, answer = await self.server.call(method, path.format(**ids) + query, body, token=token)
        name = f"{len(self.transcript)}: {method} {path}{query} {'with' if token else 'without'} a token"
        self.transcript[name] = [status, self._plain(answer), done]
        return answer

    def _plain(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._plain(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self._plain(part) for part in value]
        if key == "duration_seconds":
            return value > 0
        if not isinstance(value, str):
            return value
        if TIME.fullmatch(value):
            return "time"
        return ID.sub(lambda found: self._names.setdefault(found[0], f"id {len(self._names)}"), value)


class Hidden:
    """Bob and Dan, who do all that does not show; or nothing, where they are absent, or without a place to be at."""

    def __init__(self, how: How, bob: Person, dan: Person, rooms: tuple[str, ...], land: str) -> None:
        self.there = how != "absent"
        self.placed = how != "nowhere"
        self.bob = bob
        self.dan = dan
        self.rooms = rooms
        self.land = land
        self.sockets: list[Socket] = []

    async def arrive(self) -> None:
        if not self.there:
            return
        for person, rooms in ((self.bob, self.rooms), (self.bob, self.rooms), (self.dan, (self.land,))):
            chat, signal = await person.chat(*rooms), await person.signal()
            self.sockets += [chat, signal]
            await chat.ask("resumed", type="resume", rooms=[{"room_id": self.land, "after_seq": 0}])
            await signal.ask("voice_peers", type="voice_join")
            await signal.ask("voice_muted", type="voice_mute", muted=True)
            await self._stand(chat, 3, 4)

    async def wander(self) -> None:
        """Out of everything, near and far, and in again."""
        if not self.there:
            return
        for chat in self.sockets[::2]:
            rooms = (self.land,) if chat is self.sockets[4] else self.rooms
            for room in rooms:
                await chat.ask("left_room", type="leave_room", room_id=room)
            await self._stand(chat, 400, -3, 4)
            for room in rooms:
                await chat.ask("joined_room", type="join_room", room_id=room)

    async def depart(self) -> None:
        """Out of all rooms, and off; for longer than it takes for that to be told."""
        if not self.there:
            return
        for chat in self.sockets[::2]:
            for room in self.rooms:
                await chat.ask("left_room", type="leave_room", room_id=room)
        for socket in self.sockets:
            await socket.close()
        while any(self.bob.server.app.node.chat.is_online(person.id) for person in (self.bob, self.dan)):
            await asyncio.sleep(0.01)
        await settled(self.bob.server)

    async def _stand(self, chat: Socket, *places: int) -> None:
        for x in places if self.placed else ():
            await chat.ask("location_updated", type="update_location", x=x, y=3)


async def settled(server: Server) -> None:
    """Until nothing waits for its time to be told: counts of a crowd, and who has gone."""
    node = server.app.node
    while node.rooms._counts._waiting or node.presence._leaving or node.presence._tasks:
        await asyncio.sleep(0.01)


async def story(server: Server, how: How) -> Observer:
    ann, bob, dan, wit, eve = await server.people(5)
    crowd = await server.people(99)
    names = {"ann": ann, "bob": bob, "dan": dan, "wit": wit, "eve": eve}
    group, land = await ann.group(bob, wit), await ann.land()
    private, shared = await ann.private(bob), await ann.private(wit)
    shown = {
        "visible": {},
        "shared": {},
        "unshared": {"share_location": False},
        "nowhere": {"share_location": False},
    }
    if fields := shown.get(how, {"invisible": True}):
        for person in (bob, dan):  # of long ago: nothing of it is in memory
            await server.store.users.update(person.id, **fields)
            server.app.node.people.forget(person.id)
    observer = Observer(server, {person.id: name for name, person in names.items()}, ann)
    hidden = Hidden(how, bob, dan, (group, private, land), land)
    await observer.connect(group, private, shared, land)
    await hidden.arrive()
    await observer.step("the hidden have come")
    await lists(observer, private=private, group=group, land=land, bob=bob, dan=dan, eve=eve)
    await requests_of_ones_own(observer, group=group, private=private, land=land, bob=bob, dan=dan)
    await hidden.wander()
    wits = await a_witness(observer, hidden, wit, group=group, shared=shared, land=land, bob=bob)
    await calls(observer, hidden, wit)
    await voice(observer, hidden, wit)
    if how in ("absent", "invisible", "visible"):  # who are seen in the room belong to its crowd
        await a_crowd(observer, hidden, wits, crowd, land)
    await hidden.depart()
    await go(observer, wits, wit, land, group)
    await observer.step("the hidden, and the witness, have gone")
    return observer


async def lists(
    observer: Observer, *, private: str, group: str, land: str, bob: Person, dan: Person, eve: Person
) -> None:
    """Every call whose answer is about others, with Ann's token, with that of one without a socket, and with none."""
    session = "/chat/sessions/{session_id}"
    for token in (observer.person.token, eve.token, None):
        for path, query in (
            ("/ws/online-users", ""), ("/ws/stats", ""), ("/chat/stats", ""), ("/webrtc/active-calls", ""),
            ("/webrtc/ice-servers", ""), ("/lands", ""), ("/auth/me", ""), ("/auth/me/blocks", ""),
            ("/lands/{land_id}", ""), ("/chat/land/{land_id}/participants", "?radius=50"), ("/chat/sessions", ""),
            ("/users/{user_id}", ""), ("/users", f"?username={bob.name}"), (session, ""), (f"{session}/messages", ""),
            ("/chat/speech", ""),
        ):  # fmt: skip
            for user in (dan, bob):
                ids = {"land_id": land, "user_id": user.id, "session_id": private}
                await observer.call(("GET", path), None, query, token, **ids)
    for token in (observer.person.token, eve.token):
        for user in (dan, bob):
            await observer.call(("POST", "/chat/sessions"), {"participant_ids": [user.id]}, "", token)
            block = ("PUT", "/users/{user_id}/block"), ("DELETE", "/users/{user_id}/block")
            for key in block:
                await observer.call(key, None, "", token, user_id=user.id)
            for room in (private, group):
                ids = {"session_id": room, "user_id": user.id, "message_id": user.id}
                await observer.call(("POST", f"{session}/members"), {"user_ids": [user.id]}, "", token, **ids)
                await observer.call(("DELETE", f"{session}/messages/{{message_id}}"), None, "", token, **ids)
                await observer.call(("PATCH", session), {"name": "ours"}, "", token, **ids)
            await observer.call(("POST", "/chat/land/{land_id}/session"), None, "", token, land_id=land)
    token = observer.person.token
    ids = {"session_id": group, "user_id": dan.id}
    await observer.call(("DELETE", f"{session}/members/{{user_id}}"), None, "", token, **ids)
    square = {"name": "square", "x": 2, "y": 2, "width": 5, "height": 5, "world_id": "moon"}
    made = await observer.call(("POST", "/lands"), square, "", token)
    await observer.call(("PATCH", "/lands/{land_id}"), {"x": 3}, "", token, land_id=made["id"])
    await observer.call(("DELETE", "/lands/{land_id}"), None, "", token, land_id=made["id"])
    await observer.call(("POST", f"{session}/messages"), {"content": "to you"}, "", token, session_id=private)
    await observer.chat.came(type="message", content="to you")
    await observer.step("what the lists have told")


async def requests_of_ones_own(
    observer: Observer, *, group: str, private: str, land: str, bob: Person, dan: Person
) -> None:
    """Every request of the sockets, where those who are hidden could show in its answer."""
    chat, signal = observer.chat, observer.signal
    for room in (group, private, land):
        await observer.ask(chat, type="join_room", room_id=room)
        await observer.ask(chat, type="resume", rooms=[{"room_id": room, "after_seq": 0}])
        await observer.ask(chat, type="mark_read", room_id=room, seq=0)
        await chat.send(type="typing", room_id=room, is_typing=True)
        await observer.ask(chat, type="send_message", room_id=room, content="is anybody here?")
        await chat.came(type="message", room_id=room, content="is anybody here?")
        await observer.ask(chat, type="leave_room", room_id=room)
        await observer.ask(chat, type="typing", room_id=dan.id, is_typing=True)
        await observer.ask(chat, type="join_room", room_id=room)
        await observer.step(f"one's own requests in {observer._plain(room)}")
    for radius in (1, 10, 50):
        await observer.ask(chat, type="update_location", x=0, y=0, radius=radius)
    await observer.ask(chat, type="say", content="is anybody near?")
    await chat.came(type="speech", content="is anybody near?")
    await observer.ask(chat, type="resume", rooms=[], speech_after="0")
    for socket in (chat, signal):
        await observer.ask(socket, type="ping")
        await observer.ask(socket, type="renew_token", access_token=observer.person.token)
    await observer.step("one's own place")
    for callee in (bob, dan):
        answer = await observer.ask(signal, type="call_initiate", callee_id=callee.id, call_type="audio")
        if answer["type"] == "call_initiated":  # of one who can be seen
            await observer.ask(signal, type="call_hangup", call_id=answer["call_id"])
    await observer.step("calls to the hidden")


async def a_witness(
    observer: Observer, hidden: Hidden, wit: Person, *, group: str, shared: str, land: str, bob: Person
) -> Socket:
    """Who can be seen comes, talks and goes, with those who cannot around."""
    ann, chat = observer.person, observer.chat
    await observer.ask(chat, type="watch_nearby", radius=10)
    await hidden.wander()
    wits = await wit.chat(group, shared, land)
    await wits.ask("location_updated", type="update_location", x=2, y=0)
    await chat.came(type="nearby_update")
    await chat.send(type="unwatch_nearby")
    await observer.step("the witness comes")
    await hidden.wander()
    await wits.send(type="typing", room_id=shared, is_typing=True)
    said = await wits.ask("message_ack", type="send_message", room_id=shared, content="hello")
    await wits.ask("read", type="mark_read", room_id=shared, seq=1)
    await wits.ask("speech_ack", type="say", content="hello, whoever is near")
    await observer.call(("GET", "/chat/speech"), None, "?limit=1", observer.person.token)
    await wit.ok("DELETE", f"/chat/sessions/{shared}/messages/{said['message_id']}")
    await observer.step("the witness talks")
    new = await wit.group(ann, bob)
    await observer.call(
        ("DELETE", "/chat/sessions/{session_id}/members/{user_id}"),
        None,
        "",
        wit.token,
        session_id=new,
        user_id=bob.id,
    )
    square = await wit.land(x=20)
    await observer.ask(chat, type="join_room", room_id=square)
    await wit.ok("DELETE", f"/lands/{square}")
    await observer.step("the witness makes and ends rooms")
    await hidden.wander()
    await go(observer, wits, wit, land, group)
    await observer.step("the witness goes")
    wits = await wit.chat(group, shared, land)
    await wits.ask("location_updated", type="update_location", x=1, y=0)
    await observer.step("the witness is back")
    return wits


async def go(observer: Observer, wits: Socket, wit: Person, *rooms: str) -> None:
    """Out of these rooms in this order, and then of the one that is left: several at once have no order."""
    for room in rooms:
        await wits.ask("left_room", type="leave_room", room_id=room)
    await wits.close()
    await observer.chat.came(type="presence_update", user_id=wit.id, status="offline")
    await settled(observer.server)


async def calls(observer: Observer, hidden: Hidden, wit: Person) -> None:
    """All that a call tells, on both of its ends."""
    wits, signal = await wit.signal(), observer.signal
    for kind in ("audio", "video"):
        call = {"type": "call_initiate", "callee_id": wit.id, "call_type": kind}
        call_id = (await observer.ask(signal, **call))["call_id"]
        if kind == "audio":
            await wits.ask("call_rejected", type="call_reject", call_id=call_id)
            continue
        await wits.ask("call_started", type="call_accept", call_id=call_id)
        for type_, fields in (
            ("offer", {"sdp": "v=0"}),
            ("answer", {"sdp": "v=0"}),
            ("ice_candidate", {"candidate": None}),
        ):
            await wits.send(type=type_, call_id=call_id, **fields)
            await signal.came(type=type_)
        await wits.close()
        await signal.came(type="peer_reconnecting")
        wits = await wit.signal()
        await wits.ask("call_rejoined", type="call_rejoin", call_id=call_id)
        await observer.ask(signal, type="call_rejoin", call_id=call_id)
        await hidden.wander()
        await observer.ask(signal, type="call_hangup", call_id=call_id)
    await wits.ask("call_initiated", type="call_initiate", callee_id=observer.person.id, call_type="audio")
    call_id = (await signal.came(type="incoming_call"))["call_id"]
    await wits.close()
    await observer.ask(
        signal, type="call_reject", call_id=call_id
    )  # or it would end in the middle of a later step
    await observer.step("calls")


async def voice(observer: Observer, hidden: Hidden, wit: Person) -> None:
    """Those in earshot who have joined are paired with each other, and with nobody who is hidden."""
    wits, signal = await wit.signal(), observer.signal
    await observer.ask(signal, type="voice_join")
    await hidden.wander()
    await observer.step("voice, alone")
    await wits.ask("voice_peers", type="voice_join")
    await signal.came(type="voice_gains")
    await observer.step("voice, with the witness")
    await hidden.wander()
    await wits.ask("voice_muted", type="voice_mute", muted=True)
    await signal.came(type="voice_muted")
    await observer.ask(signal, type="voice_mute", muted=True)
    await wits.ask("voice_peers", type="voice_leave")
    await signal.came(type="voice_peers")
    await observer.ask(signal, type="voice_leave")
    await wits.close()
    await observer.step("voice, to its end")


async def a_crowd(observer: Observer, hidden: Hidden, wits: Socket, crowd: list[Person], land: str) -> None:
    """At a hundred present the hidden would make it a crowd; above, their coming would hold counts back."""
    chat = observer.chat
    for person in crowd[:-1]:
        await person.chat(land)
    await hidden.wander()
    await wits.send(type="typing", room_id=land, is_typing=True)
    await wits.ask("message_ack", type="send_message", room_id=land, content="a hundred")
    await settled(observer.server)
    await observer.step("a hundred")
    last = await crowd[-1].chat(land)
    await chat.came(type="room_count")
    await settled(observer.server)
    await observer.step("a crowd")
    await hidden.wander()
    await last.ask("left_room", type="leave_room", room_id=land)
    await last.ask("joined_room", type="join_room", room_id=land)
    await wits.ask("message_ack", type="send_message", room_id=land, content="still here")
    await settled(observer.server)
    await observer.step("the crowd changes")


async def tell(how: How, uri: str, database: str, keyring: Keyring) -> Observer:
    async with Server(uri, f"{database}_{how}", keyring) as server:
        return await story(server, how)


def tags(types: tuple[Any, ...]) -> set[str]:
    return {get_args(get_type_hints(type_)["type"])[0] for type_ in types}


def test_those_who_are_hidden_leave_out_only_what_shows() -> None:
    """Requests that are added have to find their place in the story."""
    made = {"join_room", "leave_room", "resume", "update_location", "watch_nearby", "unwatch_nearby", "ping"}
    made |= {"renew_token"}
    assert {struct.__struct_config__.tag for struct in get_args(requests.ChatRequest)} == made | SHOWS


@pytest.mark.gen_test(timeout=180)  # three times a hundred people
async def test_an_invisible_person_cannot_be_told_from_an_absent_one(
    mongodb_uri: str, database_name: str, keyring: Keyring
) -> None:
    """Over every event and list, in order; the story has all of them in it, and somebody visible shows in it."""
    absent = await tell("absent", mongodb_uri, database_name, keyring)
    invisible = await tell("invisible", mongodb_uri, database_name, keyring)
    visible = await tell("visible", mongodb_uri, database_name, keyring)
    assert absent.transcript.keys() == invisible.transcript.keys()
    for step, told in absent.transcript.items():
        assert invisible.transcript[step] == told, step
    assert absent.types == tags(events.CHAT_EVENTS) | tags(events.SIGNAL_EVENTS)
    assert absent.routes == {(route.method, route.path) for route in ROUTES} - ONESELF
    differing = {step for step, told in absent.transcript.items() if visible.transcript.get(step) != told}
    for step in ("the hidden have come", "one's own place", "calls to the hidden", "a hundred", "a crowd"):
        assert step in differing
    for path in ("/ws/online-users", "/ws/stats", "/chat/land/{land_id}/participants"):
        assert [step for step in differing if path in step and "without" in step], path


@pytest.mark.gen_test(timeout=180)  # three servers
async def test_a_place_that_is_not_shared_cannot_be_told_from_none(
    mongodb_uri: str, database_name: str, keyring: Keyring
) -> None:
    """The same of two people who are there for all to see, and near without sharing it, or without a position."""
    nowhere = await tell("nowhere", mongodb_uri, database_name, keyring)
    unshared = await tell("unshared", mongodb_uri, database_name, keyring)
    shared = await tell("shared", mongodb_uri, database_name, keyring)
    assert nowhere.transcript == unshared.transcript
    differing = {step for step, told in nowhere.transcript.items() if shared.transcript.get(step) != told}
    assert {"the hidden have come", "one's own place"} <= differing
    assert [step for step in differing if "participants" in step]
