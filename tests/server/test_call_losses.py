"""Connections that are lost during a call, and found again or not; and a server that stops."""

from __future__ import annotations

import asyncio

import pytest

from handlers.socket import SocketConnection
from tests.harness import Server
from tests.server.calling import NewServer, counts, ended, pair, ring, talk


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
