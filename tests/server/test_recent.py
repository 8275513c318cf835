"""The newest messages in memory, against a list that is searched from end to end; and what a client sees of it."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import recent
from server.recent import Recent
from storage.records import Message
from tests.harness import Server

MANY = 1_000_000


def message(seq: int, room_id: str = "room", content: str = "text") -> Message:
    return Message(f"{room_id}-{seq}", room_id, seq, "sender", content, seq)


def expected(stored: list[Message], before: int | None, after: int | None, limit: int) -> list[Message]:
    """What the store says of a room with these messages."""
    if after is not None:
        return [each for each in stored if each.seq > after][:limit]
    return [each for each in reversed(stored) if before is None or each.seq < before][:limit]


@given(
    first=st.integers(1, 12),
    told=st.integers(0, 40),
    filled=st.booleans(),
    before=st.none() | st.integers(0, 60),
    after=st.none() | st.integers(0, 60),
    limit=st.integers(1, 15),
)
def test_it_answers_as_the_store_or_not_at_all(
    first: int, told: int, filled: bool, before: int | None, after: int | None, limit: int
) -> None:
    """Wherever the run begins; and it does answer where the run has it all."""
    stored = [message(seq) for seq in range(1, first + told)]
    held = Recent(MANY)
    with patch.object(recent, "RUN", 20):
        if filled:
            held.fill(stored[::-1][:20])
        else:
            for each in stored[first - 1 :]:
                held.add(each)
    page = held.page("room", before=before, after=after, limit=limit)
    wanted = expected(stored, before, after, limit)
    assert page is None or page == wanted
    run = stored[-20:] if filled else stored[first - 1 :][-20:]
    if run and wanted and all(each in run for each in wanted) and (len(wanted) == limit or run[0].seq == 1):
        assert page == wanted


def test_a_deleted_message_loses_its_text_and_keeps_its_place() -> None:
    """As in the store; and nothing that was read before is put in afterwards."""
    held = Recent(MANY)
    for seq in (1, 2, 3):
        held.add(message(seq))
    before = held.removals
    held.delete("room", "room-2")
    page = held.page("room", before=None, after=None, limit=3)
    assert page is not None
    assert [(each.seq, each.content) for each in page] == [(3, "text"), (2, None), (1, "text")]
    assert held.removals > before


def test_what_was_not_asked_for_longest_goes_first_and_the_bound_holds() -> None:
    """By bytes, whole rooms at a time; a room that is forgotten leaves nothing."""
    held = Recent(4_000)
    for room_id in ("a", "b", "c"):
        for seq in (1, 2):
            held.add(message(seq, room_id))
    assert held.size <= 4_000
    assert held.page("a", before=None, after=None, limit=1) is not None
    held.add(message(1, "d", "x" * 1_000))
    assert held.page("a", before=None, after=None, limit=1) is not None
    assert held.page("b", before=None, after=None, limit=1) is None
    for room_id in ("a", "c", "d"):
        held.forget(room_id)
    assert held.size == 0


def test_a_run_has_a_length() -> None:
    """More than the longest replay, and no more than that."""
    held = Recent(MANY)
    for seq in range(1, 2_000):
        held.add(message(seq))
    assert held.page("room", before=None, after=None, limit=recent.RUN) is not None
    assert held.page("room", before=None, after=None, limit=recent.RUN + 1) is None
    assert held.size == recent.RUN * (held.size // recent.RUN)


async def test_a_page_in_memory_is_the_page_in_the_store(server: Server) -> None:
    """Newest, before and after; spoken after a restart, read after one, with a deleted one in it."""
    ann, bob = await server.people(2)
    group = await ann.group(bob)
    path = f"/chat/sessions/{group}/messages"
    ids = [(await ann.ok("POST", path, {"content": f"message {number}"}))["id"] for number in range(30)]
    await ann.ok("DELETE", f"{path}/{ids[27]}")
    queries = [
        "",
        "?limit=5",
        "?limit=5&before=20",
        "?limit=200",
        "?after=3&limit=9",
        "?after=30",
        "?before=1",
    ]
    in_memory = [await bob.ok("GET", path + query) for query in queries]
    operations: list[str] = []
    server.store.observe = lambda operation, seconds: operations.append(operation)
    assert [await bob.ok("GET", path + query) for query in queries] == in_memory
    assert "messages.page" not in operations
    server.app.node.recent.clear()
    assert [await bob.ok("GET", path + query) for query in queries] == in_memory
    assert "messages.page" in operations
    assert in_memory[1]["messages"][2] == {"id": ids[27], "room_id": group, "seq": 28, "deleted": True}


async def test_the_end_of_a_room_is_read_once(server: Server) -> None:
    """After that it is in memory, and stays the truth: a deletion, a new message, the end of the room."""
    (ann,) = await server.people(1)
    land = await ann.land()
    path = f"/chat/sessions/{land}/messages"
    first = await ann.ok("POST", path, {"content": "first"})
    server.app.node.recent.clear()
    operations: list[str] = []
    server.store.observe = lambda operation, seconds: operations.append(operation)
    for _ in range(3):
        assert len((await ann.ok("GET", path))["messages"]) == 1
    assert operations.count("messages.page") == 1
    await ann.ok("POST", path, {"content": "second"})
    await ann.ok("DELETE", f"{path}/{first['id']}")
    page = await ann.ok("GET", path)
    assert [each.get("content") for each in page["messages"]] == ["second", None]
    assert operations.count("messages.page") == 1
    await ann.ok("DELETE", f"/lands/{land}")
    await ann.refused("not_found", "GET", path)
    assert server.app.node.recent.size == 0


@pytest.mark.parametrize("limit", [1, 200])
async def test_a_page_that_was_read_before_a_deletion_is_not_kept(server: Server, limit: int) -> None:
    """The deletion happens while the store answers: the next reader does not see the text again."""
    (ann,) = await server.people(1)
    land = await ann.land()
    path = f"/chat/sessions/{land}/messages"
    said = await ann.ok("POST", path, {"content": "regretted"})
    server.app.node.recent.clear()
    messages = server.app.node.messages
    stored_page = messages._stored.page

    async def slow_page(*args: object, **query: object) -> list[Message]:
        page = await stored_page(*args, **query)  # type: ignore[arg-type]
        await ann.ok("DELETE", f"{path}/{said['id']}")
        return page

    with patch.object(messages._stored, "page", slow_page):
        await ann.ok("GET", f"{path}?limit={limit}")
    page = await ann.ok("GET", path)
    assert page["messages"] == [{"id": said["id"], "room_id": land, "seq": 1, "deleted": True}]
