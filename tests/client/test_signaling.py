"""The signaling socket: opened when it is first used, and a call and a voice that outlive it."""

from __future__ import annotations

import asyncio
from unittest.mock import ANY

from client import Hereabouts
from server import errors
from tests.client.steps import Told
from tests.harness import Person, Server, Socket


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


async def in_earshot(server: Server, *people: Person) -> list[Socket]:
    """All at one place, on chat sockets of their own."""
    chats = [await person.chat() for person in people]
    for chat in chats:
        await chat.ask("location_updated", type="update_location", x=0, y=0)
    return chats


async def test_voice_outlives_a_connection(server: Server) -> None:
    """Each link is told once and ends once, whether it lasted, ended or began meanwhile; muted stays muted."""
    ann, bob, wit = await server.people(3)
    _, his_chat, _ = await in_earshot(server, ann, bob, wit)
    his, wits = await bob.signal(), await wit.signal()
    async with Hereabouts(server.origin) as hers:
        await hers.auth.use_token(ann.token)
        peers, muted = Told(hers.signal, "voice_peers"), Told(hers.signal, "voice_muted")
        gains, states = Told(hers.signal, "voice_gains"), Told(hers.signal, "state")
        await hers.signal.join_voice()
        await hers.signal.join_voice()
        await his.ask("voice_peers", type="voice_join")
        await peers.until(lambda told: len(told) == 1)
        (with_bob,) = peers.events.pop()["connect"]
        assert with_bob["user_id"] == bob.id and list(hers.signal.voice or ()) == [with_bob["call_id"]]
        await gains.until(bool)
        assert hers.signal.offer(with_bob["call_id"], "v=0")
        await his.next("offer", from_user_id=ann.id)
        await hers.signal.mute_voice(True)
        await muted.next(user_id=ann.id, muted=True)

        (connection,) = server.app.node.signal.of_user(ann.id)
        connection.close(errors.restarting(60))
        await states.next(state="waiting")
        hers.retry_now()
        await hers.signal.ready()
        assert hers.signal.answer(with_bob["call_id"], "v=0")
        await his.next("answer", from_user_id=ann.id)
        assert peers.events == [] and list(hers.signal.voice or ()) == [with_bob["call_id"]]

        (connection,) = server.app.node.signal.of_user(ann.id)
        connection.close(errors.restarting(60))
        await states.next(state="waiting")
        await his_chat.ask("location_updated", type="update_location", x=50, y=0)
        server.clock.advance(server.settings.rejoin_seconds)
        while len(server.app.node.voice) > 1:
            await asyncio.sleep(0.01)
        hers.retry_now()
        await peers.until(bool)
        assert peers.events == [
            {"type": "voice_peers", "connect": [], "disconnect": [with_bob["call_id"]], "ref": ANY}
        ]
        peers.events.clear()
        await wits.ask("voice_peers", type="voice_join")
        await peers.until(bool)
        assert (await wits.next("voice_peers"))["connect"][0]["muted"] is True
        (with_wit,) = peers.events.pop()["connect"]
        await hers.signal.leave_voice()
        assert peers.events.pop()["disconnect"] == [with_wit["call_id"]]
        assert hers.signal.voice is None


async def test_voice_begins_anew_on_another_device(server: Server) -> None:
    """It finds links whose sound is elsewhere, and has them made again; the first device does not come back to it."""
    ann, bob = await server.people(2)
    await in_earshot(server, ann, bob)
    his = await bob.signal()
    await his.ask("voice_peers", type="voice_join")
    async with Hereabouts(server.origin) as phone, Hereabouts(server.origin) as desk:
        told = []
        for device in (phone, desk):
            await device.auth.use_token(ann.token)
            told.append(Told(device.signal, "voice_peers"))
            await device.signal.join_voice()
            await told[-1].until(lambda events: bool(events and events[-1]["connect"]))
        on_the_phone, at_the_desk = told
        (first,) = on_the_phone.events[0]["connect"]
        ended = await on_the_phone.next(taken_over=True)
        assert ended["disconnect"] == [first["call_id"]] and phone.signal.voice is None
        (only,) = at_the_desk.events
        assert [peer["call_id"] for peer in only["connect"]] != [first["call_id"]] and only[
            "disconnect"
        ] == []
        await his.next("voice_peers", disconnect=[first["call_id"]])
        await phone.signal.leave_voice()
        assert desk.signal.offer(only["connect"][0]["call_id"], "v=0")
        await his.next("offer", from_user_id=ann.id)
