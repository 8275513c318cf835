"""A call pauses the voice in earshot of both."""

from __future__ import annotations

from unittest.mock import patch

from server.services import voice as voice_service
from tests.harness import Server
from tests.server.calling import talk
from tests.server.speakers import Speaker, speakers, ticks, two, unpaired


async def test_a_call_pauses_the_voice_of_both(server: Server) -> None:
    """From its start on, not while it rings; they stay joined, and are paired again after its end."""
    ann, bob, call_id = await two(server)
    (wit,) = await speakers(server, 1)
    hers = await wit.meets(ann)
    await ticks(server)
    for speaker in (ann, bob, wit):
        speaker.signal.taken("voice_peers")
    talked = await talk(ann.signal, bob.signal, bob.person)
    for speaker in (ann, bob):
        ended = await speaker.signal.next("voice_peers")
        assert ended["connect"] == [] and call_id in ended["disconnect"]
    await wit.loses(hers["call_id"])
    await ticks(server)
    await wit.signal.ask("pong", type="ping")
    assert not [event for event in wit.signal.taken("voice_peers") if event["connect"]]
    assert len(server.app.node.voice) == 3
    await ann.signal.send(type="offer", call_id=talked, sdp="v=0")
    await bob.signal.next("offer", call_id=talked)
    await ann.signal.ask("call_ended", type="call_hangup", call_id=talked)
    await wit.meets(bob)
    assert (await ann.meets(bob))["call_id"] == (await bob.meets(ann))["call_id"] != call_id


async def test_a_ringing_phone_changes_nothing(server: Server) -> None:
    """Voice makes nobody busy; declined, all goes on as it was."""
    ann, bob, _ = await two(server)
    answer = await ann.signal.ask("call_initiated", type="call_initiate", callee_id=bob.id, call_type="audio")
    await bob.signal.next("incoming_call")
    await bob.signal.ask("call_rejected", type="call_reject", call_id=answer["call_id"])
    await unpaired(server, ann, bob)


async def test_joining_in_the_middle_of_a_call(server: Server) -> None:
    """One waits for its end, also one that a lost connection brings about."""
    ann, bob = [
        Speaker(person, await person.chat(), await person.signal()) for person in await server.people(2)
    ]
    call_id = await talk(ann.signal, bob.signal, bob.person)
    for speaker in (ann, bob):
        await speaker.stand(0)
        assert (await speaker.join())["connect"] == []
    await unpaired(server, ann, bob)
    await bob.signal.close()
    await ann.signal.next("peer_reconnecting")
    bob.signal = await bob.person.signal()
    await bob.join()
    await unpaired(server, ann, bob)
    server.clock.advance(server.settings.rejoin_seconds)
    server.app.node.calls._arm(call_id)  # its timer is of the loop, which the clock does not move
    await ann.signal.next("call_ended", reason="disconnected")
    assert (await ann.meets(bob))["call_id"] == (await bob.meets(ann))["call_id"]


async def test_a_call_of_an_instant_brings_the_links_back(server: Server) -> None:
    """Begun and ended between two ticks, when nobody has moved."""
    ann, bob, call_id = await two(server)
    await ticks(server)
    with patch.object(voice_service, "TICK_SECONDS", 1.0):
        await ticks(server, 1)
        talked = await talk(ann.signal, bob.signal, bob.person)
        await ann.signal.ask("call_ended", type="call_hangup", call_id=talked)
    await ann.loses(call_id)
    assert (await ann.meets(bob))["call_id"] != call_id
