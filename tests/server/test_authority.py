"""Who may do what: a row for every request of both sockets and for every REST call, tried by those who may not.

Those are a stranger, a former member on a socket from better days, somebody behind a block, and a login that
has ended. Each row says what its kind of door answers them; beside them somebody who may comes through. What
is closed answers as what was never there, in the same words and after the same work of the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pytest

from handlers.rest import Route
from handlers.routes import ROUTES
from server.protocol import requests
from tests.harness import STATUS, Person, Server, Socket

# Where an id that is not there is asked for: of the length of a real one.
ABSENT = "0" * 32

# The sockets


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request, what its answer is to those who may (None: there is none), and whose business it is.

    - `room`: of those who may enter. `across` is its answer in a private session with a block between.
    - `call`: of its two sides, while it is `state`; `who` of the two does it.
    - `person`: of everybody but across a block.
    - `oneself`: of whoever holds the socket.
    """

    about: Literal["room", "call", "person", "oneself"]
    fields: dict[str, Any] = field(default_factory=dict)
    answer: str | None
    across: str | None = None
    state: Literal["ringing", "active"] = "active"
    who: Literal["caller", "callee"] = "caller"


CHAT: dict[str, Row] = {
    "join_room": Row(about="room", answer="joined_room", across="joined_room"),
    "resume": Row(about="room", answer="resumed", across="resumed"),
    "send_message": Row(about="room", fields={"content": "x"}, answer="message_ack", across="forbidden"),
    "typing": Row(about="room", fields={"is_typing": True}, answer=None, across="forbidden"),
    "mark_read": Row(about="room", fields={"seq": 0}, answer="read", across="read"),
    # Leaves whatever one is in, and nothing else: it succeeds for everybody everywhere.
    "leave_room": Row(about="oneself", fields={"room_id": ABSENT}, answer="left_room"),
    "update_location": Row(about="oneself", fields={"x": 0, "y": 0}, answer="location_updated"),
    "ping": Row(about="oneself", answer="pong"),
    "renew_token": Row(about="oneself", fields={"access_token": "own"}, answer="token_renewed"),
}
SIGNAL: dict[str, Row] = {
    "call_initiate": Row(about="person", fields={"call_type": "audio"}, answer="call_initiated"),
    "call_accept": Row(about="call", answer="call_started", state="ringing", who="callee"),
    "call_reject": Row(about="call", answer="call_rejected", state="ringing", who="callee"),
    "call_hangup": Row(about="call", answer="call_ended"),
    "call_rejoin": Row(about="call", answer="call_rejoined"),
    "offer": Row(about="call", fields={"sdp": "v=0"}, answer=None),
    "answer": Row(about="call", fields={"sdp": "v=0"}, answer=None, who="callee"),
    "ice_candidate": Row(about="call", fields={"candidate": None}, answer=None),
    "ping": Row(about="oneself", answer="pong"),
    "renew_token": Row(about="oneself", fields={"access_token": "own"}, answer="token_renewed"),
}


def rows(table: dict[str, Row], about: str) -> list[str]:
    return [type_ for type_, row in table.items() if row.about == about]


async def test_every_request_of_the_sockets_has_a_row(server: Server) -> None:
    """Of both, and no more: one that is added has to say here whose business it is."""
    for table, union, dispatcher in (
        (CHAT, requests.ChatRequest, server.app.node.chat_dispatcher),
        (SIGNAL, requests.SignalRequest, server.app.node.signal_dispatcher),
    ):
        tags = [struct.__struct_config__.tag for struct in get_args(union)]
        assert sorted(table) == sorted(tags)
        assert set(dispatcher._table) == set(get_args(union))


@contextmanager
def operations(server: Server) -> Iterator[list[str]]:
    """The names of what the store is asked to do meanwhile."""
    done: list[str] = []
    observe = server.store.observe
    server.store.observe = lambda name, seconds: done.append(name)
    yield done
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


def in_room(type_: str, room: str) -> dict[str, Any]:
    row = CHAT[type_]
    where = {"rooms": [{"room_id": room, "after_seq": 0}]} if type_ == "resume" else {"room_id": room}
    return {"type": type_, **where, **row.fields}


async def told(socket: Socket, request: dict[str, Any], answer: str | None) -> None:
    """Holds if this is the answer; None: that there is none, and no error either."""
    if answer is None:
        await socket.send(**request, ref="none")
        await socket.ask("pong", type="ping")
        assert not [event for event in socket.events if event.get("ref") == "none"]
    elif answer in STATUS or answer == "offline":
        await socket.refused(answer, **request)
    else:
        await socket.ask(answer, **request)


async def refusal(
    server: Server, socket: Socket, request: dict[str, Any], thing: str
) -> tuple[Any, list[str]]:
    """All that can be told from outside: the answer without what it was about, and the work of the store."""
    with operations(server) as done:
        error = await socket.answer_to(**request)
    del error["ref"]
    return {name: value if value != thing else "it" for name, value in error.items()}, done


NO_ROOM = {"type": "error", "code": "not_found", "message": "no such room"}


@pytest.mark.parametrize("type_", rows(CHAT, "room"))
async def test_a_room_is_absent_to_strangers_and_former_members(type_: str, server: Server) -> None:
    """Of each kind, also on a socket that had joined; those who may come through, and hear nothing of the others."""
    cast = await gather(server)
    expected = {**NO_ROOM, "room_id": "it"} if type_ == "resume" else NO_ROOM
    for outsider in cast.outsiders:
        socket = cast.chats[outsider]
        absent = await refusal(server, socket, in_room(type_, ABSENT), ABSENT)
        assert absent[0] == expected
        for room in cast.rooms.values():
            assert await refusal(server, socket, in_room(type_, room), room) == absent
        await socket.quiet()
    for person in (cast.ann, cast.bob):
        await cast.chats[person].quiet()
    for room in cast.rooms.values():
        await told(cast.chats[cast.bob], in_room(type_, room), CHAT[type_].answer)


@pytest.mark.parametrize("type_", rows(CHAT, "room"))
async def test_a_block_is_the_same_from_both_sides(type_: str, server: Server) -> None:
    """In private what would reach the other is refused, in the same words, and the other hears nothing."""
    cast = await gather(server)
    errors = []
    for person, other in ((cast.ann, cast.bea), (cast.bea, cast.ann)):
        request = in_room(type_, cast.across)
        if CHAT[type_].across == "forbidden":
            errors.append(await refusal(server, cast.chats[person], request, cast.across))
        else:
            await told(cast.chats[person], request, CHAT[type_].across)
        await cast.chats[other].ask("pong", type="ping")
        assert not [event for event in cast.chats[other].events if person.id in str(event)]
    assert errors in ([], [errors[0]] * 2 if errors else [])


@asynccontextmanager
async def call(
    server: Server, state: Literal["ringing", "active"]
) -> AsyncIterator[tuple[str, Person, Person, dict[str, Socket]]]:
    """A call of two people in this state: its id, they, and the sockets of its sides."""
    caller, callee = await server.people(2)
    sides = {"caller": await caller.signal(), "callee": await callee.signal()}
    made = await sides["caller"].ask(
        "call_initiated", type="call_initiate", callee_id=callee.id, call_type="audio"
    )
    await sides["callee"].next("incoming_call")
    if state == "active":
        await sides["callee"].ask("call_started", type="call_accept", call_id=made["call_id"])
        await sides["caller"].next("call_accepted")
        await sides["caller"].next("call_started")
    yield made["call_id"], caller, callee, sides


@pytest.mark.parametrize("type_", rows(SIGNAL, "call"))
async def test_a_call_is_absent_to_all_but_its_sides(type_: str, server: Server) -> None:
    """To a stranger, to those who were in it until it ended, and to those who were until one blocked the other."""
    row = SIGNAL[type_]
    (eve,) = await server.people(1)
    strangers = await eve.signal()

    async def refused(socket: Socket, call_id: str) -> tuple[Any, list[str]]:
        return await refusal(server, socket, {"type": type_, "call_id": call_id, **row.fields}, call_id)

    absent = await refused(strangers, ABSENT)
    assert absent == ({"type": "error", "code": "not_found", "message": "no such call"}, [])
    async with call(server, row.state) as (call_id, *_, sides):
        assert await refused(strangers, call_id) == absent
        for socket in sides.values():
            await socket.quiet()
        await told(sides[row.who], {"type": type_, "call_id": call_id, **row.fields}, row.answer)
        await strangers.quiet()
    async with call(server, row.state) as (call_id, *_, sides):
        await sides["caller"].ask("call_ended", type="call_hangup", call_id=call_id)
        for socket in sides.values():
            assert await refused(socket, call_id) == absent
    async with call(server, row.state) as (call_id, caller, callee, sides):
        await callee.ok("PUT", f"/users/{caller.id}/block")
        for socket in sides.values():
            assert await refused(socket, call_id) == absent


@pytest.mark.parametrize("type_", rows(SIGNAL, "person"))
async def test_a_person_is_absent_across_a_block(type_: str, server: Server) -> None:
    """From either side, in the words and with the work of one who is not there; strangers come through."""
    ann, bea, eve, away = await server.people(4)
    hers, beas, _ = await ann.signal(), await bea.signal(), await eve.signal()
    await ann.ok("PUT", f"/users/{bea.id}/block")

    async def refused(socket: Socket, other: str) -> tuple[Any, list[str]]:
        return await refusal(
            server, socket, {"type": type_, "callee_id": other, **SIGNAL[type_].fields}, other
        )

    absent = await refused(hers, ABSENT)
    assert absent[0]["code"] == "offline"
    assert (
        await refused(hers, away.id) == await refused(hers, bea.id) == await refused(beas, ann.id) == absent
    )
    await told(hers, {"type": type_, "callee_id": eve.id, **SIGNAL[type_].fields}, SIGNAL[type_].answer)
    await beas.quiet()


@pytest.mark.parametrize("table", [CHAT, SIGNAL], ids=["chat", "signal"])
async def test_what_concerns_oneself_reaches_nobody_else(table: dict[str, Row], server: Server) -> None:
    """It is answered on this socket alone; and it takes one's own token, of a login that has not ended."""
    ann, eve = await server.people(2)
    path = "chat" if table is CHAT else "signal"
    hers, other, eves = [await getattr(person, path)() for person in (ann, ann, eve)]
    for type_ in rows(table, "oneself"):
        fields = {name: value if value != "own" else ann.token for name, value in table[type_].fields.items()}
        await told(hers, {"type": type_, **fields}, table[type_].answer)
        await other.quiet()
        await eves.quiet()
    gone = await server.person()
    await gone.ok("POST", "/auth/logout")
    for token in (eve.token, gone.token, ABSENT):
        await hers.refused("unauthorized", type="renew_token", access_token=token)


# REST


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A call, and whose business it is.

    - `room`: of those who may enter; `refused` where the insider may not either (another's message, no group).
      `across` is its status in a private session with a block between.
    - `land`: of everybody; `refused` to all but its owner.
    - `person`: of everybody, and of the other side of a block too.
    - `oneself`: of whoever has a token.
    - `nobody`: of those without a token too.
    """

    about: Literal["room", "land", "person", "oneself", "nobody"]
    body: dict[str, Any] | None = None
    query: str = ""
    refused: str | None = None
    across: int = 200


SESSION = "/chat/sessions/{session_id}"
REST: dict[tuple[str, str], Rest] = {
    ("POST", "/auth/register"): Rest(about="nobody"),
    ("POST", "/auth/login"): Rest(about="nobody"),
    ("POST", "/auth/refresh"): Rest(about="nobody"),
    ("POST", "/auth/logout"): Rest(about="oneself"),
    ("POST", "/auth/password"): Rest(about="oneself"),
    ("POST", "/auth/ticket"): Rest(about="oneself"),
    ("GET", "/auth/me"): Rest(about="oneself"),
    ("PATCH", "/auth/me"): Rest(about="oneself"),
    ("DELETE", "/auth/me"): Rest(about="oneself"),
    ("GET", "/auth/me/blocks"): Rest(about="oneself"),
    ("GET", "/users"): Rest(about="person", query="?username={username}"),
    ("GET", "/users/{user_id}"): Rest(about="person"),
    ("PUT", "/users/{user_id}/block"): Rest(about="person"),
    ("DELETE", "/users/{user_id}/block"): Rest(about="person"),
    ("GET", "/webrtc/ice-servers"): Rest(about="oneself"),
    ("GET", "/webrtc/active-calls"): Rest(about="nobody"),
    ("GET", "/chat/sessions"): Rest(about="oneself"),
    ("POST", "/chat/sessions"): Rest(about="person", body={"participant_ids": ["{user_id}"]}),
    ("GET", SESSION): Rest(about="room"),
    ("PATCH", SESSION): Rest(about="room", body={"name": "ours"}, across=403),
    ("POST", f"{SESSION}/members"): Rest(about="room", body={"user_ids": ["{bob}"]}, across=403),
    ("DELETE", f"{SESSION}/members/{{user_id}}"): Rest(about="room", refused="forbidden", across=403),
    ("GET", f"{SESSION}/messages"): Rest(about="room"),
    ("POST", f"{SESSION}/messages"): Rest(about="room", body={"content": "x"}, across=403),
    ("DELETE", f"{SESSION}/messages/{{message_id}}"): Rest(about="room", refused="forbidden", across=204),
    ("GET", "/chat/land/{land_id}/participants"): Rest(about="land"),
    ("POST", "/chat/land/{land_id}/session"): Rest(about="room"),
    ("GET", "/chat/stats"): Rest(about="nobody"),
    ("GET", "/ws/stats"): Rest(about="nobody"),
    ("GET", "/ws/online-users"): Rest(about="nobody"),
    ("GET", "/lands"): Rest(about="oneself"),
    ("POST", "/lands"): Rest(about="oneself"),
    ("GET", "/lands/{land_id}"): Rest(about="land"),
    ("PATCH", "/lands/{land_id}"): Rest(about="land", body={"name": "mine"}, refused="forbidden"),
    ("DELETE", "/lands/{land_id}"): Rest(about="land", refused="forbidden"),
}
BY_KEY: dict[tuple[str, str], Route] = {(route.method, route.path): route for route in ROUTES}


def calls(about: str, within: str = "") -> Any:
    keys = [key for key, row in REST.items() if row.about == about and within in key[1]]
    return pytest.mark.parametrize("key", keys, ids=[" ".join(key) for key in keys])


def test_every_rest_call_has_a_row() -> None:
    """And no more; those that need no token are marked so here too."""
    assert REST.keys() == BY_KEY.keys()
    for key, row in REST.items():
        is_open = BY_KEY[key].token == "none" or key[1] in ("/ws/online-users",)
        assert (row.about == "nobody") == is_open, key


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, names) for part in value]
    return value.format(**names) if isinstance(value, str) else value


async def ask(person: Person, key: tuple[str, str], **names: str) -> tuple[tuple[int, Any], list[str]]:
    """The answer, and the work of the store."""
    method, path = key
    row = REST[key]
    with operations(person.server) as done:
        answer = await person.call(method, filled(path + row.query, names), filled(row.body, names))
    return answer, done


async def test_without_a_token_that_counts_nothing_is_answered(server: Server) -> None:
    """No token, one of a login that has ended, one of an account that is deleted: `unauthorized`, before all else."""
    gone, erased = [await server.person() for _ in range(2)]
    await gone.ok("POST", "/auth/logout")
    await erased.ok("DELETE", "/auth/me")
    for route in ROUTES:
        if route.token == "none":
            continue
        path = filled(route.path, dict.fromkeys(("session_id", "message_id", "user_id", "land_id"), ABSENT))
        for token in (None, gone.token, erased.token, "x.y.z"):
            if token is not None or route.token == "needed":
                await server.refused("unauthorized", route.method, path, token=token)


@calls("room")
async def test_a_room_is_absent_over_rest(key: tuple[str, str], server: Server) -> None:
    """To strangers and former members, as to its calls, their own message there included; not to those who may enter."""
    cast = await gather(server)
    row = REST[key]

    def names(room: str) -> dict[str, str]:
        message = cast.messages.get(room, ABSENT)
        return {
            "session_id": room,
            "land_id": room,
            "message_id": message,
            "user_id": cast.fay.id,
            "bob": cast.bob.id,
        }

    is_lands = "{land_id}" in key[1]
    rooms = [room for kind, room in cast.rooms.items() if kind == "land" or not is_lands]
    for outsider in cast.outsiders:
        absent = await ask(outsider, key, **names(ABSENT))
        what = "land" if is_lands else "room"
        assert absent[0] == (404, {"error": {"code": "not_found", "message": f"no such {what}"}})
        for room in rooms:
            assert await ask(outsider, key, **names(room)) == absent
    (status, answer), _ = await ask(cast.bob, key, **names(rooms[0]))
    assert status in (200, 201) if row.refused is None else answer["error"]["code"] == row.refused


@calls("room", within="{session_id}")
async def test_a_block_over_rest_is_the_same_from_both_sides(key: tuple[str, str], server: Server) -> None:
    """What was said stays readable, and one's own to delete; nothing new reaches the other."""
    cast = await gather(server)
    sides = {cast.ann: cast.messages[cast.across], cast.bea: ""}
    await cast.ann.ok("DELETE", f"/users/{cast.bea.id}/block")
    sides[cast.bea] = await say(cast.bea, cast.across)
    await cast.ann.ok("PUT", f"/users/{cast.bea.id}/block")
    for socket in cast.chats.values():
        await socket.ask("pong", type="ping")
        socket.events.clear()
    answers = []
    for person, message in sides.items():
        other = cast.bea if person is cast.ann else cast.ann
        (status, answer), _ = await ask(
            person, key, session_id=cast.across, message_id=message, user_id=other.id, bob=cast.bob.id
        )
        assert status == REST[key].across, answer
        answers.append(answer if status >= 400 else None)
        await cast.chats[other].quiet("message", "read", "session_created", "members_changed")
    assert answers[0] == answers[1]


@calls("land")
async def test_a_land_is_everybodys_to_see_and_its_owners_to_change(
    key: tuple[str, str], server: Server
) -> None:
    """Guest, former guest, stranger and blocked alike: one `forbidden`; one that is not there is `not_found`."""
    cast = await gather(server)
    land = cast.rooms["land"]
    answers = []
    for person in (cast.bob, cast.fay, cast.eve, cast.bea):
        (status, answer), done = await ask(person, key, land_id=land)
        answers.append((status, answer, done))
        assert status == (200 if REST[key].refused is None else 403)
        assert (await ask(person, key, land_id=ABSENT))[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    assert (await ask(cast.ann, key, land_id=land))[0][0] in (200, 204)


@calls("person")
async def test_a_person_is_answered_for_alike_across_a_block(key: tuple[str, str], server: Server) -> None:
    """To strangers and to either side of a block: the same; one who is not there, or erased, is `not_found`."""
    ann, bea, eve, erased = await server.people(4)
    await erased.ok("DELETE", "/auth/me")
    await ann.ok("PUT", f"/users/{bea.id}/block")
    for socket in (hers := await ann.chat(), beas := await bea.chat()):
        await socket.quiet()
    for person, other in ((eve, ann), (ann, bea), (bea, ann)):
        (status, answer), _ = await ask(person, key, user_id=other.id, username=other.name)
        assert status in (200, 201, 204), answer
        if key[0] == "GET":
            assert answer == {"id": other.id, "username": other.name, "display_name": other.name}
    for name in (erased, None):
        found, _ = await ask(
            eve, key, user_id=name.id if name else ABSENT, username=name.name if name else ABSENT
        )
        if key[0] != "DELETE":  # taking back a block that is none succeeds, whoever it would be of
            assert found == (404, {"error": {"code": "not_found", "message": "no such user"}})
    await beas.quiet()
    await hers.quiet("presence_update", "user_joined", "message")
