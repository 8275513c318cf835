"""Voice in earshot over real sockets: who is paired, who is told, and what ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable
from typing import Any
from unittest.mock import patch

import pytest

from handlers.socket import SocketConnection
from server.services import voice as voice_service
from server.settings import Settings
from spatial.hearing import gain, pan
from spatial.pairing import PEERS
from tests.harness import Person, Server, Socket
from tests.server.test_calls import CANDIDATE, talk

NewServer = Callable[..., Server]
Peer = dict[str, Any]


class Speaker:
    """Somebody at a place, with both sockets."""

    def __init__(self, person: Person, chat: Socket, signal: Socket) -> None:
        self.person = person
        self.id = person.id
        self.chat = chat
        self.signal = signal
        self._met: dict[str, Peer] = {}

    async def stand(self, x: float, y: float = 0, **world: str) -> None:
        await self.chat.ask("location_updated", type="update_location", x=x, y=y, **world)
        self.chat.taken("nearby_users")

    async def join(self) -> dict[str, Any]:
        return await self.signal.ask("voice_peers", type="voice_join")

    async def meets(self, other: Speaker) -> Peer:
        """Waits until this one is told of the other; what it is told. Of the rest that comes nothing is kept but that."""
        while other.id not in self._met:
            event = await self.signal.next("voice_peers")
            self._met |= {peer["user_id"]: peer for peer in event["connect"]}
        return self._met.pop(other.id)

    async def loses(self, call_id: str) -> None:
        """Waits until it is told that a link is over, and nothing else."""
        event = await self.signal.next("voice_peers")
        assert event == {"type": "voice_peers", "connect": [], "disconnect": [call_id]}


async def speakers(server: Server, *places: float) -> list[Speaker]:
    """As many people as places along y = 0, who have joined."""
    people = await server.people(len(places))
    found = []
    for person, x in zip(people, places, strict=True):
        speaker = Speaker(person, await person.chat(), await person.signal())
        await speaker.stand(x)
        assert await speaker.join() == {**PEERS_OF_NONE, "ref": "ref-1"}
        found.append(speaker)
    return found


async def two(server: Server) -> tuple[Speaker, Speaker, str]:
    """Two who are paired, at (0, 0) and (3, 0), and the id of their link."""
    ann, bob = await speakers(server, 0, 3)
    link = await ann.meets(bob)
    await bob.meets(ann)
    return ann, bob, str(link["call_id"])


PEERS_OF_NONE: dict[str, Any] = {"type": "voice_peers", "connect": [], "disconnect": []}


async def ticks(server: Server, count: int = 2) -> None:
    """Until whole ticks have passed, and what they told has come (after a ping)."""
    done = 0
    look = server.app.node.voice._look

    def counted(news: Any) -> Any:
        nonlocal done
        done += 1
        return look(news)

    with patch.object(server.app.node.voice, "_look", counted):
        while done < count:
            await asyncio.sleep(0.01)


async def unpaired(server: Server, *those: Speaker) -> None:
    """Holds if the next ticks tell none of them of a link."""
    await ticks(server)
    for speaker in those:
        await speaker.signal.quiet("voice_peers")


# Pairs


async def test_two_in_earshot_are_paired(server: Server) -> None:
    """Both are told of the same `call_id`, and one of the two is to offer; there is no answer but the first."""
    ann, bob = await speakers(server, 0, 10)
    hers, his = await ann.meets(bob), await bob.meets(ann)
    assert hers == {**his, "user_id": bob.id, "initiator": not his["initiator"]}
    assert his["user_id"] == ann.id and his["muted"] is False
    await unpaired(server, ann, bob)


async def test_who_walks_off_is_dropped_and_found_again(server: Server) -> None:
    """In at the radius, out above 1.1 of it, each time told to both, with a new `call_id`."""
    ann, bob = await speakers(server, 0, 10.5)
    await unpaired(server, ann, bob)
    await bob.stand(10)
    link = await ann.meets(bob)
    await bob.meets(ann)
    await bob.stand(11)
    await unpaired(server, ann, bob)
    await bob.stand(11.1)
    await ann.loses(link["call_id"])
    await bob.loses(link["call_id"])
    await bob.stand(10.5)
    await unpaired(server, ann, bob)
    await bob.stand(2)
    assert (await ann.meets(bob))["call_id"] != link["call_id"]
    assert ann.chat.taken("voice_peers") == []


async def test_nobody_in_a_crowd_has_more_than_six(server: Server) -> None:
    """Of nine on one spot, told in few events, none has more peers, and both sides of each link know of it."""
    those = await speakers(server, *[0.0] * 9)
    await ticks(server)
    links: dict[str, dict[str, str]] = {}
    for speaker in those:
        await speaker.signal.ask("pong", type="ping")
        known = links[speaker.id] = {}
        for event in speaker.signal.taken("voice_peers"):
            known |= {peer["call_id"]: peer["user_id"] for peer in event["connect"]}
            for call_id in event["disconnect"]:
                del known[call_id]
        assert 0 < len(known) <= PEERS
    for user_id, known in links.items():
        for call_id, peer in known.items():
            assert links[peer][call_id] == user_id


async def test_without_a_position_one_waits(server: Server) -> None:
    """Joined and alone until there is a position; in another world nobody is near."""
    (ann,) = await speakers(server, 0)
    (person,) = await server.people(1)
    bob = Speaker(person, await person.chat(), await person.signal())
    await bob.join()
    await unpaired(server, ann, bob)
    await bob.stand(0)
    link = await ann.meets(bob)
    await bob.meets(ann)
    await bob.stand(0, world_id="moon")
    await ann.loses(link["call_id"])
    await bob.loses(link["call_id"])


async def test_who_has_not_joined_is_not_paired(server: Server) -> None:
    """Being near is not talking."""
    (ann,) = await speakers(server, 0)
    (person,) = await server.people(1)
    bob = Speaker(person, await person.chat(), await person.signal())
    await bob.stand(0)
    await unpaired(server, ann, bob)


@pytest.mark.parametrize("fields", [{"invisible": True}, {"share_location": False}])
async def test_who_cannot_be_seen_is_paired_when_that_changes(
    fields: dict[str, bool], server: Server
) -> None:
    """One may join, and nobody hears of it; out of sight again, the links end on both sides."""
    shown = {name: not hidden for name, hidden in fields.items()}
    (ann,) = await speakers(server, 0)
    (person,) = await server.people(1)
    await person.ok("PATCH", "/auth/me", fields)
    bob = Speaker(person, await person.chat(), await person.signal())
    await bob.stand(1)
    await bob.join()
    await bob.signal.ask("voice_muted", type="voice_mute", muted=True)
    await unpaired(server, ann, bob)
    await ann.signal.quiet()
    await person.ok("PATCH", "/auth/me", shown)
    link = await ann.meets(bob)
    await bob.meets(ann)
    await person.ok("PATCH", "/auth/me", fields)
    await ann.loses(link["call_id"])
    await bob.loses(link["call_id"])
    await unpaired(server, ann, bob)


@pytest.mark.parametrize("by", ["ann", "bob"])
async def test_a_block_parts_at_once(by: str, server: Server) -> None:
    """Before any tick; it is not told, looks as if the other had walked off, and lasts until it is taken back."""
    ann, bob, call_id = await two(server)
    one, other = (ann, bob) if by == "ann" else (bob, ann)
    with patch.object(server.app.node.voice, "_look", return_value=set()):
        await one.person.ok("PUT", f"/users/{other.id}/block")
        await ann.loses(call_id)
        await bob.loses(call_id)
    for speaker in (ann, bob):
        await speaker.signal.refused("not_found", type="offer", call_id=call_id, sdp="v=0")
    await unpaired(server, ann, bob)
    await one.person.ok("DELETE", f"/users/{other.id}/block")
    assert (await ann.meets(bob))["call_id"] == (await bob.meets(ann))["call_id"] != call_id


async def test_across_a_block_nobody_is_paired(server: Server) -> None:
    """Nor told of the other; a third person is, with both."""
    ann, bob = await speakers(server, 0, 100)
    await ann.person.ok("PUT", f"/users/{bob.id}/block")
    await bob.stand(1)
    await unpaired(server, ann, bob)
    (wit,) = await speakers(server, 2)
    await wit.meets(ann)
    assert (await ann.meets(wit))["user_id"] == (await bob.meets(wit))["user_id"] == wit.id
    await unpaired(server, ann, bob)


async def test_on_a_grid_the_cells_are_what_counts(new_server: NewServer) -> None:
    """Who is paired, how loud and from where tells nothing finer than the cell."""
    async with new_server(position_grid=8.0) as server:
        ann, bob = await speakers(server, 0.5, 15.9)  # cells 8 apart
        await ann.meets(bob)
        gains = await ann.signal.next("voice_gains")
        assert gains["gains"] == [[bob.id, round(gain(8, 10), 3), 1.0]]
        await bob.stand(8.1)
        await ticks(server)
        await ann.signal.quiet()


async def test_nothing_is_worked_out_where_nothing_has_changed(server: Server) -> None:
    """A tick on which nobody has moved pairs nobody; one on which somebody has, that world alone."""
    ann, _bob, _ = await two(server)
    (far,) = await speakers(server, 0)
    await far.stand(0, world_id="moon")
    await ticks(server, 3)
    with patch.object(voice_service, "pair", wraps=voice_service.pair) as pair:
        await ticks(server, 3)
        assert pair.call_count == 0
        await ann.stand(0.5)
        await ticks(server, 3)
        assert pair.call_count == 1
        assert pair.call_args.args[0].keys() >= {ann.id} and far.id not in pair.call_args.args[0]


# Joining, leaving, muting


async def test_leaving_ends_all(server: Server) -> None:
    """The answer names each link, those at the other end are told, and nothing comes any more."""
    ann, bob, wit = await speakers(server, 0, 1, 2)
    links = {(await ann.meets(other))["call_id"]: other for other in (bob, wit)}
    await bob.meets(wit)
    await ticks(server)
    for other in (bob, wit):
        other.signal.taken("voice_peers")
    left = await ann.signal.ask("voice_peers", type="voice_leave")
    assert (left["connect"], set(left["disconnect"])) == ([], links.keys())
    for call_id, other in links.items():
        await other.loses(call_id)
        await ann.signal.refused("not_found", type="ice_candidate", call_id=call_id, candidate=None)
    await unpaired(server, ann, bob, wit)
    assert (await ann.signal.ask("voice_peers", type="voice_leave"))["disconnect"] == []


async def test_joining_again_tells_what_there_is(server: Server) -> None:
    """On the same connection it changes nothing; the other side hears nothing."""
    ann, bob, call_id = await two(server)
    again = await ann.join()
    assert [peer["call_id"] for peer in again["connect"]] == [call_id] and again["disconnect"] == []
    await unpaired(server, ann, bob)


async def test_leaving_and_joining_in_one_turn_makes_new_links(server: Server) -> None:
    """So that one who has lost the media, after a reload, can begin anew."""
    ann, bob, call_id = await two(server)
    await ann.signal.send(type="voice_leave")
    await ann.join()
    await bob.loses(call_id)
    assert (await bob.meets(ann))["call_id"] == (await ann.meets(bob))["call_id"] != call_id


async def test_muting_is_told_to_those_whom_one_talks_with(server: Server) -> None:
    """To them alone, as it happens; to whoever comes later, with the link."""
    ann, bob, _ = await two(server)
    (far,) = await speakers(server, 50)
    answer = await ann.signal.ask("voice_muted", type="voice_mute", muted=True)
    del answer["ref"]
    assert answer == {"type": "voice_muted", "user_id": ann.id, "muted": True}
    assert await bob.signal.next("voice_muted") == answer
    await far.signal.quiet()
    await bob.signal.quiet("voice_muted")
    await far.stand(5)
    assert (await far.meets(ann))["muted"] is True
    assert (await ann.meets(far))["muted"] is False
    await ann.signal.ask("voice_muted", type="voice_mute", muted=False)
    for other in (bob, far):
        await other.signal.next("voice_muted", muted=False)


async def test_muting_is_for_those_who_have_joined(server: Server) -> None:
    """On this connection."""
    ann, _, _ = await two(server)
    (eve,) = await server.people(1)
    for socket in (await eve.signal(), await ann.person.signal()):
        await socket.refused("not_joined", type="voice_mute", muted=True)


async def test_another_device_takes_over(server: Server) -> None:
    """With the same links; the first is told, the peers are not, and what they say comes to the second."""
    ann, bob, call_id = await two(server)
    await ann.signal.ask("voice_muted", type="voice_mute", muted=True)
    await bob.signal.next("voice_muted")
    second = await ann.person.signal()
    taken = await second.ask("voice_peers", type="voice_join")
    assert [(peer["call_id"], peer["user_id"]) for peer in taken["connect"]] == [(call_id, bob.id)]
    assert await ann.signal.next("voice_peers") == {
        **PEERS_OF_NONE,
        "disconnect": [call_id],
        "taken_over": True,
    }
    await unpaired(server, bob)
    await bob.signal.send(type="offer", call_id=call_id, sdp="v=0")
    await second.next("offer", from_user_id=bob.id)
    await ann.signal.quiet("offer")
    await ann.signal.refused("invalid_message", type="offer", call_id=call_id, sdp="v=0")
    # Neither its leaving nor its end is the second's business.
    assert (await ann.signal.ask("voice_peers", type="voice_leave"))["disconnect"] == []
    await ann.signal.close()
    await second.send(type="answer", call_id=call_id, sdp="v=0")
    await bob.signal.next("answer", from_user_id=ann.id)
    await unpaired(server, bob)


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


# Calls


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
    await talk(ann.signal, bob.signal, bob.person)
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


# How loud, and from where


async def test_gains_follow_the_positions(server: Server) -> None:
    """Falling with the distance, to the side of x; to each as they hear it, of their own links alone."""
    ann, bob, _ = await two(server)
    (far,) = await speakers(server, 50)
    loud = round(gain(3, 10), 3)
    assert await ann.signal.next("voice_gains") == {"type": "voice_gains", "gains": [[bob.id, loud, 1.0]]}
    assert await bob.signal.next("voice_gains") == {"type": "voice_gains", "gains": [[ann.id, loud, -1.0]]}
    await bob.stand(-4, 6)
    heard = (await ann.signal.next("voice_gains"))["gains"]
    assert heard == [[bob.id, round(gain(6, 10), 3), round(pan(-4, 6, 10), 3)]]
    await bob.stand(-11, 0)
    assert (await ann.signal.next("voice_gains"))["gains"] == [[bob.id, 0, -1]]
    await far.signal.quiet()


async def test_what_nobody_would_hear_is_not_told(server: Server) -> None:
    """Small steps are told when together they make a difference."""
    ann, bob, _ = await two(server)
    await ann.signal.next("voice_gains")
    for x in (3.01, 3.02, 3.03):
        await bob.stand(x)
        await ticks(server)
        await ann.signal.quiet("voice_gains")
    await bob.stand(3.5)
    await ann.signal.next("voice_gains")


async def test_gains_come_once_a_tick_and_replace_older_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often somebody moves; while a reader is behind, the newest takes the place of those that wait."""
    ann, bob, _ = await two(server)
    await ann.signal.next("voice_gains")
    keys: list[Hashable] = []
    send = SocketConnection.send

    def noted(self: SocketConnection, frame: bytes, key: Hashable | None = None) -> None:
        if b"voice_gains" in frame and self.user_id == ann.id:
            keys.append(key)
        send(self, frame, key)

    monkeypatch.setattr(SocketConnection, "send", noted)
    done = 0
    look = server.app.node.voice._look

    def counted(news: Any) -> Any:
        nonlocal done
        done += 1
        return look(news)

    monkeypatch.setattr(server.app.node.voice, "_look", counted)
    for number in range(60):
        await bob.stand(number % 10)
    await ticks(server)
    assert 1 <= len(keys) <= done + 2
    assert set(keys) == {"voice_gains"} and voice_service.TICK_SECONDS >= 0.1


async def test_gains_come_again_to_who_comes_back(server: Server) -> None:
    """Though nobody has moved: a page that was reloaded knows of none."""
    ann, bob, _ = await two(server)
    told = await ann.signal.next("voice_gains")
    await ann.signal.close()
    ann.signal = await ann.person.signal()
    await ann.join()
    assert await ann.signal.next("voice_gains") == told
    await bob.signal.next("voice_gains")
    await ticks(server)
    await bob.signal.quiet("voice_gains")
    await bob.signal.ask("voice_peers", type="voice_leave")
    await bob.join()
    assert await ann.signal.next("voice_gains") == told


# What an operator sees


async def test_voice_is_counted_and_is_no_call(server: Server) -> None:
    """Two gauges; the open counter of calls has calls alone."""
    await two(server)
    read = server.app.node.metrics.registry.get_sample_value
    assert (read("hereabouts_voice_joined"), read("hereabouts_voice_links")) == (2, 1)
    assert await server.call("GET", "/webrtc/active-calls") == (200, {"ringing": 0, "active": 0})


async def test_nobody_is_looked_for_when_all_have_left(server: Server) -> None:
    """The tick ends with the last of them, and begins again with the next."""
    ann, bob, _ = await two(server)
    for speaker in (ann, bob):
        await speaker.signal.ask("voice_peers", type="voice_leave")
    while server.app.node.voice._timer is not None:
        await asyncio.sleep(0.01)
    await ann.join()
    await bob.join()
    await ann.meets(bob)
