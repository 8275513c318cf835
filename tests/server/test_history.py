"""History over REST: paging, deleting, and posting again."""

from __future__ import annotations

import pytest

from tests.harness import Person, Server


async def say(person: Person, room: str, *contents: str) -> list[str]:
    """The ids of the messages, in order."""
    path = f"/chat/sessions/{room}/messages"
    return [(await person.ok("POST", path, {"content": content}))["id"] for content in contents]


@pytest.mark.parametrize(
    ("query", "seqs", "rest"),
    [
        ("", [5, 4, 3, 2, 1], {}),
        ("limit=5", [5, 4, 3, 2, 1], {}),
        ("limit=2", [5, 4], {"next_before": 4}),
        ("limit=2&before=4", [3, 2], {"next_before": 2}),
        ("limit=2&before=2", [1], {}),
        ("before=1", [], {}),
        ("before=0", [], {}),
        ("after=0", [1, 2, 3, 4, 5], {}),
        ("after=0&limit=2", [1, 2], {"next_after": 2}),
        ("after=2&limit=2", [3, 4], {"next_after": 4}),
        ("after=4&limit=2", [5], {}),
        ("after=5", [], {}),
        ("after=99", [], {}),
    ],
)
async def test_pages_are_exclusive_at_their_start(
    query: str, seqs: list[int], rest: dict[str, int], server: Server
) -> None:
    """Newest first, with `after` oldest first; where a page is the last, nothing follows it."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    await say(ann, room, *"12345")
    page = await bob.ok("GET", f"/chat/sessions/{room}/messages?{query}")
    assert [message["seq"] for message in page.pop("messages")] == seqs
    assert page == rest


async def test_a_page_that_makes_no_sense_is_refused(server: Server) -> None:
    """Both directions, a limit out of range, what is no number."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    for query in (
        "before=2&after=1", "limit=0", "limit=201", "limit=-1", "limit=x", "before=-1", "after=1.5",
        "before=", "limit=1&limit=2", "order=asc", "after=99999999999999999999",
    ):  # fmt: skip
        await ann.refused("invalid_message", "GET", f"/chat/sessions/{room}/messages?{query}")
    await ann.ok("GET", f"/chat/sessions/{room}/messages?limit=200")


async def test_only_its_sender_deletes_a_message(server: Server) -> None:
    """A place in the order stays; deleting twice succeeds; strangers find nothing."""
    ann, bob, eve = await server.people(3)
    room = await ann.private(bob)
    first, second = await say(ann, room, "one", "two")
    path = f"/chat/sessions/{room}/messages"
    await bob.refused("forbidden", "DELETE", f"{path}/{first}")
    await eve.refused("not_found", "DELETE", f"{path}/{first}")
    await ann.refused("not_found", "DELETE", f"{path}/none")
    for _ in range(2):
        assert await ann.call("DELETE", f"{path}/{first}") == (204, None)
    page = await bob.ok("GET", path)
    assert [message["id"] for message in page["messages"]] == [second, first]
    assert page["messages"][1] == {"id": first, "room_id": room, "seq": 1, "deleted": True}


async def test_posting_again_makes_nothing_new(server: Server) -> None:
    """The same `client_id` of the same sender gives the first message; another sender's is another."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    path = f"/chat/sessions/{room}/messages"
    status, first = await ann.call("POST", path, {"content": "one", "client_id": "a"})
    assert status == 201
    expected = {"room_id": room, "seq": 1, "content": "one", "client_id": "a"}
    assert first == {
        **expected,
        "id": first["id"],
        "created_at": first["created_at"],
        "sender_id": ann.id,
        "sender_username": ann.name,
    }
    assert (await ann.call("POST", path, {"content": "two", "client_id": "a"}))[1] == first
    await bob.ok("POST", path, {"content": "three", "client_id": "a"})
    assert [message["content"] for message in (await ann.ok("GET", path))["messages"]] == ["three", "one"]
