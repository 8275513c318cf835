"""Coming back to what was said aloud: what was missed is replayed in order, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from server.services import resuming
from storage import speech_writer
from storage.errors import Unavailable
from tests.harness import Server, Socket
from tests.server.cast import operations
from tests.server.earshot import at, read, say


async def resume(socket: Socket, after: str | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`speech_resumed`, and the speech that came before it."""
    answer = await socket.ask("speech_resumed", type="resume", rooms=[], speech_after=after)
    return answer, socket.taken("speech")


@pytest.mark.parametrize("restart", [False, True])
async def test_what_was_missed_comes_in_order_and_then_what_is_said(restart: bool, server: Server) -> None:
    """The frames that others got; asked for again it does not come again; further back, what lies before it."""
    ann, bob = await server.people(2)
    hers, his = await at(ann), await at(bob)
    for content in ("one", "two", "three"):
        await say(hers, content)
    told = [await his.next("speech") for _ in range(3)]
    if restart:
        await server.stop()
        await server.start()
        hers = await at(ann)
    his = await at(bob)
    await say(hers, "live")
    await his.came(type="speech", content="live")
    his.taken("speech")
    answer, missed = await resume(his, told[1]["id"])
    assert missed == [told[2]]
    assert answer == {
        "type": "speech_resumed",
        "last_id": told[2]["id"],
        "complete": True,
        "ref": answer["ref"],
    }
    answer, missed = await resume(his, told[1]["id"])
    assert (answer["last_id"], missed) == (told[1]["id"], [])
    answer, missed = await resume(his, "0")
    assert (answer["last_id"], missed) == (told[1]["id"], told[:2])
    await say(hers, "and on")
    assert (await his.next("speech"))["content"] == "and on"
    await his.quiet("speech")


async def test_who_comes_for_the_first_time_is_told_where_to_go_on_from(server: Server) -> None:
    """The last that was said before the connection; nothing is replayed, and what is said from then on is above it."""
    ann, bob = await server.people(2)
    hers = await at(ann)
    assert (await resume(hers, None))[0]["last_id"] is None
    first = await say(hers)
    assert (await resume(hers, None))[0]["last_id"] is None
    hers, his = await ann.chat(), await at(bob)
    second = await say(hers)
    answer, told = await resume(hers, None)
    assert (answer["last_id"], answer["complete"]) == (first["id"], True)
    assert [event["id"] for event in told] == [second["id"]]
    assert (await resume(his, None))[0]["last_id"] is None


async def test_beside_rooms_it_comes_last(server: Server) -> None:
    """With their ref; a room that may not be entered keeps nobody from it."""
    ann, bob = await server.people(2)
    land = await bob.land()
    hers = await at(ann)
    await say(hers)
    again = await ann.chat()
    rooms = [{"room_id": room, "after_seq": 0} for room in (land, "absent")]
    await again.send(type="resume", rooms=rooms, speech_after="0", ref="back")
    await again.next("speech_resumed", ref="back")
    assert [event["type"] for event in again.events if event.get("ref") == "back"] == ["resumed", "error"]
    assert again.events[-1]["type"] == "speech"
    error = await again.refused("invalid_message", type="resume", rooms=[])
    assert "speech_after" in error["message"]


@pytest.mark.parametrize("missed", [3, 4])
async def test_who_has_missed_too_much_is_told_so(
    missed: int, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three here in place of 1,000: nothing is replayed, and history has all of it; at the bound it is replayed."""
    monkeypatch.setattr(resuming, "MOST_MISSED", 3)
    monkeypatch.setattr(resuming, "REPLAY_PAGE", 2)
    ann, bob = await server.people(2)
    hers = await at(ann)
    his = await at(bob)
    first = await say(hers, "seen")
    for number in range(missed):
        await say(hers, str(number))
    again = await bob.chat()
    answer, told = await resume(again, first["id"])
    assert answer["complete"] == (missed == 3)
    assert [event["content"] for event in told] == (["0", "1", "2"] if missed == 3 else [])
    assert await read(bob) == [str(number) for number in reversed(range(missed))] + ["seen"]
    await say(hers, "and on")
    await again.next("speech", content="and on")
    await his.next("speech", content="and on")


@pytest.mark.parametrize("outages", [False, True])
async def test_no_gap_and_no_double_whatever_is_said_meanwhile(
    outages: bool, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices that come and go for as long as several people speak each hear everything once, and in order.

    Also where the database takes some and does not say so, or says that it failed and did.
    """
    if outages:
        make_unreliable(server, monkeypatch)
    ann, bob = await server.people(2)
    speakers = [await at(person) for person in await server.people(3)]
    keeper = await at(bob)  # so that his place does not go with the others

    async def speak(socket: Socket) -> None:
        for number in range(120):
            await say(socket, str(number))
            if number % 7 == 0:
                await asyncio.sleep(0.002)

    async def device(seed: int) -> list[str]:
        rng = random.Random(seed)
        heard: list[str] = []
        done = False
        while not done:
            done = speaking.done()
            his = await bob.chat()
            answer = await his.ask(
                "speech_resumed", type="resume", rooms=[], speech_after=heard[-1] if heard else "0"
            )
            assert answer["complete"]
            await asyncio.sleep(rng.uniform(0, 0.03))
            await his.close()
            got = [event["id"] for event in his.taken("speech")]
            assert len(got) == len(set(got)), "something came twice on one connection"
            assert not set(got) & set(heard), "something was told before"
            # All up to `last_id` has come; what is above it may have come before it.
            heard += sorted(got)
            assert heard == sorted(heard)
        return heard

    speaking = asyncio.gather(*(speak(socket) for socket in speakers))
    devices = await asyncio.gather(*(device(seed) for seed in range(3)))
    await speaking
    stored = await server.store.speech.page(bob.id, limit=1_000)
    everything = [speech.id for speech in reversed(stored)]
    assert len(everything) == 360
    assert devices == [everything] * 3
    assert [event["id"] for event in keeper.taken("speech")] == everything


def make_unreliable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third commit fails before it, after it, or in the middle of it."""
    rng = random.Random(6)
    insert = server.store.speech_writer._insert

    async def unreliable(documents: Any) -> set[str]:
        if rng.random() < 0.33:
            part = rng.choice([[], documents, documents[: len(documents) // 2]])
            if part:
                await insert(part)
            raise Unavailable("nobody knows")
        return await insert(documents)

    monkeypatch.setattr(server.store.speech_writer, "_insert", unreliable)
    monkeypatch.setattr(speech_writer, "_AGAIN_SECONDS", 0.01)


async def test_many_who_come_back_are_one_reading(server: Server) -> None:
    """Of those who missed nothing it is known together; who did has a page read."""
    people = await server.people(60)
    hers = await at(people[0])
    far = [await at(person, 100) for person in people[1:]]
    said = await say(hers, "to nobody")
    for socket in far:
        await socket.close()
    one = await at(people[1])
    await say(hers, "still to nobody")
    await say(one, "to oneself")
    with operations(server) as done:
        sockets = await asyncio.gather(*(person.chat() for person in people[1:]))
        done.clear()
        await asyncio.gather(
            *(socket.send(type="resume", rooms=[], speech_after=said["id"]) for socket in sockets)
        )
        answers = [await socket.next("speech_resumed") for socket in sockets]
        assert len(done) < 10, done
    missed = [bool(answer["last_id"] != said["id"]) for answer in answers]
    assert missed == [True] + [False] * 58


async def test_a_slow_reader_is_replayed_as_fast_as_it_reads(new_server: Callable[..., Server]) -> None:
    """Far more than the buffer holds comes through."""
    async with new_server(buffer_bytes=65_536) as server:
        ann, bob = await server.people(2)
        hers = await at(ann)
        his = await at(bob)
        for _ in range(100):
            await hers.send(type="say", content="x" * 4_000)
        for _ in range(100):
            await hers.next("speech_ack")
        await his.close()
        again = await bob.chat()
        answer, told = await resume(again, "0")
        assert (answer["complete"], len(told)) == (True, 100)
