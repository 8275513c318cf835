"""Speech: who hears what is said aloud, and who reads it later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from server.clock import DAY_MS
from server.services import proximity
from server.services.retention import purge
from storage.errors import Unavailable
from tests.harness import Server
from tests.server.earshot import at, deaf, read, say, stand

# Saying and hearing


async def test_everyone_within_earshot_hears_the_same_and_so_does_who_speaks(server: Server) -> None:
    """On all connections; not farther away, not in another world, not without a position."""
    ann, bob, far, moon, nowhere = await server.people(5)
    hers, other = await at(ann, 1, 2), await ann.chat()
    near = [await at(bob, 11, -8), await bob.chat()]
    away = [await at(far, 11.001, 2), await at(moon, 1, 2, world_id="moon"), await nowhere.chat()]
    ack = await say(hers, "Ahoy!", client_id="c-1")
    assert ack == {
        "type": "speech_ack",
        "client_id": "c-1",
        "id": ack["id"],
        "created_at": ack["created_at"],
        "ref": ack["ref"],
    }
    for socket in (hers, other, *near):
        assert await socket.next("speech") == {
            "type": "speech",
            "id": ack["id"],
            "sender_id": ann.id,
            "sender_username": ann.name,
            "content": "Ahoy!",
            "x": 1.0,
            "y": 2.0,
            "created_at": ack["created_at"],
        }
    await deaf(*away)
    assert (await say(hers, "x"))["client_id"] is None


async def test_who_is_nowhere_is_told_so(server: Server) -> None:
    """In the words of what to do about it; then it works, and ends with the last connection."""
    ann, bob = await server.people(2)
    his = await at(bob)
    hers = await ann.chat()
    error = await hers.refused("not_joined", type="say", content="x", client_id="c")
    assert "where you are" in error["message"]
    await stand(hers)
    await say(hers, "here", client_id="c")
    await hers.close()
    await his.next("presence_update", status="offline")
    hers = await ann.chat()
    await hers.refused("not_joined", type="say", content="x")
    assert [event["content"] for event in his.taken("speech")] == ["here"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": ""},
        {"content": "x" * 4_001},
        {"content": "x", "client_id": ""},
        {"content": "x", "x": 1},
    ],
)
async def test_what_cannot_be_said(fields: dict[str, Any], server: Server) -> None:
    (ann,) = await server.people(1)
    hers = await at(ann)
    await hers.refused("invalid_message", type="say", **fields)
    await say(hers, "😀" * 4_000)


@pytest.mark.parametrize("hidden", [{"invisible": True}, {"share_location": False}], ids=str)
async def test_one_who_is_not_to_be_found_hears_and_is_heard_without_a_place(
    hidden: dict[str, bool], server: Server
) -> None:
    """Later too: in history and in a replay."""
    ann, bob = await server.people(2)
    await ann.ok("PATCH", "/auth/me", hidden)
    hers, his = await at(ann, 1, 2), await at(bob, 3, 4)
    await say(his, "anybody here?")
    assert (await hers.next("speech", sender_id=bob.id))["x"] == 3
    await say(hers, "psst")
    heard = await his.next("speech", sender_id=ann.id)
    assert heard.keys() == {"type", "id", "sender_id", "sender_username", "content", "created_at"}
    (first, _) = (await bob.ok("GET", "/chat/speech"))["speech"]
    assert {"type": "speech", **first} == heard
    again = await bob.chat()
    await again.ask("speech_resumed", type="resume", rooms=[], speech_after="0")
    assert again.taken("speech")[1] == heard


async def test_on_a_grid_a_place_is_that_of_the_cell(new_server: Callable[..., Server]) -> None:
    """And earshot is by cells, as with all that others may know."""
    async with new_server(position_grid=4.0) as server:
        ann, bob, cyd = await server.people(3)
        hers, his, cyds = await at(ann, 0.5, 3.9), await at(bob, 11.9), await at(cyd, 12.1)
        await say(hers)
        assert (await his.next("speech"))["x"] == 2
        await deaf(cyds)


async def test_the_nearest_hear_and_the_hidden_take_nobodys_place(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two here in place of 200. Who does not share a place hears if as near as they, and shows in nothing."""
    monkeypatch.setattr(proximity, "LISTENERS", 2)
    ann, one, two, three, shy, shier, far = await server.people(7)
    for person in (shy, shier, far):
        await person.ok("PATCH", "/auth/me", {"share_location": False})
    places = {ann: 0, shy: 1, shier: 1, one: 2, far: 8, two: 3, three: 9}
    sockets = {person: await at(person, x) for person, x in places.items()}
    await say(sockets[ann])
    for person in (ann, one, two, shy, shier):
        await sockets[person].next("speech")
    await deaf(sockets[three], sockets[far])
    assert await read(three) == []


@pytest.mark.parametrize("blocks", [0, 1], ids=["by the speaker", "by the listener"])
async def test_across_a_block_neither_hears_the_other(blocks: int, server: Server) -> None:
    """Nor reads it, also when the block is gone; what was heard before stays. Others hear both."""
    ann, bob, wit = await server.people(3)
    hers, his, wits = await at(ann), await at(bob), await at(wit)
    await say(hers, "before")
    pair = (ann, bob) if blocks == 0 else (bob, ann)
    await pair[0].ok("PUT", f"/users/{pair[1].id}/block")
    await say(hers, "from ann")
    await say(his, "from bob")
    assert sorted(await read(bob)) == ["before", "from bob"]
    assert sorted(await read(ann)) == ["before", "from ann"]
    assert [(await wits.next("speech"))["content"] for _ in range(3)] == ["before", "from ann", "from bob"]
    await pair[0].ok("DELETE", f"/users/{pair[1].id}/block")
    assert "from ann" not in await read(bob)
    for socket, content in ((hers, "from bob"), (his, "from ann")):
        await socket.quiet("error")
        assert content not in [event["content"] for event in socket.taken("speech")]


async def test_who_was_there_at_that_moment_reads_it_and_a_latecomer_does_not(server: Server) -> None:
    """Whoever comes a step nearer, or connects, while it is written: it was not said to them."""
    ann, bob, late, outside = await server.people(4)
    hers, his, step = await at(ann), await at(bob), await at(outside, 11)
    insert = server.store.speech_writer._insert
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(documents: Any) -> set[str]:
        begun.set()
        await go_on.wait()
        return await insert(documents)

    server.store.speech_writer._insert = slow  # type: ignore[method-assign]
    await hers.send(type="say", content="a secret")
    await begun.wait()
    lates = await at(late)
    await stand(step, 0)
    await stand(his, 400)
    go_on.set()
    await hers.next("speech_ack")
    assert (await his.next("speech"))["content"] == "a secret"
    await deaf(lates, step)
    assert await read(bob) == await read(ann) == ["a secret"]
    assert await read(late) == await read(outside) == []
    for socket in (lates, step):
        answer = await socket.ask("speech_resumed", type="resume", rooms=[], speech_after="0")
        assert (answer["last_id"], answer["complete"]) == ("0", True)
        await deaf(socket)


async def test_said_again_it_is_heard_once(server: Server) -> None:
    """At once, later, with other words, after a reconnect without a position, after a restart: the first one's ack."""
    ann, bob = await server.people(2)
    hers, his = await at(ann), await at(bob)
    for _ in range(2):
        await hers.send(type="say", content="once", client_id="c")
    acks = [await hers.next("speech_ack") for _ in range(2)]
    acks.append(await say(hers, "other words", client_id="c"))
    await hers.close()
    await his.next("presence_update", status="offline")
    hers = await ann.chat()
    acks.append(await say(hers, "once", client_id="c"))
    await deaf(hers)
    assert [event["content"] for event in his.taken("speech")] == ["once"]
    await server.stop()
    await server.start()
    hers = await ann.chat()
    acks.append(await say(hers, "once", client_id="c"))
    assert len({(ack["id"], ack["created_at"], ack["client_id"]) for ack in acks}) == 1
    assert await read(bob) == ["once"]


@pytest.mark.logs("storage_failed")
async def test_nothing_is_acknowledged_or_heard_before_it_is_written(server: Server) -> None:
    """Without an outcome it is `unavailable`; once it is known whoever was to hear it does, and a retry is answered."""
    ann, bob = await server.people(2)
    hers, his = await at(ann), await at(bob)
    server.store.database.timeout = 0.2
    insert = server.store.speech_writer._insert

    async def lost(documents: Any) -> set[str]:
        await insert(documents)
        raise Unavailable("the answer was lost")

    server.store.speech_writer._insert = lost  # type: ignore[method-assign]
    await hers.refused("unavailable", type="say", content="hello", client_id="c")
    await deaf(hers, his)
    server.store.speech_writer._insert = insert  # type: ignore[method-assign]
    server.store.database.timeout = 5.0
    heard = await his.next("speech")
    ack = await say(hers, "hello", client_id="c")
    assert heard["id"] == ack["id"]
    await deaf(his)
    assert await read(bob) == ["hello"]


# Reading


async def test_history_is_what_one_said_or_heard_newest_first(server: Server) -> None:
    """Page by page, as it was told; everybody has their own."""
    ann, bob, cyd = await server.people(3)
    hers, his, cyds = await at(ann), await at(bob, 5), await at(cyd, 15)
    for number in range(7):
        await say((hers, his, cyds)[number % 3], str(number))
    told = [await his.next("speech") for _ in range(7)]
    page = await bob.ok("GET", "/chat/speech?limit=4")
    assert [{"type": "speech", **speech} for speech in page["speech"]] == told[:2:-1]
    assert page["next_before"] == told[3]["id"]
    page = await bob.ok("GET", f"/chat/speech?limit=4&before={page['next_before']}")
    assert [{"type": "speech", **speech} for speech in page["speech"]] == told[2::-1]
    assert page.keys() == {"speech"}
    assert await read(ann) == ["6", "4", "3", "1", "0"]
    assert await read(cyd, "?limit=200") == ["5", "4", "2", "1"]
    for query in ("?limit=0", "?limit=201", "?before=", "?after=1"):
        await bob.refused("invalid_message", "GET", f"/chat/speech{query}")


async def test_of_a_deleted_account_it_shows_no_sender(server: Server) -> None:
    """In history and in a replay; what they heard is nobody's any more."""
    ann, bob = await server.people(2)
    await say(await at(ann), "I was here")
    his = await at(bob)
    hers = await at(ann)
    await say(hers, "goodbye")
    await ann.ok("DELETE", "/auth/me")
    (speech,) = (await bob.ok("GET", "/chat/speech"))["speech"]
    assert (speech["sender_id"], speech["sender_username"], speech["content"]) == (None, None, "goodbye")
    again = await bob.chat()
    await again.ask("speech_resumed", type="resume", rooms=[], speech_after="0")
    assert again.taken("speech") == [{"type": "speech", **speech}]
    await his.next("speech")


@pytest.mark.parametrize(("days", "kept"), [(3, []), (0, ["hello"])])
async def test_retention_of_lands_is_that_of_speech(
    days: int, kept: list[str], new_server: Callable[..., Server]
) -> None:
    """It goes when its days are over, with the key of its day; with 0 it stays, whatever holds for sessions."""
    async with new_server(retention_days=1, land_retention_days=days) as server:
        (ann,) = await server.people(1)
        await say(await at(ann))
        node, store = server.app.node, server.store
        for left in (["hello"], kept):
            server.clock.advance(2 * DAY_MS / 1000)
            await purge(server.settings, store.messages, store.speech, node.recent, server.clock)
            found = await store.speech.page(ann.id, limit=10)
            assert [speech.content for speech in found] == left
        assert await store.database["speech_keys"].count_documents({}) == len(kept)


async def test_it_is_counted(server: Server) -> None:
    """Beside messages: what was stored, not what was repeated."""
    (ann,) = await server.people(1)
    hers = await at(ann)
    for client_id in ("a", "b", "a"):
        await say(hers, client_id=client_id)
    counted = (await server.fetch("GET", f"{server.origin}/metrics")).body.decode()
    assert "hereabouts_speech_total 2.0" in counted
    assert "hereabouts_speech_pending 0.0" in counted
