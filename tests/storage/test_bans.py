"""Bans as they are kept: once each, with a version by which a reader knows that there is news."""

from __future__ import annotations

import asyncio

from storage.store import Store

NOW = 1_000


async def test_a_ban_is_kept_until_it_is_lifted(store: Store) -> None:
    """Saying it twice changes nothing."""
    assert await store.bans.all() == frozenset()
    assert await store.bans.ban("ann", now=NOW)
    assert not await store.bans.ban("ann", now=NOW + 1)
    assert await store.bans.ban("bob", now=NOW)
    assert await store.bans.all() == {"ann", "bob"}
    assert await store.bans.unban("ann")
    assert not await store.bans.unban("ann")
    assert await store.bans.all() == {"bob"}


async def test_the_version_changes_with_every_ban(store: Store) -> None:
    """Also where several are made at a time: whoever has seen the last version has seen all of them."""
    before = await store.bans.version()
    await asyncio.gather(*(store.bans.ban(f"user {number}", now=NOW) for number in range(10)))
    after = await store.bans.version()
    assert after == before + 10
    await store.bans.unban("user 1")
    assert await store.bans.version() != after


async def test_asking_for_the_version_is_no_news(store: Store) -> None:
    """It happens twice a second: the measured operations are those that somebody caused."""
    operations: list[str] = []
    store.observe = lambda operation, seconds: operations.append(operation)
    await store.bans.version()
    assert operations == []
    await store.bans.ban("ann", now=NOW)
    assert operations == ["bans.ban"]
