"""Calls over real sockets: the contract's table of the signaling socket, row by row."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from tornado.websocket import WebSocketClosedError

from handlers.socket import SocketConnection
from server.clock import Clock
from server.settings import Settings
from tests.harness import Person, Server, Socket

NewServer = Callable[..., Server]

CANDIDATE = {
    "candidate": "candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
    "usernameFragment": "abcd",
}


async def ring(hers: Socket, his: Socket, callee: Person, call_type: str = "audio") -> str:
    """A call that rings at `his`; its id."""
    answer = await hers.ask("call_initiated", type="call_initiate", callee_id=callee.id, call_type=call_type)
    await his.next("incoming_call", call_id=answer["call_id"])
    return str(answer["call_id"])


async def talk(hers: Socket, his: Socket, callee: Person, call_type: str = "audio") -> str:
    """A call that is answered; its id."""
    call_id = await ring(hers, his, callee, call_type)
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await hers.next("call_accepted")
    await hers.next("call_started")
    return call_id


async def pair(server: Server) -> tuple[Person, Person, Socket, Socket]:
    ann, bob = await server.person(), await server.person()
    return ann, bob, await ann.signal(), await bob.signal()


def ended(call_id: str, reason: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"type": "call_ended", "call_id": call_id, "reason": reason, "duration_seconds": seconds}


async def counts(server: Server) -> tuple[int, int]:
    status, answer = await server.call("GET", "/webrtc/active-calls")
    assert status == 200 and set(answer) == {"ringing", "active"}
    return answer["ringing"], answer["active"]


# The table


async def test_opening_tells_who_one_is(server: Server) -> None:
    """The signaling socket opens with `connected` as the chat socket does."""
    ann = await server.person()
    socket = await server.connect("/webrtc/signal", token=ann.token)
    opened = await socket.next("connected")
    assert set(opened) == {
        *("type", "protocol", "user_id", "username", "connection_id", "server_time", "heartbeat_seconds")
    }
    assert (opened["protocol"], opened["user_id"], opened["username"]) == (1, ann.id, ann.name)


@pytest.mark.parametrize("call_type", ["audio", "video"])
async def test_a_call_rings_on_every_connection(server: Server, call_type: str) -> None:
    """The caller gets the id, the callee's every signaling connection the call, their chat nothing."""
    ann, bob, hers, his = await pair(server)
    second, chat = await bob.signal(), await bob.chat()
    initiated = await hers.ask("call_initiated", type="call_initiate", callee_id=bob.id, call_type=call_type)
    assert set(initiated) == {"type", "call_id", "ref"}
    call = {
        "type": "incoming_call",
        "call_id": initiated["call_id"],
        "caller_id": ann.id,
        "caller_username": ann.name,
        "call_type": call_type,
    }
    assert await his.next("incoming_call") == call
    assert await second.next("incoming_call") == call
    await hers.quiet()
    await chat.quiet("incoming_call")


async def test_a_connection_opened_while_it_rings(server: Server) -> None:
    """It gets the same `incoming_call`, and can accept it; one opened later does not."""
    ann, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob, "video")
    late = await bob.signal()
    assert await late.next("incoming_call") == {
        "type": "incoming_call",
        "call_id": call_id,
        "caller_id": ann.id,
        "caller_username": ann.name,
        "call_type": "video",
    }
    await (await ann.signal()).quiet("incoming_call")
    await late.ask("call_started", type="call_accept", call_id=call_id)
    assert await his.next("call_ended") == ended(call_id, "answered_elsewhere")
    await (await bob.signal()).quiet("incoming_call")


async def test_accepting(server: Server) -> None:
    """`call_accepted` for the caller, `call_started` for both, an end for the callee's other connections."""
    ann, bob, hers, his = await pair(server)
    other, annes_other = await bob.signal(), await ann.signal()
    call_id = await ring(hers, his, bob, "video")
    await other.next("incoming_call")
    started = await his.ask(
        "call_started",
        type="call_accept",
        call_id=call_id,
    )
    del started["ref"]
    assert started == {"type": "call_started", "call_id": call_id, "peer_id": ann.id, "call_type": "video"}
    assert await hers.next("call_accepted") == {"type": "call_accepted", "call_id": call_id}
    assert await hers.next("call_started") == {**started, "peer_id": bob.id}
    assert await other.next("call_ended") == ended(call_id, "answered_elsewhere")
    for socket in (hers, his, other, annes_other):
        await socket.quiet()


async def test_accepting_comes_before_starting(server: Server) -> None:
    """The caller hears `call_accepted` first, then `call_started`."""
    _, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob)
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await hers.quiet("call_ended")
    assert [event["type"] for event in hers.events] == ["call_accepted", "call_started"]


async def test_rejecting(server: Server) -> None:
    """`call_rejected` for the caller, `call_ended` for the callee's others; both are free."""
    _, bob, hers, his = await pair(server)
    other = await bob.signal()
    call_id = await ring(hers, his, bob)
    await his.ask("call_rejected", type="call_reject", call_id=call_id)
    assert await hers.next("call_rejected") == {"type": "call_rejected", "call_id": call_id}
    assert await other.next("call_ended") == ended(call_id, "rejected")
    assert await counts(server) == (0, 0)
    await talk(hers, his, bob)


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_hanging_up(server: Server, who: str) -> None:
    """Both sides hear the same, with the seconds they talked; nobody else does."""
    ann, bob, hers, his = await pair(server)
    other = await ann.signal()
    call_id = await talk(hers, his, bob)
    first, second = (hers, his) if who == "caller" else (his, hers)
    server.clock.advance(3)
    end = await first.ask("call_ended", type="call_hangup", call_id=call_id)
    del end["ref"]
    assert end == ended(call_id, "hangup", end["duration_seconds"])
    assert 3 <= end["duration_seconds"] < 30
    assert await second.next("call_ended") == end
    await other.quiet()
    await hers.refused("not_found", type="call_hangup", call_id=call_id)


async def test_cancelling(server: Server) -> None:
    """The caller hangs up before the answer: every phone stops ringing."""
    _, bob, hers, his = await pair(server)
    other = await bob.signal()
    call_id = await ring(hers, his, bob)
    end = await hers.ask("call_ended", type="call_hangup", call_id=call_id)
    assert end["reason"] == "cancelled"
    for socket in (his, other):
        assert await socket.next("call_ended") == ended(call_id, "cancelled")


async def test_hanging_up_what_rings_is_answered(server: Server) -> None:
    """With the `ref`, on the device that did it; the other one stops ringing."""
    _, bob, hers, his = await pair(server)
    other = await bob.signal()
    call_id = await ring(hers, his, bob)
    end = await his.ask("call_ended", type="call_hangup", call_id=call_id)
    del end["ref"]
    assert end == ended(call_id, "rejected")
    assert await hers.next("call_ended") == end
    assert await other.next("call_ended") == end
    await his.quiet("call_ended")


async def test_nobody_answers(new_server: NewServer) -> None:
    """When the phone has rung for its time, the call ends for both and both are free."""
    async with new_server(ring_seconds=0.2) as server:
        _, bob, hers, his = await pair(server)
        call_id = await ring(hers, his, bob)
        assert await hers.next("call_ended") == ended(call_id, "no_answer")
        assert await his.next("call_ended") == ended(call_id, "no_answer")
        await his.refused("not_found", type="call_accept", call_id=call_id)
        await ring(hers, his, bob)


async def test_an_answered_call_does_not_ring_out(new_server: NewServer) -> None:
    """The time to ring ends with the answer."""
    async with new_server(ring_seconds=1.0) as server:
        _, bob, hers, his = await pair(server)
        _, dan, hers2, his2 = await pair(server)
        call_id = await talk(hers, his, bob)
        other_call = await ring(hers2, his2, dan)
        # A call that began later has rung out, so the first one's time is over as well.
        await hers2.next("call_ended", call_id=other_call, reason="no_answer")
        await hers.quiet()
        await hers.ask("call_ended", type="call_hangup", call_id=call_id)


# Busy and offline


@pytest.mark.parametrize("answered", [False, True])
async def test_busy(server: Server, answered: bool) -> None:
    """Whoever rings or talks is busy: as caller, as callee, on any device, for anybody."""
    ann, bob, hers, his = await pair(server)
    eve = await server.person()
    eves, second = await eve.signal(), await ann.signal()
    await (talk if answered else ring)(hers, his, bob)
    for socket, callee in ((eves, ann), (eves, bob), (hers, eve), (his, eve), (second, eve), (second, bob)):
        await socket.refused("busy", type="call_initiate", callee_id=callee.id, call_type="audio")
    assert await counts(server) == ((0, 1) if answered else (1, 0))
    await eves.quiet("incoming_call")


async def test_calling_somebody_twice_is_busy(server: Server) -> None:
    """The first call goes on."""
    _, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob)
    await hers.refused("busy", type="call_initiate", callee_id=bob.id, call_type="audio")
    await his.ask("call_started", type="call_accept", call_id=call_id)


async def test_absent_hidden_blocked_and_unknown_are_one(server: Server) -> None:
    """Who is not there, does not want to be seen, or is behind a block of either side: the same bytes."""
    ann = await server.person()
    hers = await ann.signal()
    absent, only_chatting, hidden, blocked, blocker = [await server.person() for _ in range(5)]
    await only_chatting.chat()
    theirs = [await person.signal() for person in (hidden, blocked, blocker)]
    await hidden.ok("PATCH", "/auth/me", {"invisible": True})
    await ann.ok("PUT", f"/users/{blocked.id}/block")
    await blocker.ok("PUT", f"/users/{ann.id}/block")
    people = (absent, only_chatting, hidden, blocked, blocker)
    answers = []
    for callee in [*(person.id for person in people), str(uuid4())]:
        answers.append(await hers.ask("error", type="call_initiate", callee_id=callee, call_type="audio"))
        del answers[-1]["ref"]
    assert answers[0]["code"] == "offline"
    assert {json.dumps(answer) for answer in answers} == {json.dumps(answers[0])}
    for socket in theirs:
        await socket.quiet()
    assert await counts(server) == (0, 0)


async def test_a_hidden_or_blocked_person_who_is_busy_is_offline(server: Server) -> None:
    """`busy` would tell that they are there."""
    ann, bob, hers, his = await pair(server)
    eve = await server.person()
    eves = await eve.signal()
    await talk(hers, his, bob)
    await ann.ok("PATCH", "/auth/me", {"invisible": True})
    await bob.ok("PUT", f"/users/{eve.id}/block")
    for callee in (ann, bob):
        await eves.refused("offline", type="call_initiate", callee_id=callee.id, call_type="audio")


async def test_the_hidden_may_call(server: Server) -> None:
    """Calling shows; the call then is like any other."""
    ann, bob, hers, his = await pair(server)
    await ann.ok("PATCH", "/auth/me", {"invisible": True})
    await talk(hers, his, bob)


async def test_calling_back_a_hidden_person_who_rings_answers(server: Server) -> None:
    """Who rings is there, for the one who is called."""
    ann, bob, hers, his = await pair(server)
    await ann.ok("PATCH", "/auth/me", {"invisible": True})
    call_id = await ring(hers, his, bob)
    started = await his.ask("call_started", type="call_initiate", callee_id=ann.id, call_type="audio")
    assert started["call_id"] == call_id
    await hers.next("call_started", call_id=call_id)


async def test_after_a_block_is_lifted_one_rings_again(server: Server) -> None:
    """A block holds as long as it stands."""
    ann, bob, hers, his = await pair(server)
    await bob.ok("PUT", f"/users/{ann.id}/block")
    await hers.refused("offline", type="call_initiate", callee_id=bob.id, call_type="audio")
    await bob.ok("DELETE", f"/users/{ann.id}/block")
    await ring(hers, his, bob)


async def test_calling_oneself(server: Server) -> None:
    """Is a mistake, also from another device."""
    ann = await server.person()
    hers, second = await ann.signal(), await ann.signal()
    await hers.refused("invalid_message", type="call_initiate", callee_id=ann.id, call_type="audio")
    await second.quiet()


async def test_two_who_call_each_other(server: Server) -> None:
    """The second initiate accepts the first: one call, active, offered by the first caller."""
    ann, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob)
    started = await his.ask("call_started", type="call_initiate", callee_id=ann.id, call_type="audio")
    assert (started["call_id"], started["peer_id"]) == (call_id, ann.id)
    await hers.next("call_accepted", call_id=call_id)
    await hers.next("call_started", call_id=call_id, peer_id=bob.id)
    await hers.quiet("incoming_call")
    assert await counts(server) == (0, 1)


# Losing and finding again


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_lost_connection_comes_back(server: Server, who: str) -> None:
    """The other side is told of both; then signals reach the new connection, with the same call."""
    ann, bob, hers, his = await pair(server)
    call_id = await talk(hers, his, bob)
    lost, stays, person, other = (hers, his, ann, bob) if who == "caller" else (his, hers, bob, ann)
    await lost.close()
    assert await stays.next("peer_reconnecting") == {"type": "peer_reconnecting", "call_id": call_id}
    error = await stays.refused("unavailable", type="offer", call_id=call_id, sdp="v=0")
    assert error["retry_after"] > 0
    again = await person.signal()
    await again.quiet()
    rejoined = await again.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    assert rejoined["call_id"] == call_id
    assert await stays.next("peer_reconnected") == {"type": "peer_reconnected", "call_id": call_id}
    await stays.send(type="offer", call_id=call_id, sdp="v=0")
    await again.next("offer", from_user_id=other.id)
    await again.send(type="answer", call_id=call_id, sdp="v=0")
    await stays.next("answer", from_user_id=person.id)
    end = await again.ask("call_ended", type="call_hangup", call_id=call_id)
    assert end["reason"] == "hangup"


async def test_both_lose_their_connection(server: Server) -> None:
    """The first to be back waits for the second, whose other devices hear nothing of it."""
    ann, bob, hers, his = await pair(server)
    call_id = await talk(hers, his, bob)
    await hers.close()
    await his.next("peer_reconnecting")
    await his.close()
    hers, his, other = await ann.signal(), await bob.signal(), await bob.signal()
    await hers.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    assert await hers.next("peer_reconnecting") == {"type": "peer_reconnecting", "call_id": call_id}
    for socket in (his, other):
        await socket.quiet()
    await his.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    await hers.next("peer_reconnected", call_id=call_id)
    await his.quiet()


async def test_a_lost_connection_stays_away(new_server: NewServer) -> None:
    """After its time the call has ended for the other side, and both may call again."""
    async with new_server(rejoin_seconds=0.2) as server:
        _, bob, hers, his = await pair(server)
        call_id = await talk(hers, his, bob)
        await his.close()
        await hers.next("peer_reconnecting")
        end = await hers.next("call_ended", call_id=call_id, reason="disconnected")
        assert end["duration_seconds"] >= 0.2
        again = await bob.signal()
        await again.refused("not_found", type="call_rejoin", call_id=call_id)
        await talk(hers, again, bob)


async def test_a_caller_who_is_lost_while_it_rings(new_server: NewServer) -> None:
    """The phone stops ringing after the same time; a caller who is back in time can be answered."""
    async with new_server(rejoin_seconds=2.0) as server:
        ann, bob, hers, his = await pair(server)
        call_id = await ring(hers, his, bob)
        await hers.close()
        again = await ann.signal()
        await again.ask("call_rejoined", type="call_rejoin", call_id=call_id)
        await his.ask("call_started", type="call_accept", call_id=call_id)
        await again.next("call_started", call_id=call_id)
        await his.ask("call_ended", type="call_hangup", call_id=call_id)
        call_id = await ring(again, his, bob)
        await again.close()
        assert await his.next("call_ended", call_id=call_id) == ended(call_id, "disconnected")


async def test_both_are_lost_at_once_and_back_at_once(server: Server) -> None:
    """Whichever the server hears first, in the end each knows that the other is there."""
    ann, bob, hers, his = await pair(server)
    call_id = await talk(hers, his, bob)
    await asyncio.gather(hers.close(), his.close())
    hers, his = await asyncio.gather(ann.signal(), bob.signal())
    await asyncio.gather(
        *(each.ask("call_rejoined", type="call_rejoin", call_id=call_id) for each in (hers, his))
    )
    await hers.send(type="offer", call_id=call_id, sdp="v=0")
    await his.next("offer")
    await his.send(type="answer", call_id=call_id, sdp="v=0")
    await hers.next("answer")
    last = {"hers": [event["type"] for event in hers.events], "his": [event["type"] for event in his.events]}
    assert sorted(last.values()) in (
        [[], ["peer_reconnected"]],
        [[], ["peer_reconnecting", "peer_reconnected"]],
    )
    assert await counts(server) == (0, 1)


async def test_answered_while_the_caller_is_lost(server: Server) -> None:
    """The callee is told to wait, and the caller, back again, that there was an answer."""
    ann, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob, "video")
    await hers.close()
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await his.next("peer_reconnecting", call_id=call_id)
    hers = await ann.signal()
    await hers.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    await hers.next("call_accepted", call_id=call_id)
    started = await hers.next("call_started", call_id=call_id)
    assert (started["peer_id"], started["call_type"], "ref" in started) == (bob.id, "video", False)
    await his.next("peer_reconnected", call_id=call_id)
    await hers.send(type="offer", call_id=call_id, sdp="v=0")
    await his.next("offer")


async def test_a_half_open_connection_is_replaced(server: Server) -> None:
    """The one that went silent is not noticed before its user is back on another, and its end, when it is
    noticed, ends nothing; whoever of the two it was, ringing or talking."""
    ann, bob, hers, his = await pair(server)
    call_id = await ring(hers, his, bob)
    for talking in (False, True):
        for person in (ann, bob) if talking else (ann,):
            (silent,) = server.app.node.signal.of_user(person.id)
            again = await person.signal()
            await again.ask("call_rejoined", type="call_rejoin", call_id=call_id)
            assert isinstance(silent, SocketConnection)
            silent.abort()  # as the heartbeat does
            hers, his = (again, his) if person is ann else (hers, again)
        if not talking:
            await his.ask("call_started", type="call_accept", call_id=call_id)
            await hers.next("call_started")
    await hers.send(type="offer", call_id=call_id, sdp="v=0")
    await his.next("offer")
    await his.quiet("peer_reconnecting", "call_ended")
    await hers.quiet("peer_reconnecting", "call_ended")
    assert await counts(server) == (0, 1)


async def test_rejoining_takes_over(server: Server) -> None:
    """A client that reconnects before its loss is noticed gets the call, and the old connection loses it."""
    _ann, bob, hers, his = await pair(server)
    call_id = await talk(hers, his, bob)
    again = await bob.signal()
    await again.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    assert await his.next("call_ended") == ended(call_id, "answered_elsewhere")
    await hers.next("peer_reconnected")
    await his.close()
    await again.send(type="offer", call_id=call_id, sdp="v=0")
    await hers.next("offer")
    await hers.quiet("peer_reconnecting", "call_ended")


async def test_another_device_that_goes_is_not_missed(server: Server) -> None:
    """Only the connection that holds the call can be lost to it."""
    _, bob, hers, his = await pair(server)
    other = await bob.signal()
    await talk(hers, his, bob)
    await other.close()
    await his.quiet()
    await hers.quiet()


async def test_the_server_stops(new_server: NewServer) -> None:
    """Calls end with the reason, before the sockets close with 1012."""
    server = new_server()
    await server.start()
    _, bob, hers, his = await pair(server)
    _, dan, eves, dans = await pair(server)
    active, ringing = await talk(hers, his, bob), await ring(eves, dans, dan)
    await server.app.stop()
    for socket, call_id in ((hers, active), (his, active), (eves, ringing), (dans, ringing)):
        await socket.next("call_ended", call_id=call_id, reason="server_shutdown")
        code, reason = await socket.ended()
        assert code == 1012 and reason is not None and reason.startswith("retry_after=")
        await socket.close()


async def test_a_call_that_is_made_while_the_server_stops(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose initiate was on its way ends like the others, before the sockets close."""
    server = new_server()
    await server.start()
    _, bob, hers, his = await pair(server)
    looking, go_on = asyncio.Event(), asyncio.Event()
    are_blocked = server.app.node.people.are_blocked

    async def slow(a: str, b: str) -> bool:
        looking.set()
        await go_on.wait()
        return await are_blocked(a, b)

    monkeypatch.setattr(server.app.node.people, "are_blocked", slow)
    await hers.send(type="call_initiate", callee_id=bob.id, call_type="audio")
    await looking.wait()
    stopping = asyncio.ensure_future(server.app.stop())
    while server.app.node.ready:
        await asyncio.sleep(0)
    go_on.set()
    call_id = (await hers.next("call_initiated"))["call_id"]
    for socket in (hers, his):
        await socket.next("call_ended", call_id=call_id, reason="server_shutdown")
        assert (await socket.ended())[0] == 1012
    await stopping
    for socket in (hers, his):
        await socket.close()


# Signaling


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


# The setting `calls=known`


async def test_strangers_may_not_call_where_only_the_known_may(new_server: NewServer) -> None:
    """They may where anyone may, which is the default."""
    async with new_server(calls="known") as server:
        _, bob, hers, his = await pair(server)
        await hers.refused("forbidden", type="call_initiate", callee_id=bob.id, call_type="audio")
        await his.quiet()


@pytest.mark.parametrize("kind", ["private", "group", "land"])
async def test_those_who_share_a_room_may_call(new_server: NewServer, kind: str) -> None:
    """A private or group session, or a land that both have joined now."""
    async with new_server(calls="known") as server:
        ann, bob, hers, his = await pair(server)
        if kind == "private":
            await ann.private(bob)
        elif kind == "group":
            eve = await server.person()
            await eve.group(ann, bob)
        else:
            land = await ann.land()
            await ann.chat(land)
            await hers.refused("forbidden", type="call_initiate", callee_id=bob.id, call_type="audio")
            await bob.chat(land)
        await ring(hers, his, bob)


async def place(socket: Socket, x: float, world_id: str = "main") -> None:
    await socket.ask("location_updated", type="update_location", x=x, y=0, world_id=world_id)


async def test_those_who_are_near_may_call(new_server: NewServer) -> None:
    """Within 50 units, in the same world, and only while both share where that is: ringing would tell it."""
    async with new_server(calls="known") as server:
        ann, bob, hers, his = await pair(server)
        hers_chat, his_chat = await ann.chat(), await bob.chat()
        await place(hers_chat, 0)

        async def strangers() -> None:
            await hers.refused("forbidden", type="call_initiate", callee_id=bob.id, call_type="audio")

        await strangers()
        await place(his_chat, 50.001)
        await strangers()
        await place(his_chat, 50, "elsewhere")
        await strangers()
        await place(his_chat, 50)
        for person in (ann, bob):
            await person.ok("PATCH", "/auth/me", {"share_location": False})
            await strangers()
            await person.ok("PATCH", "/auth/me", {"share_location": True})
        await ring(hers, his, bob)


async def test_being_known_tells_nothing_of_the_hidden(new_server: NewServer) -> None:
    """Behind a block or invisible, one is `offline` near and far, in the same room and not."""
    async with new_server(calls="known") as server:
        ann, hidden, blocker = [await server.person() for _ in range(3)]
        hers = await ann.signal()
        land = await ann.land()
        hers_chat = await ann.chat(land)
        await place(hers_chat, 0)
        for person in (hidden, blocker):
            await person.signal()
        await hidden.ok("PATCH", "/auth/me", {"invisible": True})
        await blocker.ok("PUT", f"/users/{ann.id}/block")
        answers = set()
        for person in (hidden, blocker):
            for rooms, x in (((), 1000.0), ((land,), 5.0)):
                await place(await person.chat(*rooms), x)
                answer = await hers.ask("error", type="call_initiate", callee_id=person.id, call_type="audio")
                answers.add(answer["code"])
        assert answers == {"offline"}


# REST


async def test_calls_are_counted(server: Server) -> None:
    """Ringing and active, for anybody, and nothing of whose they are."""
    _, bob, hers, his = await pair(server)
    _, dan, eves, dans = await pair(server)
    assert await counts(server) == (0, 0)
    call_id = await ring(hers, his, bob)
    await talk(eves, dans, dan)
    assert await counts(server) == (1, 1)
    await his.ask("call_started", type="call_accept", call_id=call_id)
    assert await counts(server) == (0, 2)
    await his.ask("call_ended", type="call_hangup", call_id=call_id)
    assert await counts(server) == (0, 1)


async def test_the_counts_can_be_closed(new_server: NewServer) -> None:
    """By a setting."""
    async with new_server(statistics=False) as server:
        status, _ = await server.call("GET", "/webrtc/active-calls")
        assert status in (403, 404)


async def test_ice_servers_without_settings(server: Server) -> None:
    """Are none, and only for those with a token."""
    ann = await server.person()
    assert await ann.ok("GET", "/webrtc/ice-servers") == {"ice_servers": []}
    status, answer = await server.call("GET", "/webrtc/ice-servers")
    assert (status, answer["error"]["code"]) == (401, "unauthorized")


async def test_ice_servers(new_server: NewServer) -> None:
    """STUN as set; TURN with credentials that coturn's `use-auth-secret` takes: expiry and user, and their HMAC."""
    stun, turn = ("stun:stun.example:3478",), ("turn:turn.example:3478?transport=udp", "turns:turn.example")
    async with new_server(
        stun_urls=stun, turn_urls=turn, turn_secret="shared with coturn", turn_seconds=600
    ) as server:
        ann = await server.person()
        before = Clock().now() // 1000
        first, second = (await ann.ok("GET", "/webrtc/ice-servers"))["ice_servers"]
        assert first == {"urls": list(stun)}
        assert set(second) == {"urls", "username", "credential"} and second["urls"] == list(turn)
        expiry, _, user = second["username"].partition(":")
        assert user == ann.id and before + 600 <= int(expiry) <= Clock().now() // 1000 + 600
        mac = hmac.new(b"shared with coturn", second["username"].encode(), hashlib.sha1).digest()
        assert second["credential"] == base64.b64encode(mac).decode()
