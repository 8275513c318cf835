"""Who may do what over the sockets: a row for every request of both, tried by those who may not.

Those are a stranger, a former member on a socket from better days, and somebody behind a block. Each row says what
its kind of door answers them; beside them somebody who may comes through. What is closed answers as what was never
there, in the same words and after the same work of the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pytest

from server.protocol import requests
from tests.harness import STATUS, Person, Server, Socket
from tests.server.cast import ABSENT, gather, operations


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request, what its answer is to those who may (None: there is none), and whose business it is.

    - `room`: of those who may enter. `across` is its answer in a private session with a block between.
    - `call`: of its two sides, while it is `state`; `who` of the two does it.
    - `person`: of everybody but across a block.
    - `earshot`: of those who stand near.
    - `oneself`: of whoever holds the socket.
    """

    about: Literal["room", "call", "person", "earshot", "oneself"]
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
    "watch_nearby": Row(about="oneself", fields={"radius": 10}, answer="nearby_snapshot"),
    "unwatch_nearby": Row(about="oneself", answer=None),
    "say": Row(about="earshot", fields={"content": "x"}, answer="speech_ack"),
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
    "voice_join": Row(about="oneself", answer="voice_peers"),
    "voice_mute": Row(about="oneself", fields={"muted": True}, answer="voice_muted"),
    "voice_leave": Row(about="oneself", answer="voice_peers"),
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


@pytest.mark.parametrize("type_", rows(CHAT, "earshot"))
async def test_what_is_said_aloud_reaches_those_near_alone(type_: str, server: Server) -> None:
    """Not who stands farther away or nowhere, nor either side of a block; who is nowhere reaches nobody."""
    ann, bob, bea, eve, away = people = await server.people(5)
    await ann.ok("PUT", f"/users/{bea.id}/block")
    sockets = {person: await person.chat() for person in people}
    request = {"type": type_, **CHAT[type_].fields}
    await sockets[away].refused("not_joined", **request)
    for person, x in ((ann, 0), (bob, 10), (bea, 5), (eve, 21)):
        await sockets[person].ask("location_updated", type="update_location", x=x, y=0)
    for speaker, reached in ((ann, {ann, bob}), (bea, {bea, bob}), (eve, {eve})):
        await told(sockets[speaker], request, CHAT[type_].answer)
        for person, socket in sockets.items():
            await socket.ask("pong", type="ping")
            heard = [event["sender_id"] for event in socket.taken("speech")]
            assert heard == ([speaker.id] if person in reached else [])


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
