"""What was said aloud: reading it, and retention. Writing it is `speech_writer`'s.

The only place besides the writer that knows how a speech's document looks. Words and place are sealed
together; who said it when, and who could hear it, is not: that is what it is found by.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bson
from bson.binary import Binary

from storage.cipher import DayCipher
from storage.driver import Database, Document
from storage.errors import Tampered
from storage.records import Speech
from storage.speech_keys import SpeechKeys, day_of
from storage.together import Together

log = logging.getLogger("hereabouts.storage.speech")

_PURGED_AT_ONCE = 100  # each is in an index once for each who heard it


@dataclass(frozen=True, slots=True)
class Spoken:
    """The stored speech that a submitted one is, or repeats."""

    id: str
    created_at: int
    repeated: bool


class SpeechHistory:
    def __init__(self, database: Database, keys: SpeechKeys) -> None:
        self._database = database
        self._speech = database["speech"]
        self._users = database["users"]
        self._keys = keys
        self._newest = Together(self._read_newest)

    async def page(self, user_id: str, *, before: str | None = None, limit: int) -> list[Speech]:
        """What somebody said or heard, newest first, below the id `before`."""
        return await self._read(_heard(user_id, below=before), -1, limit)

    async def missed(self, user_id: str, *, after: str, upto: str, limit: int) -> list[Speech]:
        """The first of what somebody said or heard above one id, up to another, oldest first."""
        return await self._read(_heard(user_id, above=after, upto=upto), 1, limit)

    async def count(self, user_id: str, *, after: str, upto: str, most: int) -> int:
        """How many that are, counted as far as `most`."""
        async with self._database.operation("speech.count"):
            return int(
                await self._speech.count_documents(_heard(user_id, above=after, upto=upto), limit=most)
            )

    async def newest_heard(self, user_id: str, upto: str) -> str | None:
        """The id of the last that somebody said or heard, up to an id; read together with what others ask for."""
        newest = await self._newest.get(user_id)
        if newest is None or newest <= upto:
            return newest
        async with self._database.operation("speech.newest"):  # more was said meanwhile
            found = await self._speech.find_one(_heard(user_id, upto=upto), {"_id": 1}, sort=[("_id", -1)])
        return found["_id"] if found else None

    async def _read_newest(self, user_ids: Collection[str]) -> Mapping[str, str]:
        newest = {
            "from": "speech",
            "localField": "_id",
            "foreignField": "listeners",
            "pipeline": [{"$sort": {"_id": -1}}, {"$limit": 1}, {"$project": {"_id": 1}}],
            "as": "newest",
        }
        of_users = [
            {"$match": {"_id": {"$in": list(user_ids)}}},
            {"$project": {"_id": 1}},
            {"$lookup": newest},
        ]
        async with self._database.operation("speech.newest"):
            found = await self._users.aggregate(of_users).to_list(None)
        return {user["_id"]: user["newest"][0]["_id"] for user in found if user["newest"]}

    async def newest_id(self) -> str:
        """Of all that was said by anybody; empty if nothing was."""
        async with self._database.operation("speech.head"):
            newest = await self._speech.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return newest["_id"] if newest else ""

    async def originals(self, speeches: Iterable[Speech]) -> dict[str, Spoken]:
        """By the id of each: what is stored of it, or was said by the same person under the same client id."""
        by_id = {speech.id: speech for speech in speeches}
        same: list[Document] = [{"_id": {"$in": list(by_id)}}]
        by_client: dict[tuple[str, str], str] = {}
        for speech in by_id.values():
            if speech.client_id is not None:
                by_client[speech.sender_id, speech.client_id] = speech.id
                same.append({"sender": speech.sender_id, "client_id": speech.client_id})
        fields = {"sender": 1, "client_id": 1, "created_at": 1}
        async with self._database.operation("speech.originals"):
            found = await self._speech.find({"$or": same}, fields).to_list(None)
        originals: dict[str, Spoken] = {}
        for document in found:
            own = document["_id"] in by_id
            # Of one whose client id was used, `_id` is another: it could not be written.
            mine = document["_id"] if own else by_client[document["sender"], document["client_id"]]
            originals[mine] = Spoken(document["_id"], document["created_at"], repeated=not own)
        return originals

    async def original(self, sender_id: str, client_id: str) -> Spoken | None:
        """What somebody has said under a client id."""
        asked = Speech("", sender_id, (), None, None, 0, client_id)
        return (await self.originals([asked])).get("")

    async def purge(self, before: int) -> int:
        """Deletes what was said before that time, and the keys of the days of which nothing is left; how
        many speeches went."""
        purged = 0
        while True:
            async with self._database.operation("speech.purge"):
                old = self._speech.find({"created_at": {"$lt": before}}, {"_id": 1}).limit(_PURGED_AT_ONCE)
                ids = [document["_id"] for document in await old.to_list(None)]
                if not ids:
                    break
                purged += (await self._speech.delete_many({"_id": {"$in": ids}})).deleted_count
        await self._keys.shred(day_of(before))
        return purged

    async def _read(self, query: Document, order: int, limit: int) -> list[Speech]:
        async with self._database.operation("speech.page"):
            found = await self._speech.find(query).sort("_id", order).limit(limit).to_list(None)
        ciphers = await self._keys.load({day_of(document["created_at"]) for document in found})
        return [from_document(document, ciphers.get(day_of(document["created_at"]))) for document in found]


def _heard(
    user_id: str, *, above: str | None = None, upto: str | None = None, below: str | None = None
) -> dict[str, Any]:
    bounds = {"$gt": above, "$lte": upto, "$lt": below}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    return {"listeners": user_id, **({"_id": given} if given else {})}


def to_document(speech: Speech, cipher: DayCipher) -> dict[str, Any]:
    said: dict[str, Any] = {"content": speech.content}
    if speech.place is not None:
        said["x"], said["y"] = speech.place
    body: Binary = cipher.seal(speech.id, speech.sender_id, speech.listeners, bson.encode(said))
    document = {
        "_id": speech.id,
        "sender": speech.sender_id,
        "listeners": list(speech.listeners),
        "created_at": speech.created_at,
        "body": body,
    }
    if speech.client_id is not None:
        document["client_id"] = speech.client_id
    return document


def from_document(document: Document, cipher: DayCipher | None) -> Speech:
    """Without its day's key it is as good as deleted; tampered with likewise, and logged."""
    listeners: Sequence[str] = document["listeners"]
    said: dict[str, Any] = {}
    if cipher is not None:
        try:
            said = bson.decode(cipher.open(document["_id"], document["sender"], listeners, document["body"]))
        except Tampered as error:
            log.error("%s", error)
    return Speech(
        id=document["_id"],
        sender_id=document["sender"],
        listeners=tuple(listeners),
        content=said.get("content"),
        place=(said["x"], said["y"]) if "x" in said else None,
        created_at=document["created_at"],
        client_id=document.get("client_id"),
    )
