"""The links of voice in earshot: what passes between two, and what becomes of them when a connection is lost."""

from __future__ import annotations

import json
from typing import Any

from server.settings import Settings
from spatial.pairing import PEERS
from tests.harness import Server
from tests.server.calling import CANDIDATE
from tests.server.speakers import NewServer, speakers, ticks, two, unpaired

# Signals


async def test_descriptions_and_candidates_go_to_the_other_side(server: Server) -> None:
    """As they are, with `from_user_id` set by the server, in both directions, to the connection that joined."""
    ann, bob, call_id = await two(server)
    other = await bob.person.signal()
    for one, its_peer in ((ann, bob), (bob, ann)):
        for signal in (
            {"type": "offer", "sdp": "v=0"},
            {"type": "answer", "sdp": "v=0"},
            {"type": "ice_candidate", "candidate": CANDIDATE},
            {"type": "ice_candidate", "candidate": None},
        ):
            await one.signal.send(**signal, call_id=call_id)
            expected = {**signal, "call_id": call_id, "from_user_id": one.id}
            assert await its_peer.signal.next(str(signal["type"])) == expected
    await other.quiet()


async def test_a_link_that_is_not_ones_own_is_not_found(server: Server) -> None:
    """To strangers, joined or not, and to everybody once it has ended, in the words for a call; nothing gets through."""
    ann, bob, call_id = await two(server)
    (far,) = await speakers(server, 50)
    (eve,) = await server.people(1)
    requests: list[dict[str, Any]] = [
        {"type": "offer", "sdp": "v=0"},
        {"type": "answer", "sdp": "v=0"},
        {"type": "ice_candidate", "candidate": None},
        {"type": "call_accept"},
        {"type": "call_reject"},
        {"type": "call_hangup"},
        {"type": "call_rejoin"},
    ]
    for socket in (far.signal, await eve.signal()):
        for request in requests:
            error = await socket.refused("not_found", **request, call_id=call_id)
            assert error["message"] == "no such call"
    for request in requests[3:]:  # what is for calls alone
        await ann.signal.refused("not_found", **request, call_id=call_id)
    await ann.signal.ask("voice_peers", type="voice_leave")
    for request in requests:
        await bob.signal.refused("not_found", **request, call_id=call_id)
    await bob.loses(call_id)
    await bob.signal.quiet("offer", "answer", "ice_candidate", "call_ended")


async def test_the_sizes_of_what_is_passed_on(server: Server) -> None:
    """As in a call: 32 KiB of description, 2 KiB of candidate, and nothing over it."""
    ann, bob, call_id = await two(server)
    await ann.signal.send(type="offer", call_id=call_id, sdp="x" * 32_768)
    assert len((await bob.signal.next("offer"))["sdp"]) == 32_768
    await ann.signal.refused("too_large", type="offer", call_id=call_id, sdp="x" * 32_769)
    long = {"candidate": "x" * 2048}
    await ann.signal.refused("too_large", type="ice_candidate", call_id=call_id, candidate=long)
    await bob.signal.quiet("offer", "ice_candidate")


async def test_six_peers_do_not_drown_the_one_they_talk_to(new_server: NewServer) -> None:
    """What each may say at once is less than a sixth of what may wait for a slow reader; beginning anew brings no more."""
    async with new_server(rate_limits=True) as server:
        ann, bob, call_id = await two(server)
        (wit,) = await speakers(server, 2)
        other = await wit.meets(bob)
        for _ in range(2):
            for _ in range(5):
                await ann.signal.send(type="offer", call_id=call_id, sdp="x" * 32_768)
            await ann.signal.ask("pong", type="ping")
            refused = ann.signal.taken("error")
            assert {error["code"] for error in refused} == {"rate_limited"}
            assert all(error["retry_after"] > 0 for error in refused)
            await ann.signal.send(type="voice_leave")
            await ann.join()
            call_id = (await ann.meets(bob))["call_id"]
        await bob.signal.ask("pong", type="ping")
        said_to_bob = [event for event in bob.signal.events if event.get("from_user_id") == ann.id]
        size = sum(len(json.dumps(event)) for event in said_to_bob)
        assert 32_768 < size < Settings().buffer_bytes / PEERS
        await wit.signal.send(type="offer", call_id=other["call_id"], sdp="x" * 32_768)
        await bob.signal.next("offer", from_user_id=wit.id)


# Lost connections


async def test_a_lost_connection_leaves_the_links(server: Server) -> None:
    """The peers are told nothing, and to wait with what they have to say; joining again names the same links."""
    ann, bob, call_id = await two(server)
    await ann.signal.ask("voice_muted", type="voice_mute", muted=True)
    await ann.signal.close()
    error = await bob.signal.refused("unavailable", type="offer", call_id=call_id, sdp="v=0")
    assert error["retry_after"] == 1
    await bob.stand(4)  # changes what is heard, and nothing else
    (wit,) = await speakers(server, 2)
    await wit.meets(bob)
    await bob.meets(wit)
    await unpaired(server, wit, bob)  # nobody is connected to one who is away
    ann.signal = await ann.person.signal()
    back = await ann.join()
    assert [(peer["call_id"], peer["user_id"]) for peer in back["connect"]] == [(call_id, bob.id)]
    assert (await wit.meets(ann))["muted"] is True
    await bob.signal.send(type="offer", call_id=call_id, sdp="v=0")
    await ann.signal.next("offer")
    await bob.signal.quiet("voice_peers")


async def test_who_does_not_come_back_is_dropped(server: Server) -> None:
    """After the time that a call waits, told to the others; coming later is joining anew, with the microphone on."""
    ann, bob, call_id = await two(server)
    await ann.signal.ask("voice_muted", type="voice_mute", muted=True)
    await ann.signal.close()
    await bob.signal.next("voice_muted")
    await bob.signal.refused("unavailable", type="offer", call_id=call_id, sdp="v=0")
    server.clock.advance(server.settings.rejoin_seconds - 5)
    await unpaired(server, bob)
    server.clock.advance(5)
    await bob.loses(call_id)
    assert len(server.app.node.voice) == 1
    ann.signal = await ann.person.signal()
    assert (await ann.join())["connect"] == []
    assert (await bob.meets(ann))["muted"] is False


async def test_who_is_away_keeps_a_place_with_each_peer(server: Server) -> None:
    """Seven on one spot have six peers each, also while one is away; a newcomer gets the places when their time is over."""
    those = await speakers(server, *[0.0] * 7)
    await ticks(server)
    assert server.app.node.voice.link_count == 21
    await those[0].signal.close()
    (newcomer,) = await speakers(server, 0)
    await unpaired(server, newcomer)
    server.clock.advance(server.settings.rejoin_seconds)
    for speaker in those[1:]:
        assert (await newcomer.meets(speaker))["user_id"] == speaker.id


async def test_a_network_that_comes_back_finds_its_links(server: Server) -> None:
    """The position goes with the chat socket, the links wait for it too."""
    ann, bob, call_id = await two(server)
    await ann.signal.close()
    await ann.chat.close()
    await unpaired(server, bob)
    ann.signal, ann.chat = await ann.person.signal(), await ann.person.chat()
    assert [peer["call_id"] for peer in (await ann.join())["connect"]] == [call_id]
    await unpaired(server, ann, bob)
    await ann.stand(1)
    await unpaired(server, ann, bob)
    await ann.stand(50)
    await ann.loses(call_id)
    await bob.loses(call_id)


async def test_a_position_that_does_not_come_back_ends_the_links(server: Server) -> None:
    """One stays joined, and is paired at the next position."""
    ann, bob, call_id = await two(server)
    await ann.chat.close()
    await unpaired(server, ann, bob)
    server.clock.advance(server.settings.rejoin_seconds)
    await ann.loses(call_id)
    await bob.loses(call_id)
    ann.chat = await ann.person.chat()
    await ann.stand(0)
    await ann.meets(bob)


async def test_who_is_away_can_be_blocked_and_can_hide(server: Server) -> None:
    """Neither waits until they are back, nor brings them together again."""
    ann, bob, call_id = await two(server)
    (wit,) = await speakers(server, 1)
    link = await wit.meets(ann)
    await ticks(server)
    bob.signal.taken("voice_peers")
    wit.signal.taken("voice_peers")
    await ann.signal.close()
    await bob.signal.refused("unavailable", type="offer", call_id=call_id, sdp="v=0")
    await bob.person.ok("PUT", f"/users/{ann.id}/block")
    await bob.loses(call_id)
    await ann.person.ok("PATCH", "/auth/me", {"invisible": True})
    await wit.loses(link["call_id"])
    ann.signal = await ann.person.signal()
    assert (await ann.join())["connect"] == []
    await unpaired(server, ann, bob, wit)
