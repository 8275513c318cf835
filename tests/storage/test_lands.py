from __future__ import annotations

from dataclasses import replace

import pytest

from storage.errors import Duplicate
from storage.records import Land
from storage.store import Store

GARDEN = Land(
    "garden", "main", "The garden", -2.5, 1e9, 10, 20.25, "ann", "invited", frozenset({"bob", "cid"}), 7
)
SHED = Land("shed", "main", "The shed", 0, 0, 1, 1, "bob", "open", frozenset(), 8)


async def test_lands_come_back_as_they_went_in(store: Store) -> None:
    """Every field of every land is kept."""
    assert await store.lands.all() == []
    await store.lands.insert(GARDEN)
    await store.lands.insert(SHED)
    assert {land.id: land for land in await store.lands.all()} == {"garden": GARDEN, "shed": SHED}
    with pytest.raises(Duplicate):
        await store.lands.insert(GARDEN)


async def test_replace_changes_what_is_there(store: Store) -> None:
    """A land is replaced as a whole, and only if there is one."""
    await store.lands.insert(GARDEN)
    moved = replace(GARDEN, x=5.0, invited=frozenset({"dan"}), access="open")
    assert await store.lands.replace(moved)
    assert await store.lands.all() == [moved]
    assert not await store.lands.replace(SHED)
    assert await store.lands.all() == [moved]


async def test_delete(store: Store) -> None:
    """A deleted land is gone, and deleting it again is no error."""
    await store.lands.insert(GARDEN)
    assert await store.lands.delete("garden")
    assert not await store.lands.delete("garden")
    assert await store.lands.all() == []


async def test_disown_leaves_the_lands_without_an_owner(store: Store) -> None:
    """The lands of one person stay, nobody's; others keep theirs."""
    await store.lands.insert(GARDEN)
    await store.lands.insert(SHED)
    assert await store.lands.disown("ann") == ["garden"]
    assert await store.lands.disown("ann") == []
    assert {land.id: land.owner_id for land in await store.lands.all()} == {"garden": None, "shed": "bob"}
