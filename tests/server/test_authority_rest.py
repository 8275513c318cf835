"""Who may do what over REST: a row for every call, tried by those who may not.

Those are a stranger, a former member, somebody behind a block, and whoever has no token that counts. What is closed
answers as what was never there, in the same words and after the same work of the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from handlers.rest import Route
from handlers.routes import ROUTES
from tests.harness import Person, Server
from tests.server.cast import ABSENT, gather, operations, say


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
    ("GET", "/chat/speech"): Rest(about="oneself"),
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
