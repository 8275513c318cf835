from __future__ import annotations

import asyncio

import pytest

from storage.errors import Duplicate
from storage.records import User
from storage.store import Store

NOW = 4_000_000_000_000  # far ahead, so that no TTL index takes away what a test looks at


def user(id: str, username: str, **fields: object) -> User:
    defaults: dict[str, object] = {"display_name": username, "password_hash": "hash", "created_at": 1}
    return User(id=id, username=username, **{**defaults, **fields})  # type: ignore[arg-type]


async def test_insert_keeps_every_field(store: Store) -> None:
    """What is inserted comes back as it was, by id, by name and by subject."""
    ann = user("1", "Ann", subject="idp|1", invisible=True, share_location=False, last_seen=5)
    await store.users.insert(ann)
    assert await store.users.get("1") == ann
    assert await store.users.by_username("Ann") == ann
    assert await store.users.by_subject("idp|1") == ann


async def test_username_is_taken_whatever_its_case(store: Store) -> None:
    """A name in another case is the same name, to who registers and to who looks it up."""
    await store.users.insert(user("1", "Ann"))
    with pytest.raises(Duplicate) as caught:
        await store.users.insert(user("2", "aNN"))
    assert caught.value.field == "username"
    found = await store.users.by_username("ANN")
    assert found is not None and found.id == "1"
    assert await store.users.by_username("An") is None


async def test_operators_in_names_are_only_text(store: Store) -> None:
    """A name that looks like a query of the database finds nobody."""
    await store.users.insert(user("1", "Ann"))
    assert await store.users.by_username('{"$ne": null}') is None
    assert await store.users.by_username(".*") is None
    assert await store.users.get("$ne") is None


async def test_subject_is_taken_once(store: Store) -> None:
    """An identity provider's subject has one account, while accounts without one are many."""
    await store.users.insert(user("1", "Ann", subject="s"))
    with pytest.raises(Duplicate) as caught:
        await store.users.insert(user("2", "Bob", subject="s"))
    assert caught.value.field == "subject"
    await store.users.insert(user("3", "Cid"))
    await store.users.insert(user("4", "Dan"))
    assert await store.users.by_subject("t") is None


async def test_get_many_leaves_out_who_is_absent(store: Store) -> None:
    """Many are asked for at once and those there are come back, by id."""
    ann, bob = user("1", "Ann"), user("2", "Bob")
    await store.users.insert(ann)
    await store.users.insert(bob)
    assert await store.users.get_many(["1", "2", "3"]) == {"1": ann, "2": bob}
    assert await store.users.get_many([]) == {}


async def test_update_gives_the_account_after(store: Store) -> None:
    """An update changes the named fields alone and answers with the whole."""
    await store.users.insert(user("1", "Ann"))
    updated = await store.users.update("1", display_name="Annie", invisible=True, last_seen=9)
    assert updated == user("1", "Ann", display_name="Annie", invisible=True, last_seen=9)
    assert await store.users.get("1") == updated
    assert await store.users.update("2", invisible=True) is None


async def test_update_of_anything_else_is_refused(store: Store) -> None:
    """A field that may not change, a name or an id, is the caller's error."""
    await store.users.insert(user("1", "Ann"))
    with pytest.raises(ValueError, match="username"):
        await store.users.update("1", username="Eve")


async def test_erase_leaves_the_id_alone(store: Store) -> None:
    """An erased account has no name, no secret and no blocks left; its name is free, its id is not."""
    await store.users.insert(user("1", "Ann", subject="s", last_seen=7))
    await store.users.block("1", "2")
    await store.users.block("3", "1")
    await store.users.erase("1")
    erased = await store.users.get("1")
    assert erased is not None and erased.erased
    assert (erased.display_name, erased.password_hash, erased.subject, erased.last_seen) == (None,) * 4
    assert await store.users.by_username("ann") is None
    assert await store.users.by_subject("s") is None
    assert (await store.users.blocks_of("1")).blocked == []
    assert (await store.users.blocks_of("3")).blocked == []
    assert await store.users.update("1", display_name="back") is None
    await store.users.insert(user("4", "ANN", subject="s"))
    with pytest.raises(Duplicate) as caught:
        await store.users.insert(user("1", "Eve"))
    assert caught.value.field == "_id"
    assert await store.database["users"].find_one({"_id": "1"}) == {"_id": "1"}


async def test_blocks_have_a_direction(store: Store) -> None:
    """Who blocks and who is blocked are told apart; blocking twice and unblocking nobody change nothing."""
    await store.users.block("1", "2")
    await store.users.block("1", "2")
    await store.users.block("1", "3")
    await store.users.block("3", "2")
    assert (await store.users.blocks_of("1")).blocked == ["2", "3"]
    assert (await store.users.blocks_of("2")).blocked == []
    assert (await store.users.blocks_of("2")).blockers == ["1", "3"]
    await store.users.unblock("1", "2")
    await store.users.unblock("2", "1")
    assert (await store.users.blocks_of("1")).blocked == ["3"]
    assert (await store.users.blocks_of("2")).blockers == ["3"]


async def test_those_met_at_the_same_time_are_read_together(store: Store) -> None:
    """Each with both directions of their blocks; nobody for an id that is nobody's; two queries for all of them."""
    for number in range(20):
        await store.users.insert(user(str(number), f"name-{number}"))
    await store.users.block("3", "4")
    operations: list[str] = []
    store.observe = lambda operation, seconds: operations.append(operation)
    met = await asyncio.gather(*(store.users.meet(str(number)) for number in range(21)))
    assert [each[0].id for each in met if each] == [str(number) for number in range(20)]
    assert met[20] is None
    assert met[3] is not None and met[3][1] == (["4"], [])
    assert met[4] is not None and met[4][1] == ([], ["3"])
    assert operations == ["users.get", "users.blocks"]


async def test_a_subject_is_barred_for_its_time(store: Store) -> None:
    """Barred again it stays so for the longer of the two; the database itself forgets it afterwards."""
    assert not await store.users.is_barred(b"subject", now=NOW)
    await store.users.bar(b"subject", keep_until=NOW + 10)
    await store.users.bar(b"subject", keep_until=NOW + 5)
    assert await store.users.is_barred(b"subject", now=NOW + 9)
    assert not await store.users.is_barred(b"subject", now=NOW + 10)
    assert not await store.users.is_barred(b"other", now=NOW)
    indexes = await store.database["erased"].index_information()
    assert [index["key"] for index in indexes.values() if index.get("expireAfterSeconds") == 0] == [
        [("keep_until", 1)]
    ]
