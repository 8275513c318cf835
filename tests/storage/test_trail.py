from __future__ import annotations

from typing import Any

import pytest

from storage.errors import Unavailable
from storage.records import Message
from storage.store import Store
from storage.trail import Trail


def written(seq: int, sender_id: str, created_at: int = 1) -> Message:
    return Message(f"message-{seq}", "land", seq, sender_id, "hello", created_at)


async def stored(store: Store) -> tuple[int, int, dict[str, int]]:
    session = await store.database["sessions"].find_one({"_id": "land"})
    marks = await store.database["marks"].find({}).to_list(None)
    return session["last_seq"], session["active_at"], {mark["user"]: mark["read_seq"] for mark in marks}


async def prepared(store: Store) -> Trail:
    await store.sessions.open_land("land", 1)
    for user_id in ("ann", "bob"):
        await store.sessions.enter("land", user_id, 0)
    return Trail(store.database)


async def test_many_messages_leave_one_trail(store: Store) -> None:
    """The newest number and time of a room, and of each sender, are what is written, in any order of coming."""
    trail = await prepared(store)
    for message in (written(1, "ann", 5), written(2, "bob", 9), written(3, "ann", 7)):
        trail.add(message)
    assert trail.pending
    await trail.settle()
    assert not trail.pending
    assert await stored(store) == (3, 9, {"ann": 3, "bob": 2})


async def test_a_trail_never_leads_back(store: Store) -> None:
    """What another process has written meanwhile, or a reader has read, stays where it is further on."""
    trail = await prepared(store)
    await store.database["sessions"].update_one({"_id": "land"}, {"$set": {"last_seq": 8, "active_at": 80}})
    await store.sessions.mark_read("land", "ann", 8)
    trail.add(written(3, "ann", 30))
    await trail.settle()
    assert await stored(store) == (8, 80, {"ann": 8, "bob": 0})


async def test_what_could_not_be_written_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed writing loses nothing, neither of what it was to write nor of what came in meanwhile."""
    trail = await prepared(store)
    trail.add(written(1, "ann"))
    trail.add(written(2, "bob", 20))

    async def fail(rooms: Any) -> None:
        trail.add(written(3, "ann", 10))
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(trail, "_write", fail)
        with pytest.raises(Unavailable):
            await trail.settle()
    await trail.settle()
    assert await stored(store) == (3, 20, {"ann": 3, "bob": 2})


async def test_a_deleted_room_leaves_no_trail(store: Store) -> None:
    """Nothing is written for a room that was forgotten."""
    trail = await prepared(store)
    trail.add(written(1, "ann"))
    trail.forget("land")
    assert not trail.pending
    await trail.settle()
    assert await stored(store) == (0, 1, {"ann": 0, "bob": 0})
