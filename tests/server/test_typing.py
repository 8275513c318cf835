"""Typing: who is told, and how often."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.services import rooms
from tests.harness import Server, Socket


async def types(socket: Socket, room: str, is_typing: bool) -> None:
    """There is no answer: a pong shows that it was served."""
    await socket.send(type="typing", room_id=room, is_typing=is_typing)
    await socket.ask("pong", type="ping")


async def test_typing_in_a_land_is_told_to_the_others_who_have_joined(server: Server) -> None:
    """Every field; neither the typist's connections nor one outside of the room hear of it."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers, her_other = await ann.chat(land), await ann.chat(land)
    joined, idle = await bob.chat(land), await bob.chat()
    for socket in (hers, her_other):
        await socket.next("user_joined")
    await types(hers, land, True)
    assert await joined.next("typing") == {
        "type": "typing",
        "room_id": land,
        "user_id": ann.id,
        "username": ann.name,
        "is_typing": True,
    }
    for socket in (hers, her_other, joined, idle):
        await socket.quiet()


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_typing_in_a_session_is_told_to_the_other_members(kind: str, server: Server) -> None:
    """Joined or not, on all their connections, as messages are; a stranger hears nothing."""
    ann, bob, eve = await server.people(3)
    room = await (ann.private(bob) if kind == "private" else ann.group(bob))
    hers, his, his_other, theirs = await ann.chat(), await bob.chat(room), await bob.chat(), await eve.chat()
    await types(hers, room, False)
    for socket in (his, his_other):
        assert (await socket.next("typing", user_id=ann.id))["is_typing"] is False
    for socket in (hers, his, his_other, theirs):
        await socket.quiet()


async def test_typing_is_told_once_in_three_seconds_and_the_last_state_always(server: Server) -> None:
    """The first at once, the one that held at the end, none of those between; each person for oneself."""
    ann, bob, cat = await server.people(3)
    group = await ann.group(bob, cat)
    hers, his, cats = await ann.chat(), await bob.chat(), await cat.chat()
    for is_typing in (True, False, True, True, False):
        await types(hers, group, is_typing)
    await types(cats, group, True)
    assert (await his.next("typing", user_id=ann.id))["is_typing"] is True
    assert (await his.next("typing", user_id=cat.id))["is_typing"] is True
    await his.quiet("typing")
    assert (await his.next("typing"))["is_typing"] is False
    await his.quiet("typing")


@pytest.mark.parametrize("ending", ["message", "leave"])
async def test_a_message_and_a_departure_end_typing(
    ending: str, new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What still waited to be told is not told after it."""
    monkeypatch.setattr(rooms, "TYPING_SECONDS", 5.0)
    async with new_server() as server:
        ann, bob, cat = await server.people(3)
        land = await ann.land()
        hers, his, cats = await ann.chat(land), await bob.chat(land), await cat.chat(land)
        for is_typing in (True, False, True):
            await types(hers, land, is_typing)
        if ending == "message":
            await hers.ask("message_ack", type="send_message", room_id=land, content="done")
        else:
            await hers.close()
            await his.next("user_left", user_id=ann.id)
        # Told later than hers would be: the interval of hers began first.
        for is_typing in (True, False):
            await types(cats, land, is_typing)
        await his.next("typing", user_id=cat.id, is_typing=False)
        assert [event["user_id"] for event in his.taken("typing")] == [ann.id, cat.id]
