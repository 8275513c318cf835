"""Brings every data key under the primary master key. Called by `rotate-keys`, beside a running server.

Nothing but the wrapping changes: data keys stay what they are, so bodies and what a server keeps in
memory stay good. Interrupted, it is started again: what is done stays done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pymongo import UpdateOne

from storage.cipher import key_document, wrapped_key
from storage.driver import Database
from storage.keyring import Keyring
from storage.schema import KEYED
from storage.store import Store, check_keys

_BATCH = 200


@dataclass(frozen=True, slots=True)
class RotationResult:
    key_id: str  # of the primary, under which all of them are now
    rewrapped: int


async def rewrap(
    store: Store | Database, keyring: Keyring, progress: Callable[[int, int], None] = lambda done, left: None
) -> RotationResult:
    """Ends when no data key is left under another master key; `progress` gets (done, still to do).

    Raises MissingKey before anything is changed, Unavailable.
    """
    database = store.database if isinstance(store, Store) else store
    await check_keys(database, keyring)
    collections = [database[name] for name in KEYED]
    rewrapped = 0
    while True:
        others = {"key.id": {"$exists": True, "$ne": keyring.primary_id}}
        any_found = False
        for collection in collections:
            async with database.operation("rotation.read"):
                found = await collection.find(others, {"key": 1}).limit(_BATCH).to_list(None)
            if not found:
                continue
            any_found = True
            writes = []
            for holder in found:
                # Only if it is still the key that was read: its holder may be deleted, or rewrapped by another.
                unchanged = {"_id": holder["_id"], "key": holder["key"]}
                fresh = key_document(keyring.rewrap(wrapped_key(holder["key"])))
                writes.append(UpdateOne(unchanged, {"$set": {"key": fresh}}))
            async with database.operation("rotation.write"):
                rewrapped += (await collection.bulk_write(writes, ordered=False)).modified_count
            left = 0
            for each in collections:
                async with database.operation("rotation.left"):
                    left += await each.count_documents(others)
            progress(rewrapped, left)
        if not any_found:
            return RotationResult(keyring.primary_id, rewrapped)
