"""Voice in earshot over real sockets: who is paired, who is told, and what ends it."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

import pytest

from server.services import voice as voice_service
from spatial.hearing import gain
from spatial.pairing import PEERS
from tests.harness import Server
from tests.server.speakers import PEERS_OF_NONE, NewServer, Speaker, speakers, ticks, two, unpaired

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
