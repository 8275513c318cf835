"""Whom one can call: busy, absent, hidden, blocked and unknown people, and the setting `calls=known`."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.harness import Server, Socket
from tests.server.calling import NewServer, counts, pair, ring, talk

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
