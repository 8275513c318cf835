"""The data keys of speech: one for each day (UTC) on which somebody spoke, wrapped by the key ring.

A day's key is made with the first word said on it, found by rotation and by the check at the start like
those of sessions, and shredded when retention has taken all of the day: then nothing in a copy of the
database that has no older key opens any more. Called by `speech` and `speech_writer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo import ReturnDocument

from storage.cipher import DayCipher, key_document, wrapped_key
from storage.driver import Database, Document
from storage.keyring import Keyring
from storage.lru import Lru

DAY_MS: Final = 86_400_000
_CACHED_DAYS: Final = 400  # a year of reading back


def day_of(created_at: int) -> int:
    """Days since 1970, UTC."""
    return created_at // DAY_MS


class SpeechKeys:
    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keys = database["speech_keys"]
        self._keyring = keyring
        self._ciphers: Lru[int, DayCipher] = Lru(_CACHED_DAYS)

    async def make(self, days: Iterable[int]) -> dict[int, DayCipher]:
        """The ciphers of these days, which have one from now on. Raises MissingKey, BadKeyring, Unavailable."""
        ciphers = await self.load(days)
        for day in set(days) - ciphers.keys():
            fresh = key_document(self._keyring.wrap(AESGCM.generate_key(256)))
            async with self._database.operation("speech_keys.make"):
                # Whoever comes first decides, should somebody else make one at the same time.
                document = await self._keys.find_one_and_update(
                    {"_id": day},
                    {"$setOnInsert": {"key": fresh}},
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            ciphers[day] = self._unwrapped(document)
        return ciphers

    async def load(self, days: Iterable[int]) -> dict[int, DayCipher]:
        """Those of these days that have a key. Raises MissingKey, BadKeyring, Unavailable."""
        ciphers: dict[int, DayCipher] = {}
        absent: list[int] = []
        for day in set(days):
            if (cipher := self._ciphers.get(day)) is not None:
                ciphers[day] = cipher
            else:
                absent.append(day)
        if absent:
            async with self._database.operation("speech_keys.load"):
                found = await self._keys.find({"_id": {"$in": absent}}).to_list(None)
            for document in found:
                ciphers[document["_id"]] = self._unwrapped(document)
        return ciphers

    async def shred(self, before: int) -> None:
        """The keys of all days before this one go."""
        async with self._database.operation("speech_keys.shred"):
            old: list[dict[str, Any]] = await self._keys.find({"_id": {"$lt": before}}, {"_id": 1}).to_list(
                None
            )
            if old:
                await self._keys.delete_many({"_id": {"$lt": before}})
        for document in old:
            self._ciphers.forget(document["_id"])

    def _unwrapped(self, document: Document) -> DayCipher:
        cipher = DayCipher(self._keyring.unwrap(wrapped_key(document["key"])))
        self._ciphers.put(document["_id"], cipher)
        return cipher
