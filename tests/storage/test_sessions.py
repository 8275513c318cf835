from __future__ import annotations

import asyncio

import pytest

from storage.errors import MemberLimit, SessionGone
from storage.records import Session
from storage.store import Store
from tests.storage.conftest import OpenStore, new_message, whole_history, write


async def test_a_land_has_one_session_under_its_own_id(store: Store) -> None:
    """The first to open a land's session makes it; the next finds it as it was."""
    made = Session("land", "land", None, (), None, 5, 0, 5)
    assert await store.sessions.open_land("land", 5) == (made, True)
    assert await store.sessions.open_land("land", 9) == (made, False)
    assert await store.sessions.get("land") == made
    assert await store.sessions.get("other") is None


async def test_opening_at_the_same_moment_makes_one(store: Store, open_store: OpenStore) -> None:
    """Of many who open one land, or one private session, at once, in two processes, one makes it."""
    stores = [store, await open_store()] * 8
    lands = await asyncio.gather(*(each.sessions.open_land("land", 5) for each in stores))
    assert [created for _, created in lands].count(True) == 1
    private = await asyncio.gather(
        *(each.sessions.open_private(f"p{number}", "ann", "bob", 5) for number, each in enumerate(stores))
    )
    assert [created for _, created in private].count(True) == 1
    assert len({session.id for session, _ in private}) == 1
    assert await store.sessions.count() == 2
    assert await store.database["marks"].count_documents({}) == 2


async def test_two_people_have_one_private_session_for_ever(store: Store) -> None:
    """Whoever of the two asks, in whatever order, gets the same one; ids that only look alike do not."""
    made, created = await store.sessions.open_private("p", "bob", "ann", 5)
    assert created
    assert made == Session("p", "private", None, ("bob", "ann"), "bob", 5, 0, 5)
    assert await store.sessions.open_private("q", "ann", "bob", 9) == (made, False)
    assert await store.sessions.open_private("r", "ann", "bobann", 9) != (made, False)
    assert (await store.sessions.open_private("s", "an", "nbob", 9))[1]


async def test_a_new_session_is_listed_for_its_members(store: Store) -> None:
    """Private sessions and groups are marked for each member from the start, as read up to nothing."""
    await store.sessions.open_private("p", "ann", "bob", 5)
    group = await store.sessions.create_group("g", "Friends", ["ann", "bob", "ann", "cid"], "ann", 6)
    assert group == Session("g", "group", "Friends", ("ann", "bob", "cid"), "ann", 6, 0, 6)
    for user_id, listed in [("ann", ["g", "p"]), ("bob", ["g", "p"]), ("cid", ["g"]), ("dan", [])]:
        assert [session.id for session in await store.sessions.page(user_id, before=None, limit=9)] == listed
        assert await store.sessions.read_seqs(user_id, ["g", "p"]) == dict.fromkeys(listed, 0)


async def test_a_quiet_private_session_is_listed_for_the_other_once_it_is_used(store: Store) -> None:
    """By the other, who opens it too, or by whoever writes there; the one who made it has it at once."""

    async def listed(user_id: str) -> list[str]:
        return [session.id for session in await store.sessions.page(user_id, before=None, limit=9)]

    for number, other in enumerate(("bob", "cid", "dan")):
        await store.sessions.open_private(other, "ann", other, number, quiet=True)
        await store.sessions.open_private("again", "ann", other, number)
        assert await listed(other) == []
    assert await listed("ann") == ["dan", "cid", "bob"]
    assert (await store.sessions.open_private("again", "bob", "ann", 9))[1] is False
    await write(store, "hello", session_id="cid", kind="private")
    assert [await listed(other) for other in ("bob", "cid", "dan")] == [["bob"], ["cid"], []]


async def test_rename_is_for_groups(store: Store) -> None:
    """A group gets a new name; a land's and a private session have none to change."""
    await store.sessions.create_group("g", "Friends", ["ann"], "ann", 6)
    await store.sessions.open_land("land", 5)
    renamed = await store.sessions.rename("g", "Foes")
    assert renamed is not None and renamed.name == "Foes"
    assert await store.sessions.get("g") == renamed
    assert await store.sessions.rename("land", "x") is None
    assert await store.sessions.rename("absent", "x") is None


async def test_adding_members_tells_who_really_came(store: Store) -> None:
    """Those in already and those named twice come in once; what was written before is read for them."""
    await store.sessions.create_group("g", "Friends", ["ann", "bob"], "ann", 6)
    await write(store, "one", "two", session_id="g", kind="group")
    result = await store.sessions.add_members("g", ["bob", "cid", "cid", "dan"], limit=4, now=7)
    assert result is not None
    session, added = result
    assert (session.members, added) == (("ann", "bob", "cid", "dan"), ["cid", "dan"])
    assert await store.sessions.read_seqs("cid", ["g"]) == {"g": 2}
    assert await store.sessions.read_seqs("bob", ["g"]) == {"g": 0}
    assert await store.sessions.add_members("g", ["ann"], limit=4, now=7) == (session, [])
    assert await store.sessions.add_members("absent", ["ann"], limit=4, now=7) is None


async def test_a_group_over_its_limit_stays_as_it_was(store: Store) -> None:
    """More members than a group may have are refused together, not let in as far as there is room."""
    await store.sessions.create_group("g", "Friends", ["ann", "bob"], "ann", 6)
    with pytest.raises(MemberLimit):
        await store.sessions.add_members("g", ["cid", "dan"], limit=3, now=7)
    session = await store.sessions.get("g")
    assert session is not None and session.members == ("ann", "bob")
    assert await store.sessions.read_seqs("cid", ["g"]) == {}


async def test_the_limit_holds_when_many_add_at_once(store: Store, open_store: OpenStore) -> None:
    """Members added at the same moment by several do not pass the limit together."""
    other = await open_store()
    await store.sessions.create_group("g", "Friends", ["ann"], "ann", 6)
    adding = [
        (store, other)[number % 2].sessions.add_members("g", [f"user{number}"], limit=5, now=7)
        for number in range(12)
    ]
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert [isinstance(result, MemberLimit) for result in results].count(True) == 8
    session = await store.sessions.get("g")
    assert session is not None and len(session.members) == 5
    assert await store.database["marks"].count_documents({"session": "g"}) == 5


async def test_removing_a_member_takes_its_mark(store: Store) -> None:
    """Who leaves no longer has the group listed or read; who was not in it changes nothing."""
    await store.sessions.create_group("g", "Friends", ["ann", "bob"], "ann", 6)
    result = await store.sessions.remove_member("g", "bob")
    assert result is not None
    assert (result[0].members, result[1]) == (("ann",), True)
    assert await store.sessions.get("g") == result[0]
    assert await store.sessions.page("bob", before=None, limit=9) == []
    assert await store.sessions.mark_read("g", "bob", 1) is None
    assert await store.sessions.remove_member("g", "bob") == (result[0], False)
    assert await store.sessions.remove_member("absent", "bob") is None


async def test_a_message_of_one_who_left_brings_no_mark_back(store: Store) -> None:
    """The read mark that a message leaves for its sender is not made anew after the sender has gone."""
    await store.sessions.create_group("g", "Friends", ["ann", "bob"], "ann", 6)
    await store.writer.submit(new_message("g", "bob", kind="group"))
    await store.sessions.remove_member("g", "bob")
    await store.writer.settle()
    assert await store.sessions.read_seqs("bob", ["g"]) == {}


async def test_sessions_are_listed_by_their_newest_message(store: Store) -> None:
    """Pages go from the latest active on, ties by id, each session once, with nothing left out."""
    for number in range(7):
        await store.sessions.create_group(f"g{number}", "x", ["ann", "bob"], "ann", 10 + number // 3)
    await store.sessions.create_group("foreign", "x", ["bob"], "bob", 99)
    await store.sessions.open_land("land", 1)
    await store.sessions.enter("land", "ann", 0)
    await write(store, "news", session_id="g0", kind="group", created_at=50)
    order = []
    before = None
    while page := await store.sessions.page("ann", before=before, limit=3):
        order += [session.id for session in page]
        before = (page[-1].active_at, page[-1].id)
    assert order == ["g0", "g6", "g5", "g4", "g3", "g2", "g1", "land"]


async def test_a_list_knows_of_every_acknowledged_message(store: Store) -> None:
    """Whoever lists sessions right after an acknowledgement finds the message counted there, and as read."""
    await store.sessions.create_group("g", "x", ["ann", "bob"], "ann", 1)
    for number in range(1, 4):
        await store.writer.submit(new_message("g", "ann", kind="group", created_at=100 + number))
        (session,) = await store.sessions.page("bob", before=None, limit=9)
        assert (session.last_seq, session.active_at) == (number, 100 + number)
        assert await store.sessions.read_seqs("ann", ["g"]) == {"g": number}
        assert await store.sessions.read_seqs("bob", ["g"]) == {"g": 0}


async def test_a_land_is_listed_once_entered(store: Store) -> None:
    """Entering makes the mark where there is none, and leaves the one that is there alone."""
    await store.sessions.open_land("land", 1)
    assert await store.sessions.page("ann", before=None, limit=9) == []
    assert await store.sessions.enter("land", "ann", 4)
    assert not await store.sessions.enter("land", "ann", 9)
    assert await store.sessions.read_seqs("ann", ["land", "other"]) == {"land": 4}
    assert [session.id for session in await store.sessions.page("ann", before=None, limit=9)] == ["land"]


async def test_a_mark_alone_makes_nobody_a_member(store: Store) -> None:
    """A mark that is left of a group lists it for nobody who is not in it."""
    await store.sessions.create_group("g", "x", ["ann"], "ann", 1)
    await store.sessions.enter("g", "eve", 0)
    assert await store.sessions.page("eve", before=None, limit=9) == []


async def test_reading_never_goes_back(store: Store) -> None:
    """A read mark takes the highest number it was given, and is not made by reading."""
    await store.sessions.open_land("land", 1)
    assert await store.sessions.mark_read("land", "ann", 3) is None
    await store.sessions.enter("land", "ann", 0)
    assert await store.sessions.mark_read("land", "ann", 3) == 3
    assert await store.sessions.mark_read("land", "ann", 2) == 3
    assert await store.sessions.read_seqs("ann", ["land"]) == {"land": 3}


async def test_of_member_and_shared_leave_lands_out(store: Store) -> None:
    """What two people share is a private session or a group, not a land that both have entered."""
    await store.sessions.open_land("land", 1)
    await store.sessions.enter("land", "ann", 0)
    await store.sessions.enter("land", "cid", 0)
    await store.sessions.open_private("p", "ann", "bob", 2)
    await store.sessions.create_group("g", "x", ["bob", "cid"], "bob", 3)
    assert {session.id for session in await store.sessions.of_member("bob")} == {"p", "g"}
    assert {session.id for session in await store.sessions.of_member("ann")} == {"p"}
    assert await store.sessions.shared("ann", "bob") and await store.sessions.shared("cid", "bob")
    assert not await store.sessions.shared("ann", "cid")


async def test_a_deleted_session_leaves_nothing(store: Store) -> None:
    """Deleting takes key, messages, marks and the session itself, and others stay whole."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    await store.sessions.enter("land", "ann", 0)
    await write(store, "one", "two")
    await write(store, "kept", session_id="other")
    await store.sessions.delete("land")
    await store.sessions.delete("land")
    assert await store.sessions.get("land") is None
    assert await whole_history(store) == []
    assert await store.sessions.read_seqs("ann", ["land"]) == {}
    assert await store.database["messages"].count_documents({"session": "land"}) == 0
    assert await store.sessions.count() == 1
    assert [message.content for message in await whole_history(store, "other")] == ["kept"]
    with pytest.raises(SessionGone):
        await store.writer.submit(new_message("land"))
    with pytest.raises(SessionGone):
        await store.writer.head("land")


async def test_messages_on_their_way_go_with_their_session(store: Store) -> None:
    """Of a session deleted while people write in it no message is left, whoever came first."""
    await store.sessions.open_land("land", 1)
    futures = [store.writer.submit(new_message()) for _ in range(300)]
    await asyncio.sleep(0)
    await store.sessions.delete("land")
    await asyncio.gather(*futures, return_exceptions=True)
    assert await store.database["messages"].count_documents({}) == 0


async def test_a_half_deleted_session_is_absent_and_deleted_at_the_next_start(
    store: Store, open_store: OpenStore
) -> None:
    """A crash right after the key has gone leaves a session that nobody sees; the next start clears it."""
    await store.sessions.create_group("g", "x", ["ann", "bob"], "ann", 1)
    await write(store, "secret", session_id="g", kind="group")
    await store.writer.settle()
    await store.database["sessions"].update_one({"_id": "g"}, {"$unset": {"key": ""}})
    assert await store.sessions.get("g") is None
    assert await store.sessions.page("ann", before=None, limit=9) == []
    assert await store.sessions.of_member("ann") == []
    assert not await store.sessions.shared("ann", "bob")
    assert await store.sessions.rename("g", "y") is None
    assert await store.sessions.add_members("g", ["cid"], limit=9, now=2) is None
    await open_store()
    for collection in ("sessions", "messages", "marks"):
        assert await store.database[collection].count_documents({}) == 0
