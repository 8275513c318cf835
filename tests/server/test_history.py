"""Messages over REST: reading back and forth, sending, sending again, deleting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo import MongoClient

from storage.errors import Unavailable
from tests.harness import Person, Server


async def say(person: Person, room: str, content: str = "x", **more: str) -> Any:
    return await person.ok("POST", f"/chat/sessions/{room}/messages", {"content": content, **more})


async def seqs(person: Person, room: str, query: str = "") -> list[int]:
    page = await person.ok("GET", f"/chat/sessions/{room}/messages{query}")
    return [message["seq"] for message in page["messages"]]


# Reading


async def test_history_is_newest_first_with_every_field(server: Server) -> None:
    """As it was delivered; without the optional fields where there is nothing in them."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    assert await bob.ok("GET", f"/chat/sessions/{room}/messages") == {"messages": []}
    his = await bob.chat()
    first = await say(ann, room, "one", client_id="c-1")
    second = await say(bob, room, "two")
    assert first == {
        "id": first["id"],
        "room_id": room,
        "seq": 1,
        "sender_id": ann.id,
        "sender_username": ann.name,
        "content": "one",
        "created_at": first["created_at"],
        "client_id": "c-1",
    }
    assert second.keys() == first.keys() - {"client_id"}
    assert await bob.ok("GET", f"/chat/sessions/{room}/messages") == {"messages": [second, first]}
    for message in (first, second):
        assert await his.next("message") == {"type": "message", **message}


async def test_pages_backwards_and_forwards_hold_everything_once(server: Server) -> None:
    """`before`, `after` and what leads to the next page are exclusive; at the end nothing leads on."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    await asyncio.gather(*(say(ann, room, str(number)) for number in range(53)))
    path = f"/chat/sessions/{room}/messages"
    page = await bob.ok("GET", path)
    assert [message["seq"] for message in page["messages"]] == [*range(53, 3, -1)]
    assert page["next_before"] == 4
    page = await bob.ok("GET", f"{path}?before=4")
    assert [message["seq"] for message in page["messages"]] == [3, 2, 1]
    assert page.keys() == {"messages"}
    page = await bob.ok("GET", f"{path}?after=0&limit=50")
    assert [message["seq"] for message in page["messages"]] == [*range(1, 51)]
    assert page.keys() == {"messages", "next_after"}
    assert page["next_after"] == 50
    page = await bob.ok("GET", f"{path}?after=50&limit=3")
    assert [message["seq"] for message in page["messages"]] == [51, 52, 53]
    assert page.keys() == {"messages"}
    page = await bob.ok("GET", f"{path}?limit=2&before=3")
    assert ([message["seq"] for message in page["messages"]], page.keys()) == ([2, 1], {"messages"})
    assert await seqs(bob, room, "?limit=1") == [53]
    assert await seqs(bob, room, "?limit=200") == [*range(53, 0, -1)]
    assert await seqs(bob, room, "?before=1") == await seqs(bob, room, "?before=0") == []
    assert await seqs(bob, room, "?after=53") == await seqs(bob, room, "?after=9007199254740992") == []


async def test_a_history_query_out_of_bounds_is_refused(server: Server) -> None:
    """Limits are never clamped, and one reads in one direction."""
    (ann,) = await server.people(1)
    land = await ann.land()
    for query in (
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=",
        "limit=ten",
        "limit=1.5",
        "limit=nan",
        "limit=%ff",
        "limit=1&limit=2",
        "before=",
        "before=-1",
        "before=9007199254740993",
        "before=x",
        "after=-1",
        "after=1e400",
        "after=$gt",
        "before=2&after=1",
        "order=asc",
        "before[$gt]=1",
    ):
        await ann.refused("invalid_message", "GET", f"/chat/sessions/{land}/messages?{query}")


# Sending


async def test_content_is_kept_to_the_code_point(server: Server) -> None:
    """From 1 to 4,000 of them, as they were sent; one more, or none, is refused and nothing is kept."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    path = f"/chat/sessions/{room}/messages"
    good = [
        "x",
        "🐎" * 4000,
        "\u0000",
        "$where",
        '{"$ne": ""}',
        "<b>&amp;/",
        "\u2028 a\u0301 \r\n",
        "\ufeff",
        "\uffff",
    ]
    for content in good:
        assert (await say(ann, room, content))["content"] == content
    bad: list[Any] = [
        {"content": ""},
        {"content": "x" * 4001},
        {"content": "🐎" * 4001},
        {"content": None},
        {"content": {"$gt": ""}},
        {"content": ["x"]},
        {"content": 1},
        {},
        {"content": "x", "sender_id": bob.id},
        {"content": "x", "seq": 1},
        {"content": "x", "client_id": ""},
        {"content": "x", "client_id": "x" * 65},
        {"content": "x", "client_id": 1},
    ]
    for body in bad:
        await ann.refused("invalid_message", "POST", path, body)
    for text in (
        rb"\ud800",
        rb"a\ud800b",
        rb"\udc00",
        rb"\udc00\ud800",
        rb"\ud800\ud800",
        b"\xed\xa0\x80",
        b"\xff",
        b"\n",
    ):
        await ann.refused("invalid_message", "POST", path, b'{"content": "%s"}' % text)
    messages = (await bob.ok("GET", path))["messages"]
    assert [message["content"] for message in messages] == good[::-1]
    assert [message["seq"] for message in messages] == [*range(len(good), 0, -1)]


async def test_the_same_client_id_sends_once(server: Server) -> None:
    """From the same sender in the same room: the first message comes back, and nobody hears it again."""
    ann, bob = await server.people(2)
    room, other = await ann.private(bob), await ann.group(bob)
    his = await bob.chat()
    path, body = f"/chat/sessions/{room}/messages", {"content": "first", "client_id": "🐎" * 64}
    answers = await asyncio.gather(*(ann.call("POST", path, body) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200, 200, 200, 200, 201]
    first = answers[0][1]
    assert all(message == first for _, message in answers)
    assert await ann.call("POST", path, {**body, "content": "second"}) == (200, first)
    hers = await ann.chat()
    ack = await hers.ask("message_ack", type="send_message", room_id=room, **body)
    assert (ack["message_id"], ack["seq"]) == (first["id"], 1)
    assert (await say(bob, room, **body))["seq"] == 2
    assert (await say(ann, other, **body))["seq"] == 1
    await his.ask("pong", type="ping")
    heard = [message["seq"] for message in his.taken("message") if message["room_id"] == room]
    assert heard == [1, 2]
    assert await seqs(bob, room) == [2, 1]


async def test_a_deleted_message_is_not_sent_again(server: Server) -> None:
    """Its record stays, and with it what makes sending again harmless."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    message = await say(ann, room, client_id="c")
    await ann.ok("DELETE", f"/chat/sessions/{room}/messages/{message['id']}")
    assert (await say(ann, room, client_id="c"))["id"] == message["id"]
    assert await seqs(bob, room) == [1]


# Deleting


async def test_a_deleted_message_leaves_a_mark(server: Server, mongodb_uri: str, database_name: str) -> None:
    """All who would have heard it are told once; history shows the mark, and the ciphertext is gone."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    his = await bob.chat()
    kept, gone = await say(ann, room, "kept"), await say(ann, room, "gone", client_id="c")
    path = f"/chat/sessions/{room}/messages"
    for _ in range(2):
        assert await ann.call("DELETE", f"{path}/{gone['id']}") == (204, None)
    mark = {"id": gone["id"], "room_id": room, "seq": 2}
    assert await his.next("message_deleted") == {"type": "message_deleted", **mark}
    assert await bob.ok("GET", path) == {"messages": [{**mark, "deleted": True}, kept]}
    assert (await bob.ok("GET", f"{path}?after=1"))["messages"] == [{**mark, "deleted": True}]
    await his.quiet("message_deleted")
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        stored = {document["_id"]: document for document in client[database_name]["messages"].find()}
    assert "body" in stored[kept["id"]]
    assert "body" not in stored[gone["id"]]


async def test_only_its_sender_deletes_a_message(server: Server) -> None:
    """Another member is forbidden to, in a land its owner too; what is absent here is not found here."""
    ann, bob = await server.people(2)
    private, land = await ann.private(bob), await ann.land()
    for room in (private, land):
        message = await say(bob, room)
        path = f"/chat/sessions/{room}/messages"
        await ann.refused("forbidden", "DELETE", f"{path}/{message['id']}")
        for absent in ("none", "$ne", "%00", "x" * 65):
            await bob.refused("not_found", "DELETE", f"{path}/{absent}")
        assert "content" in (await ann.ok("GET", path))["messages"][0]
    await bob.refused("not_found", "DELETE", f"/chat/sessions/{private}/messages/{message['id']}")


async def test_deleting_at_once_is_told_once(server: Server) -> None:
    """Five requests that delete the same message at the same time: all succeed, the others hear of it once."""
    ann, bob = await server.people(2)
    private = await ann.private(bob)
    his = await bob.chat()
    sent = await ann.ok("POST", f"/chat/sessions/{private}/messages", {"content": "psst"})
    path = f"/chat/sessions/{private}/messages/{sent['id']}"
    answers = await asyncio.gather(*(ann.call("DELETE", path) for _ in range(5)))
    assert [status for status, _ in answers] == [204] * 5
    await his.next("message_deleted", id=sent["id"])
    await his.quiet("message_deleted")


@pytest.mark.logs("storage_failed")
async def test_a_deletion_whose_outcome_is_not_known_shows_as_it_is(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has it and its answer is lost: 503, history shows it deleted, and asked again it is told."""
    ann, bob = await server.people(2)
    private = await ann.private(bob)
    his = await bob.chat()
    path = f"/chat/sessions/{private}/messages"
    sent = await ann.ok("POST", path, {"content": "psst"})
    stored = server.store.messages.delete

    async def deletes_and_is_not_heard(*arguments: Any) -> bool:
        await stored(*arguments)
        raise Unavailable("the database missed its deadline")

    with monkeypatch.context() as lost:
        lost.setattr(server.store.messages, "delete", deletes_and_is_not_heard)
        await ann.refused("unavailable", "DELETE", f"{path}/{sent['id']}")
    mark = {"id": sent["id"], "room_id": private, "seq": 1}
    assert (await bob.ok("GET", path))["messages"] == [{**mark, "deleted": True}]
    await ann.ok("DELETE", f"{path}/{sent['id']}")
    assert await his.next("message_deleted") == {"type": "message_deleted", **mark}
