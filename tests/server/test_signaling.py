"""What the two of a call pass on to each other, its bounds, and what the signaling socket refuses."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from tornado.websocket import WebSocketClosedError

from server.settings import Settings
from tests.harness import Server
from tests.server.calling import CANDIDATE, NewServer, counts, pair, ring, talk


async def test_descriptions_and_candidates_are_passed_on(server: Server) -> None:
    """To the one connection on the other side, unchanged but for `from_user_id`; either side may offer."""
    ann, bob, hers, his = await pair(server)
    hers2, his2 = await ann.signal(), await bob.signal()
    call_id = await talk(hers, his, bob)
    await his2.next("incoming_call")
    await his2.next("call_ended")
    sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=ü\u2028\U0001f600\r\n"
    for (here, there), sender in (((hers, his), ann), ((his, hers), bob)):
        for sent in (
            {"type": "offer", "call_id": call_id, "sdp": sdp},
            {"type": "answer", "call_id": call_id, "sdp": sdp},
            {"type": "ice_candidate", "call_id": call_id, "candidate": CANDIDATE},
            {
                "type": "ice_candidate",
                "call_id": call_id,
                "candidate": {**CANDIDATE, "usernameFragment": None},
            },
            {"type": "ice_candidate", "call_id": call_id, "candidate": {"candidate": "", "sdpMLineIndex": 1}},
            {"type": "ice_candidate", "call_id": call_id, "candidate": None},
        ):
            await here.send(**sent, ref="not passed on")
            assert await there.next(str(sent["type"])) == {**sent, "from_user_id": sender.id}
    for socket in (hers, his, hers2, his2):
        await socket.quiet()


async def test_the_sizes_of_what_is_passed_on(server: Server) -> None:
    """A candidate of 2 KiB and a description of 32 KiB pass, one more of either does not."""
    _, bob, hers, his = await pair(server)
    call_id = await talk(hers, his, bob)
    room = 2048 - len(json.dumps({"candidate": ""}, separators=(",", ":")))
    for kind, most, over in (
        (
            "ice_candidate",
            {"candidate": {"candidate": "c" * room}},
            {"candidate": {"candidate": "c" * (room + 1)}},
        ),
        ("offer", {"sdp": "s" * 32_768}, {"sdp": "s" * 32_769}),
        ("answer", {"sdp": "s" * 32_768}, {"sdp": "s" * 32_769}),
    ):
        await hers.send(type=kind, call_id=call_id, **most)
        passed = await his.next(kind)
        assert most.items() <= passed.items()
        error = await hers.ask("error", type=kind, call_id=call_id, **over)
        assert error["code"] in ("too_large", "invalid_message")
    await his.quiet()


def biggest(kind: str, call_id: str) -> dict[str, Any]:
    """A request to pass something on, as big as may be."""
    if kind == "ice_candidate":
        room = 2048 - len(json.dumps({"candidate": ""}, separators=(",", ":")))
        return {"type": kind, "call_id": call_id, "candidate": {"candidate": "c" * room}}
    return {"type": kind, "call_id": call_id, "sdp": "s" * 32_768}


@pytest.mark.parametrize(("kind", "cost"), [("ice_candidate", 1), ("offer", 10), ("answer", 10)])
async def test_a_flood_of_signals_ends_the_one_who_sends_it_and_does_not_drown_the_other(
    new_server: NewServer, kind: str, cost: int
) -> None:
    """What the cost lets through reaches the other side, and is less than waits there for a slow reader; the rest
    is refused, and then the sender's connection is closed. The other side is told, and may go on."""
    defaults = Settings()
    async with new_server(
        rate_limits=True, request_rate=0.001, request_burst=defaults.request_burst, flood_refusals=30
    ) as server:
        _, bob, hers, his = await pair(server)
        call_id = await talk(hers, his, bob)
        setup = 5  # call_initiate
        most = int((defaults.request_burst - setup) // cost)
        signal = json.dumps(biggest(kind, call_id))
        with suppress(WebSocketClosedError):
            for _ in range(most + 40):
                await hers.send_raw(signal)
        assert (await hers.ended())[0] == 4029
        refused = hers.taken("error")
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert len(refused) == 30 and all(error["retry_after"] > 0 for error in refused)
        await his.next("peer_reconnecting", call_id=call_id)
        passed = his.taken(kind)
        assert len(passed) == most
        assert sum(len(json.dumps(event)) for event in passed) < defaults.buffer_bytes
        await his.ask("call_ended", type="call_hangup", call_id=call_id)
        await his.quiet()


async def test_nobody_makes_a_phone_ring_on_and_on(new_server: NewServer) -> None:
    """From the eleventh call at once on a caller is told to wait, on every connection; the phone does not ring. Others
    may call meanwhile, the one who was called may call back, and after the wait the caller may again."""
    async with new_server(rate_limits=True) as server:
        server.clock.hold()
        ann, bob, hers, his = await pair(server)
        for _ in range(10):
            call_id = await ring(hers, his, bob)
            await hers.ask("call_ended", type="call_hangup", call_id=call_id)
            await his.next("call_ended")
        for socket in (hers, await ann.signal()):
            refusal = await socket.refused(
                "rate_limited", type="call_initiate", callee_id=bob.id, call_type="audio"
            )
            assert 4 < refusal["retry_after"] <= 5
        await his.quiet()
        call_id = await ring(his, hers, ann)
        # Calling the one who calls is answering.
        await hers.ask("call_started", type="call_initiate", callee_id=bob.id, call_type="audio")
        await his.next("call_started", call_id=call_id)
        await his.ask("call_ended", type="call_hangup", call_id=call_id)
        await hers.next("call_ended", call_id=call_id)
        server.clock.advance(6)
        await ring(hers, his, bob)


async def test_a_call_that_is_not_ones_own_is_not_found(server: Server) -> None:
    """As is one that never was: the same answer, whatever is asked, and the two hear nothing of it."""
    _ann, bob, hers, his = await pair(server)
    eves = await (await server.person()).signal()
    call_id = await talk(hers, his, bob)
    for request in (
        {"type": "call_accept"},
        {"type": "call_reject"},
        {"type": "call_hangup"},
        {"type": "call_rejoin"},
        {"type": "offer", "sdp": "v=0"},
        {"type": "answer", "sdp": "v=0"},
        {"type": "ice_candidate", "candidate": CANDIDATE},
        {"type": "ice_candidate", "candidate": None},
    ):
        foreign = await eves.refused("not_found", **request, call_id=call_id)
        absent = await eves.refused("not_found", **request, call_id=str(uuid4()))
        assert foreign["message"] == absent["message"]
    for socket in (hers, his):
        await socket.quiet()
    assert await counts(server) == (0, 1)


async def test_another_device_does_not_signal_for_the_one_that_speaks(server: Server) -> None:
    """The other side would mix two peers up; hanging up works from anywhere."""
    ann, bob, hers, his = await pair(server)
    second = await ann.signal()
    call_id = await talk(hers, his, bob)
    await second.refused("invalid_message", type="offer", call_id=call_id, sdp="v=0")
    await second.refused("invalid_message", type="ice_candidate", call_id=call_id, candidate=None)
    await his.quiet()
    await second.ask("call_ended", type="call_hangup", call_id=call_id)
    for socket in (hers, his):
        await socket.next("call_ended", call_id=call_id, reason="hangup")


async def test_signaling_while_it_rings(server: Server) -> None:
    """Is refused: there is no one connection on the other side yet."""
    _, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob)
    for socket in (hers, his):
        await socket.refused("invalid_message", type="offer", call_id=call_id, sdp="v=0")
    await hers.refused("invalid_message", type="call_accept", call_id=call_id)
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await his.refused("invalid_message", type="call_accept", call_id=call_id)


BAD: list[dict[str, Any]] = [
    {"type": "call_initiate", "callee_id": "x", "call_type": "hologram"},
    {"type": "call_initiate", "callee_id": "x"},
    {"type": "call_initiate", "callee_id": {"$ne": None}, "call_type": "audio"},
    {"type": "call_initiate", "callee_id": "x", "call_type": "audio", "more": 1},
    {"type": "call_accept"},
    {"type": "call_accept", "call_id": 7},
    {"type": "offer", "call_id": "x"},
    {"type": "offer", "call_id": "x", "sdp": ""},
    {"type": "offer", "call_id": "x", "sdp": "v=0", "from_user_id": "somebody"},
    {"type": "ice_candidate", "call_id": "x"},
    {"type": "ice_candidate", "call_id": "x", "candidate": "a string"},
    *(
        {"type": "ice_candidate", "call_id": "x", "candidate": {**CANDIDATE, **wrong}}
        for wrong in (
            {"candidate": None},
            {"candidate": 1},
            {"sdpMid": 0},
            {"sdpMLineIndex": "0"},
            {"sdpMLineIndex": -1},
            {"sdpMLineIndex": 0.5},
            {"usernameFragment": {}},
            {"other": 1},
        )
    ),
    {"type": "ice_candidate", "call_id": "x", "candidate": {"sdpMid": "0"}},
    {"type": "call_whatever", "call_id": "x"},
    {"type": "join_room", "room_id": "x"},
]


async def test_bad_input(server: Server) -> None:
    """Is answered with `invalid_message` and its `ref`; the socket goes on."""
    socket = await (await server.person()).signal()
    for request in BAD:
        await socket.refused("invalid_message", **request)
    for frame in (
        "",
        "{",
        "[]",
        "null",
        '{"type": 7}',
        b'{"type": "ping"}',
        '{"type": "ping", "ref": "\\ud800"}',
    ):
        await socket.send_raw(frame)
        assert (await socket.next("error"))["code"] == "invalid_message"
    await socket.quiet()


async def test_the_signaling_socket_takes_pings_and_tokens(server: Server) -> None:
    """It lives as long as the chat socket, by the same means."""
    ann = await server.person()
    socket = await ann.signal()
    await socket.ask("pong", type="ping")
    fresh = await server.call("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]})
    await socket.ask("token_renewed", type="renew_token", access_token=fresh[1]["access_token"])
