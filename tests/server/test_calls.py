"""Calls over real sockets: the contract's table of the signaling socket, row by row, and calls over REST."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from server.clock import Clock
from tests.harness import Server
from tests.server.calling import NewServer, counts, ended, pair, ring, talk

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
