from __future__ import annotations

import asyncio

import pytest

from storage.driver import to_date
from storage.errors import RefreshTokenReused, RefreshTokenUnknown
from storage.records import Login
from storage.store import Store

HOUR = 3_600_000
NOW = 4_000_000_000_000  # far ahead, so that no TTL index takes away what a test looks at
LOGIN = Login(id="login", user_id="ann", created_at=NOW)


async def succeed(store: Store, old: bytes, new: bytes, *, now: int = NOW) -> Login:
    """The half of a rotation after which the answer can still get stuck."""
    return await store.logins.rotate(old, new, now=now, grace_ms=10_000, expires_at=now + HOUR)


async def rotate(store: Store, old: bytes, new: bytes, *, now: int = NOW) -> Login:
    login = await succeed(store, old, new, now=now)
    await store.logins.used(old, now=now)
    return login


async def test_a_token_is_used_up_by_the_next(store: Store) -> None:
    """Each refresh token gives the next one, and the login that it belongs to."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    assert await rotate(store, b"1", b"2") == LOGIN
    assert await rotate(store, b"2", b"3") == LOGIN


async def test_within_its_grace_a_token_works_again(store: Store) -> None:
    """An answer may have been lost: the same token soon after gives one more, and both go on working."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await rotate(store, b"1", b"2")
    assert await rotate(store, b"1", b"3", now=NOW + 10_000) == LOGIN
    assert await rotate(store, b"2", b"4", now=NOW + 10_001) == LOGIN
    assert await rotate(store, b"3", b"5", now=NOW + 10_001) == LOGIN


async def test_after_its_grace_a_token_gives_its_family_away(store: Store) -> None:
    """A token used again later was stolen, from or by whom is not known: its login is named."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await rotate(store, b"1", b"2")
    with pytest.raises(RefreshTokenReused) as caught:
        await rotate(store, b"1", b"3", now=NOW + 10_001)
    assert caught.value.login_id == "login"
    with pytest.raises(RefreshTokenUnknown):
        await rotate(store, b"3", b"4")


async def test_a_token_whose_successor_was_not_handed_out_works_again(store: Store) -> None:
    """However late, and however often; once one was handed out, the grace runs from then."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    for attempt in range(3):
        await succeed(store, b"1", bytes([100 + attempt]), now=NOW + attempt * 60_000)
    await rotate(store, b"1", b"2", now=NOW + 180_000)
    await rotate(store, b"1", b"3", now=NOW + 190_000)
    with pytest.raises(RefreshTokenReused):
        await succeed(store, b"1", b"4", now=NOW + 190_001)


async def test_who_uses_a_token_has_used_the_one_before(store: Store) -> None:
    """Also where that could not be written when it was handed out."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await succeed(store, b"1", b"2")
    await rotate(store, b"2", b"3", now=NOW + 60_000)
    await rotate(store, b"1", b"4", now=NOW + 70_000)
    with pytest.raises(RefreshTokenReused):
        await succeed(store, b"1", b"5", now=NOW + 70_001)


async def test_unknown_and_expired_tokens_are_alike(store: Store) -> None:
    """A token that never was, and one past its time, are unknown."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    with pytest.raises(RefreshTokenUnknown):
        await rotate(store, b"0", b"2")
    with pytest.raises(RefreshTokenUnknown):
        await rotate(store, b"1", b"2", now=NOW + HOUR)


async def test_of_many_at_once_one_is_the_first(store: Store) -> None:
    """A token sent several times at the same moment is used once; the others fall within its grace."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    news = [bytes([number]) for number in range(100, 110)]
    assert await asyncio.gather(*(rotate(store, b"1", new) for new in news)) == [LOGIN] * 10
    token = await store.database["refresh_tokens"].find_one({"_id": b"1"})
    assert token["used_at"] == NOW


async def test_an_ended_login_has_no_tokens(store: Store) -> None:
    """Ending a login makes its tokens unknown and records the revocation."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await rotate(store, b"1", b"2")
    assert await store.logins.end("login", now=NOW, keep_until=NOW + 5)
    for token in (b"1", b"2"):
        with pytest.raises(RefreshTokenUnknown):
            await rotate(store, token, b"3")
    assert await store.logins.ended() == [("login", NOW + 5)]
    assert not await store.logins.end("login", now=NOW, keep_until=NOW + 9)
    assert await store.logins.ended() == [("login", NOW + 9)]


async def test_a_token_made_while_its_login_ends_is_worth_nothing(store: Store) -> None:
    """A refresh that was under way when the login ended leaves a token that nobody can use."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await store.logins.end("login", now=NOW, keep_until=NOW + HOUR)
    await store.database["refresh_tokens"].insert_one(
        {"_id": b"late", "login_id": "login", "expires_at": to_date(NOW * 2)}
    )
    with pytest.raises(RefreshTokenUnknown):
        await rotate(store, b"late", b"2")


async def test_end_all_may_keep_one(store: Store) -> None:
    """All logins of one person end, but the kept one, and nobody else's."""
    for number, (login_id, user_id) in enumerate([("a", "ann"), ("b", "ann"), ("c", "ann"), ("d", "bob")]):
        await store.logins.create(Login(login_id, user_id, NOW), bytes([number]), NOW + HOUR)
    assert sorted(await store.logins.end_all("ann", now=NOW, keep_until=NOW + 5, keep="b")) == ["a", "c"]
    assert await store.logins.end_all("ann", now=NOW, keep_until=NOW + 5, keep="b") == []
    assert sorted(await store.logins.ended()) == [("a", NOW + 5), ("c", NOW + 5)]
    assert (await rotate(store, bytes([1]), b"x")).id == "b"
    assert (await rotate(store, bytes([3]), b"y")).id == "d"
    assert await store.logins.end_all("ann", now=NOW, keep_until=NOW + 5) == ["b"]


async def test_what_has_expired_is_left_to_the_database(store: Store) -> None:
    """Tokens, logins and revocations carry the date at which the database itself removes them."""
    await store.logins.create(LOGIN, b"1", NOW + HOUR)
    await store.logins.end("other", now=NOW, keep_until=NOW + HOUR)
    for collection, field in [
        ("refresh_tokens", "expires_at"),
        ("logins", "expires_at"),
        ("ended_logins", "keep_until"),
    ]:
        indexes = await store.database[collection].index_information()
        assert [index["key"] for index in indexes.values() if index.get("expireAfterSeconds") == 0] == [
            [(field, 1)]
        ]
        dated = {field: {"$type": "date"}}
        assert await store.database[collection].count_documents(dated) == 1
