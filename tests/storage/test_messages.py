from __future__ import annotations

from storage.store import Store
from tests.storage.conftest import OpenStore, listen, new_message, whole_history, write


async def seqs(store: Store, **window: int | None) -> list[int]:
    return [message.seq for message in await store.messages.page("land", **window)]  # type: ignore[arg-type]


async def test_pages_go_both_ways(store: Store) -> None:
    """Newest first up to a number, or oldest first from one on; the number itself is left out."""
    await store.sessions.open_land("land", 1)
    await write(store, *"abcdefg")
    assert await seqs(store, limit=3) == [7, 6, 5]
    assert await seqs(store, before=5, limit=3) == [4, 3, 2]
    assert await seqs(store, before=2, limit=3) == [1]
    assert await seqs(store, before=1, limit=3) == []
    assert await seqs(store, after=0, limit=3) == [1, 2, 3]
    assert await seqs(store, after=5, limit=3) == [6, 7]
    assert await seqs(store, after=7, limit=3) == []
    assert await store.messages.page("other", limit=3) == []


async def test_a_message_comes_back_as_it_was_written(store: Store) -> None:
    """Every field is kept, whatever characters the content has."""
    await store.sessions.open_land("land", 1)
    content = 'häßlich \0 \U0001f600 {"$ne": 1} ' + "x" * 3_900
    written = (await store.writer.submit(new_message(content=content, client_id="c", created_at=77))).message
    assert (written.content, written.client_id, written.created_at, written.seq) == (content, "c", 77, 1)
    assert await whole_history(store) == [written]
    assert await store.messages.get("land", written.id) == written
    assert await store.messages.get("other", written.id) is None
    assert await store.messages.get("land", "absent") is None


async def test_deleting_leaves_a_tombstone(store: Store) -> None:
    """The ciphertext is gone for good; place, sender and client id stay, so nothing is sent twice for it."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    first, second = await write(store, "one", "two", client_id=None)
    assert await store.messages.delete("land", first.id, 1) is True
    tombstone = await store.messages.get("land", first.id)
    assert tombstone is not None and tombstone.deleted
    assert (tombstone.id, tombstone.seq, tombstone.sender_id) == (first.id, 1, "ann")
    assert await store.messages.delete("land", first.id, 1) is False
    assert await whole_history(store) == [tombstone, second]
    stored = await store.database["messages"].find_one({"_id": first.id})
    assert "body" not in stored
    assert await store.messages.delete("land", "absent", 1) is False
    assert await store.messages.delete("other", second.id, 1) is False
    assert told == [first, second]


async def test_newest_of_each(store: Store) -> None:
    """The newest message of each session that has one, deleted or not."""
    for land_id in ("a", "b", "empty"):
        await store.sessions.open_land(land_id, 1)
    (old, new) = await write(store, "old", "new", session_id="a")
    (only,) = await write(store, "only", session_id="b")
    await store.messages.delete("b", only.id, 1)
    newest = await store.messages.newest(["a", "b", "empty", "absent"])
    assert newest.keys() == {"a", "b"}
    assert newest["a"] == new
    assert newest["b"].deleted and newest["b"].id == only.id


async def test_counts(store: Store) -> None:
    """All messages, and those from a time on, that time included."""
    await store.sessions.open_land("land", 1)
    assert await store.messages.counts(0) == (0, 0)
    for created_at in (10, 20, 30):
        await write(store, "x", created_at=created_at)
    assert await store.messages.counts(20) == (3, 2)
    assert await store.messages.counts(31) == (3, 0)


async def test_retention_may_differ_by_kind(store: Store) -> None:
    """What is older than the given time goes, in sessions of the given kinds alone."""
    await store.sessions.open_land("land", 1)
    await store.sessions.create_group("g", "x", ["ann"], "ann", 1)
    for created_at in (10, 20, 30):
        await write(store, "x", created_at=created_at)
        await write(store, "x", session_id="g", kind="group", created_at=created_at)
    assert await store.messages.purge(20, ["land"]) == 1
    assert await store.messages.purge(20, ["land"]) == 0
    assert [message.created_at for message in await whole_history(store)] == [20, 30]
    assert [message.created_at for message in await whole_history(store, "g")] == [10, 20, 30]
    assert await store.messages.purge(100, ["land", "private", "group"]) == 5


async def test_numbers_go_on_rising_after_a_purge(store: Store, open_store: OpenStore) -> None:
    """A room emptied by retention goes on where it was, for this process and for one started later."""
    await store.sessions.open_land("land", 1)
    await write(store, *"abc")
    # As after a crash: the session's own word is behind its messages.
    await store.writer.settle()
    await store.database["sessions"].update_one({"_id": "land"}, {"$set": {"last_seq": 1}})
    assert await store.messages.purge(5_000, ["land"]) == 3
    (here,) = await write(store, "d")
    assert here.seq == 4
    later = await open_store()
    await store.messages.purge(5_000, ["land"])
    assert await later.writer.head("land") == 4
    (there,) = await write(later, "e")
    assert there.seq == 5
