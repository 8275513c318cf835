"""The signaling socket: opened when it is first used, and a call that outlives it."""

from __future__ import annotations

from client import Hereabouts
from server import errors
from tests.client.steps import Told
from tests.harness import Server


async def test_two_call_each_other_and_come_back(server: Server) -> None:
    """Whoever calls opens the socket by that; after a lost connection the call is rejoined."""
    ann, bob = await server.people(2)
    async with Hereabouts(server.origin) as hers, Hereabouts(server.origin) as his:
        await hers.auth.use_token(ann.token)
        await his.auth.use_token(bob.token)
        assert hers.signal.state == "closed"
        rings, told, offers = (
            Told(his.signal, "incoming_call"),
            Told(his.signal, "peer_reconnected"),
            Told(his.signal, "offer"),
        )
        ends = Told(his.signal, "call_ended")
        his.signal.open()
        await his.signal.ready()
        call = await hers.signal.call(bob.id, "video")
        ringing = await rings.next(caller_id=ann.id, call_type="video")
        started = await his.signal.accept(ringing["call_id"])
        assert (started["call_id"], his.signal.call_id) == (call["call_id"], call["call_id"])
        assert hers.signal.offer(call["call_id"], "v=0")
        assert (await offers.next())["from_user_id"] == ann.id
        states = Told(hers.signal, "state")
        (connection,) = server.app.node.signal.of_user(ann.id)
        connection.close(errors.restarting(0.1))
        await states.next(state="waiting")
        assert not hers.signal.ice_candidate(call["call_id"], None)
        await told.next(call_id=call["call_id"])
        await hers.signal.ready()
        assert (await hers.signal.hang_up(call["call_id"]))["reason"] == "hangup"
        await ends.next(reason="hangup")
        assert (hers.signal.call_id, his.signal.call_id) == (None, None)


async def test_a_call_that_ended_meanwhile_is_told(server: Server) -> None:
    ann, bob = await server.people(2)
    his = await bob.signal()
    async with Hereabouts(server.origin) as hers:
        await hers.auth.use_token(ann.token)
        call = await hers.signal.call(bob.id)
        await his.ask("call_started", type="call_accept", call_id=call["call_id"])
        ends, states = Told(hers.signal, "call_ended"), Told(hers.signal, "state")
        (connection,) = server.app.node.signal.of_user(ann.id)
        connection.close(errors.restarting(60))
        await states.next(state="waiting")
        await his.next("peer_reconnecting")
        await his.ask("call_ended", type="call_hangup", call_id=call["call_id"])
        hers.retry_now()
        assert (await ends.next(call_id=call["call_id"]))["reason"] == "disconnected"
        await hers.signal.ready()
        assert hers.signal.call_id is None
