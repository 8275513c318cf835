"""Bad input on the chat socket: each gets its documented error, and connection and data stay whole."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from tests.harness import Server, Socket

ROOM = "01a00000000000000000000000000000"  # looks like an id, and is nobody's
LIMIT = 65_536


async def refused(socket: Socket, frame: str | bytes, ref: str | None) -> dict[str, Any]:
    """The one `invalid_message` that a frame is answered with; the connection lives on."""
    await socket.send_raw(frame)
    error = await socket.next("error")
    assert (error["code"], error.get("ref")) == ("invalid_message", ref), error
    assert error.keys() <= {"type", "code", "message", "ref"}
    assert error["message"]
    await socket.quiet()
    return error


# What is no JSON object cannot have its ref read


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "{",
        "nonsense",
        '{"type": "ping", "ref": "r"',
        '{"type": "ping", "ref": "r"} trailing',
        "{'type': 'ping'}",
        '{"type": "ping",}',
        "\ufeff{}",
        "null",
        "true",
        "1",
        '"ping"',
        "[]",
        '[{"type": "ping", "ref": "r"}]',
        '{"type": "update_location", "x": NaN, "y": 0, "ref": "r"}',
        '{"type": "update_location", "x": Infinity, "y": 0, "ref": "r"}',
        '{"type": "update_location", "x": 01, "y": 0, "ref": "r"}',
        '{"type": "ping", "ref": "\\ud800"}',
        '{"type": "send_message", "room_id": "x", "content": "\\udc00\\ud800", "ref": "r"}',
        '{"type": "ping", "ref": "a\nb"}',
        "[" * 60_000,
        '{"a":' * 10_000,
        "{" + '"a":[' * 9_000 + "]" * 9_000 + "}",
        b"",
        b'{"type": "ping", "ref": "r"}',
        bytes(range(256)),
    ],
    ids=lambda frame: repr(frame[:40]),
)
async def test_what_is_no_json_object_is_an_error_without_a_ref(frame: str | bytes, server: Server) -> None:
    """Malformed, another kind of value, nested beyond measure, or binary."""
    (ann,) = await server.people(1)
    await refused(await ann.chat(), frame, None)


OPERATOR = {"$gt": ""}
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]

BAD_REQUESTS: list[dict[str, Any]] = [
    {},
    {"type": None},
    {"type": 1},
    {"type": OPERATOR},
    {"type": "nope"},
    {"type": "PING"},
    {"type": "call_initiate", "callee_id": "x", "call_type": "audio"},  # of the other socket
    {"type": "message", "room_id": ROOM, "content": "x"},  # an event
    {"type": "ping", "unknown": 1},
    {"type": "ping", "__proto__": {}},
    {"type": "ping", "deep": DEEP},
    {"type": "join_room"},
    {"type": "join_room", "room_id": None},
    {"type": "join_room", "room_id": ""},
    {"type": "join_room", "room_id": "x" * 65},
    {"type": "join_room", "room_id": OPERATOR},
    {"type": "join_room", "room_id": [ROOM]},
    {"type": "join_room", "room_id": DEEP},
    {"type": "join_room", "room_id": ROOM, "user_id": "somebody else"},
    {"type": "leave_room", "room_id": 1},
    {"type": "send_message", "room_id": ROOM},
    {"type": "send_message", "content": "x"},
    {"type": "send_message", "room_id": ROOM, "content": ""},
    {"type": "send_message", "room_id": ROOM, "content": 1},
    {"type": "send_message", "room_id": ROOM, "content": OPERATOR},
    {"type": "send_message", "room_id": ROOM, "content": "x" * 4001},
    {"type": "send_message", "room_id": ROOM, "content": "x", "client_id": ""},
    {"type": "send_message", "room_id": ROOM, "content": "x", "client_id": "x" * 65},
    {"type": "send_message", "room_id": ROOM, "content": "x", "client_id": 1},
    {"type": "send_message", "room_id": ROOM, "content": "x", "client_id": OPERATOR},
    {"type": "send_message", "room_id": ROOM, "content": "x", "sender_id": "somebody else"},
    {"type": "send_message", "room_id": ROOM, "content": "x", "seq": 1},
    {"type": "typing", "room_id": ROOM},
    {"type": "typing", "room_id": ROOM, "is_typing": 1},
    {"type": "typing", "room_id": ROOM, "is_typing": "true"},
    {"type": "typing", "room_id": ROOM, "is_typing": None},
    {"type": "mark_read", "room_id": ROOM},
    {"type": "mark_read", "room_id": ROOM, "seq": -1},
    {"type": "mark_read", "room_id": ROOM, "seq": 1.5},
    {"type": "mark_read", "room_id": ROOM, "seq": "1"},
    {"type": "mark_read", "room_id": ROOM, "seq": True},
    {"type": "mark_read", "room_id": ROOM, "seq": 10**400},
    {"type": "mark_read", "room_id": ROOM, "seq": OPERATOR},
    {"type": "update_location", "x": 1},
    {"type": "update_location", "x": 10**400, "y": 0},
    {"type": "renew_token"},
    {"type": "renew_token", "access_token": ""},
    {"type": "renew_token", "access_token": 1},
]


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=lambda request: json.dumps(request)[:70])
async def test_a_bad_request_is_an_error_with_its_ref(request_: dict[str, Any], server: Server) -> None:
    """Unknown types and fields, missing and wrong ones, sizes, Mongo's operators."""
    (ann,) = await server.people(1)
    await refused(await ann.chat(), json.dumps({**request_, "ref": "r"}), "r")


async def test_a_number_out_of_range_keeps_its_ref(server: Server) -> None:
    """1e999 is JSON: only too large."""
    (ann,) = await server.people(1)
    hers = await ann.chat()
    await refused(hers, '{"type": "update_location", "x": 1e999, "y": 0, "ref": "r"}', "r")
    await refused(hers, '{"ref": "r", "type": "update_location", "x": 0, "y": -1e999}', "r")


@pytest.mark.parametrize("ref", ["", "r", "x" * 64, "😀" * 64, '"\\\u0000\u2028'])
async def test_a_ref_of_up_to_64_characters_comes_back(ref: str, server: Server) -> None:
    """With an answer and with an error, as it was."""
    (ann,) = await server.people(1)
    hers = await ann.chat()
    await hers.send(type="ping", ref=ref)
    assert (await hers.next("pong"))["ref"] == ref
    await hers.send(type="join_room", room_id=ROOM, ref=ref)
    assert (await hers.next("error", code="not_found"))["ref"] == ref


@pytest.mark.parametrize("ref", ["x" * 65, "😀" * 65, 1, True, ["r"], {"$ne": 1}])
async def test_a_bad_ref_is_an_error_and_does_not_come_back(ref: Any, server: Server) -> None:
    """Longer, or no string."""
    (ann,) = await server.people(1)
    await refused(await ann.chat(), json.dumps({"type": "ping", "ref": ref}), None)


@pytest.mark.parametrize("character", ["x", "😀", "\u0000", "\u0301"])
async def test_content_is_measured_in_code_points(character: str, server: Server) -> None:
    """1 to 4,000 of them, whatever their bytes; it arrives as it was sent."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers, his = await ann.chat(), await bob.chat()
    for count in (1, 4000):
        await hers.ask("message_ack", type="send_message", room_id=room, content=character * count)
        assert (await his.next("message"))["content"] == character * count
    await hers.refused("invalid_message", type="send_message", room_id=room, content=character * 4001)
    await his.quiet()
    listed = await bob.ok("GET", f"/chat/sessions/{room}/messages")
    assert [message["content"] for message in listed["messages"]] == [character * 4000, character]


async def test_sixty_four_kib_are_taken(server: Server) -> None:
    """To the byte."""
    (ann,) = await server.people(1)
    hers = await ann.chat()
    frame = '{"type": "ping", "ref": "r"}'
    await hers.send_raw(frame + " " * (LIMIT - len(frame)))
    assert (await hers.next("pong"))["ref"] == "r"


async def test_a_byte_more_closes_with_1009(server: Server) -> None:
    """Nothing of it is served, and others go on."""
    ann, bob = await server.people(2)
    hers, her_other, his = await ann.chat(), await ann.chat(), await bob.chat()
    frame = '{"type": "ping", "ref": "r"}'
    await hers.send_raw(frame + " " * (LIMIT + 1 - len(frame)))
    code, _ = await hers.ended()
    assert code == 1009
    assert hers.events == []
    for socket in (her_other, his):
        await socket.quiet()


async def test_ids_of_other_peoples_things_are_not_found(server: Server) -> None:
    """A user's id, a message's, a connection's and a Mongo operator are no rooms."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    hers = await ann.chat(room)
    ack = await hers.ask("message_ack", type="send_message", room_id=room, content="x")
    for id in (bob.id, ack["message_id"], "$where", "a\u0000b", "../x", "{'$gt': ''}"):
        await hers.refused("not_found", type="join_room", room_id=id)
        await hers.refused("not_found", type="send_message", room_id=id, content="x")
        await hers.refused("not_found", type="typing", room_id=id, is_typing=True)
        await hers.refused("not_found", type="mark_read", room_id=id, seq=0)


# Anything

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
# Each request with every field right, or anything in its place, or without it. Not `typing` in a joined
# room: served well, it has no answer.
room_ids = st.sampled_from(["the joined land", ROOM]) | values
coordinates = st.floats(-50, 50) | values
REQUESTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "join_room": {"room_id": room_ids},
    "leave_room": {"room_id": st.just(ROOM) | values},
    "send_message": {
        "room_id": room_ids,
        "content": st.text(min_size=1, max_size=20) | values,
        "client_id": st.sampled_from(["a", "b", "c"]) | values,
    },
    "say": {
        "content": st.text(min_size=1, max_size=20) | values,
        "client_id": st.sampled_from(["a", "b", "c"]) | values,
    },
    "typing": {"room_id": st.just(ROOM) | values, "is_typing": st.booleans() | values},
    "mark_read": {"room_id": room_ids, "seq": st.integers(-1, 20) | values},
    "update_location": {
        "x": coordinates,
        "y": coordinates,
        "world_id": st.sampled_from(["main", "moon"]) | values,
        "radius": st.floats(0, 52) | values,
    },
    "ping": {},
    "renew_token": {"access_token": values},
}
ANSWERS = {
    "joined_room",
    "left_room",
    "message_ack",
    "speech_ack",
    "read",
    "location_updated",
    "pong",
    "error",
}
CODES = {"invalid_message", "not_found", "not_joined", "unauthorized"}


def requests_of(type: str) -> st.SearchStrategy[dict[str, Any]]:
    extra = st.dictionaries(st.text(max_size=3), values, max_size=1)
    fields = st.fixed_dictionaries({"type": st.just(type)}, optional=REQUESTS[type])
    return st.builds(lambda fields, extra: {**extra, **fields}, fields, st.just({}) | extra)


def send_any(server: Server, io_loop: IOLoop, frames: st.SearchStrategy[str], answers: set[str]) -> None:
    """Sends every example on one connection: each is answered, and the connection lives on."""

    async def opened() -> tuple[Socket, str]:
        (ann,) = await server.people(1)
        land = await ann.land()
        return await ann.chat(land), land

    async def exchange(frame: str) -> None:
        await socket.send_raw(frame.replace("the joined land", land))
        answer = await socket.next_of(answers)
        assert answer.get("code") in {None, *CODES}
        await socket.ask("pong", type="ping")
        assert {event["type"] for event in socket.events} <= {"message", "speech", "nearby_users"}
        socket.events.clear()

    socket, land = io_loop.run_sync(opened)

    @examples(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(frames)
    def check(frame: str) -> None:
        io_loop.run_sync(partial(exchange, frame))

    check()


def test_any_text_is_answered_with_an_error(server: Server, io_loop: IOLoop) -> None:
    """One each, and the connection lives on."""
    send_any(server, io_loop, st.text(max_size=200).filter(lambda text: "type" not in text), {"error"})


def test_any_json_is_answered_with_an_error(server: Server, io_loop: IOLoop) -> None:
    """Python's `json` writes NaN and lone surrogates too."""
    send_any(server, io_loop, values.map(json.dumps), {"error"})


def test_any_request_is_answered(server: Server, io_loop: IOLoop) -> None:
    """Right or wrong, with its answer or an error, and the connection lives on."""
    requests = st.sampled_from(sorted(REQUESTS)).flatmap(requests_of)
    send_any(server, io_loop, requests.map(json.dumps), ANSWERS)


@pytest.mark.parametrize("path", ["/ws/connect", "/webrtc/signal"])
async def test_what_is_no_upgrade_is_answered_in_words(path: str, server: Server) -> None:
    """A plain request, one that is not quite an upgrade, and one to another version (RFC 6455 §4.4)."""
    upgrade = {
        "Connection": "keep-alive, Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for missing in ("Connection", "Upgrade", "Sec-WebSocket-Key", None):
        headers = {name: value for name, value in upgrade.items() if missing not in (name, None)}
        response = await server.fetch("GET", path, headers=headers)
        assert response.code == 400
        assert json.loads(response.body)["error"] == {
            "code": "invalid_message",
            "message": "expected a WebSocket upgrade",
        }
    for version in ("8", "14", ""):
        response = await server.fetch("GET", path, headers={**upgrade, "Sec-WebSocket-Version": version})
        assert response.code == 426
        assert response.headers["Sec-WebSocket-Version"] == "13"
        assert json.loads(response.body)["error"]["code"] == "invalid_message"
