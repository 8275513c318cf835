"""The history of rooms: reading, deleting, counting and retention. Writing it is `writer`'s.

The only place besides the writer that knows how a message's document looks.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bson.binary import Binary
from pymongo import UpdateOne

from storage.cipher import DataKeys, SessionCipher
from storage.driver import Database, Document
from storage.errors import SessionGone, StorageError, Tampered
from storage.records import Message, NewMessage, SessionKind
from storage.together import Together

log = logging.getLogger("hereabouts.storage.messages")

_KINDS: tuple[SessionKind, ...] = ("land", "private", "group")
_PURGED_AT_ONCE = 1_000
_TAILS_AT_ONCE = 1_000  # messages
_NEWEST_FIRST: list[dict[str, Any]] = [{"$sort": {"seq": -1}}]


class Messages:
    def __init__(self, database: Database, keys: DataKeys) -> None:
        self._database = database
        self._messages = database["messages"]
        self._sessions = database["sessions"]
        self._keys = keys
        self._tails = Together(self._read_tails)

    async def page(
        self, session_id: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Message]:
        """Newest first; with `after` oldest first. Both are exclusive. Deleted ones come as tombstones."""
        query: dict[str, Any] = {"session": session_id}
        if before is not None:
            query["seq"] = {"$lt": before}
        if after is not None:
            query.setdefault("seq", {})["$gt"] = after
        order = -1 if after is None else 1
        async with self._database.operation("messages.page"):
            found = await self._messages.find(query).sort("seq", order).limit(limit).to_list(None)
        return await self._opened(found)

    async def get(self, session_id: str, message_id: str) -> Message | None:
        async with self._database.operation("messages.get"):
            document = await self._messages.find_one({"_id": message_id, "session": session_id})
        return None if document is None else (await self._opened([document]))[0]

    async def delete(self, session_id: str, message_id: str, deleted_after: int) -> bool:
        """Its ciphertext goes; that it was sent stays, with the room's newest `seq` at the time.

        Of many calls, True for the one that did it. A later one may raise `deleted_after`.
        """
        async with self._database.operation("messages.delete"):
            before = await self._messages.find_one_and_update(
                {"_id": message_id, "session": session_id},
                {"$unset": {"body": ""}, "$max": {"deleted_after": deleted_after}},
                {"body": 1},
            )
        return before is not None and "body" in before

    async def newest(self, session_ids: Iterable[str]) -> dict[str, Message]:
        """The newest message of each session that has one."""
        async with self._database.operation("messages.newest"):
            found = await self._sessions.aggregate(
                [{"$match": {"_id": {"$in": list(session_ids)}}}, *newest_message({}), {"$unwind": "$newest"}]
            ).to_list(None)
        messages = await self._opened([session["newest"] for session in found])
        return {message.session_id: message for message in messages}

    async def tail(self, session_id: str, count: int) -> list[Message]:
        """So many of the newest messages, newest first, read together with what others ask for."""
        return await self._tails.get((session_id, count)) or []

    async def _read_tails(
        self, wanted: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], list[Message]]:
        by_count: dict[int, list[str]] = {}
        for session_id, count in wanted:
            by_count.setdefault(count, []).append(session_id)
        tails: dict[tuple[str, int], list[Message]] = {}
        for count, session_ids in by_count.items():
            # A query's answer stays within a few MB, however long the messages are.
            at_once = max(1, _TAILS_AT_ONCE // count)
            for start in range(0, len(session_ids), at_once):
                part = session_ids[start : start + at_once]
                async with self._database.operation("messages.tails"):
                    found = await self._sessions.aggregate(
                        [
                            {"$match": {"_id": {"$in": part}}},
                            {"$project": {"_id": 1}},
                            lookup([*_NEWEST_FIRST, {"$limit": count}], "newest"),
                        ]
                    ).to_list(None)
                opened = await self._opened([message for session in found for message in session["newest"]])
                for message in opened:
                    tails.setdefault((message.session_id, count), []).append(message)
        return tails

    async def originals(self, messages: Sequence[NewMessage]) -> list[Message]:
        """Those stored already that are these, or were sent by the same person under the same client id."""
        same: list[Document] = [{"_id": {"$in": [message.id for message in messages]}}]
        same += [
            {"session": message.session_id, "sender": message.sender_id, "client_id": message.client_id}
            for message in messages
            if message.client_id is not None
        ]
        async with self._database.operation("messages.originals"):
            found = await self._messages.find({"$or": same}).to_list(None)
        return await self._opened(found)

    async def counts(self, since: int) -> tuple[int, int]:
        """(all of them, those created at `since` or later)."""
        async with self._database.operation("messages.counts"):
            return (
                await self._messages.estimated_document_count(),
                await self._messages.count_documents(
                    {"kind": {"$in": _KINDS}, "created_at": {"$gte": since}}
                ),
            )

    async def purge(self, before: int, kinds: Sequence[SessionKind]) -> int:
        """Deletes what is older than `before` in sessions of these kinds; how many went.

        Before a message goes, its session knows of its `seq`: what comes next goes on rising.
        """
        old = {"kind": {"$in": list(kinds)}, "created_at": {"$lt": before}}
        purged = 0
        while True:
            async with self._database.operation("messages.purge"):
                cursor = self._messages.find(old, {"session": 1, "seq": 1}).limit(_PURGED_AT_ONCE)
                found = await cursor.to_list(None)
                if not found:
                    return purged
                heads: dict[str, int] = {}
                for document in found:
                    heads[document["session"]] = max(heads.get(document["session"], 0), document["seq"])
                raised = [
                    UpdateOne({"_id": room}, {"$max": {"last_seq": seq}}) for room, seq in heads.items()
                ]
                await self._sessions.bulk_write(raised, ordered=False)
                ids = [document["_id"] for document in found]
                purged += (await self._messages.delete_many({"_id": {"$in": ids}})).deleted_count

    async def _opened(self, documents: Sequence[Document]) -> list[Message]:
        ciphers = await self._keys.load({document["session"] for document in documents if "body" in document})
        return [from_document(document, ciphers.get(document["session"])) for document in documents]


def newest_message(project: dict[str, int]) -> list[dict[str, Any]]:
    """Pipeline stages that add to each session its newest message, as the list `newest` of at most one."""
    return [lookup([*_NEWEST_FIRST, {"$limit": 1}, *([{"$project": project}] if project else [])], "newest")]


def lookup(pipeline: list[dict[str, Any]], field: str) -> dict[str, Any]:
    """The pipeline stage that adds to each session those of its messages that `pipeline` leaves."""
    return {
        "$lookup": {
            "from": "messages",
            "localField": "_id",
            "foreignField": "session",
            "pipeline": pipeline,
            "as": field,
        }
    }


def to_document(message: NewMessage, seq: int, body: Binary) -> dict[str, Any]:
    document = {
        "_id": message.id,
        "session": message.session_id,
        "seq": seq,
        "kind": message.kind,
        "sender": message.sender_id,
        "created_at": message.created_at,
        "body": body,
    }
    if message.client_id is not None:
        document["client_id"] = message.client_id
    return document


def from_document(document: Document, cipher: SessionCipher | StorageError | None) -> Message:
    """A body that cannot be opened is no reason to keep a whole history from its readers.

    Of a session that is gone it is as good as deleted; of a tampered one likewise, and is logged.
    A missing master key is an operator's error, and raised.
    """
    content: str | None = None
    if isinstance(cipher, SessionCipher) and "body" in document:
        try:
            content = cipher.open(document["_id"], document["sender"], document["body"])
        except Tampered as error:
            log.error("%s (session %s, seq %d)", error, document["session"], document["seq"])
    elif isinstance(cipher, StorageError) and not isinstance(cipher, SessionGone):
        raise cipher
    return Message(
        id=document["_id"],
        session_id=document["session"],
        seq=document["seq"],
        sender_id=document["sender"],
        content=content,
        created_at=document["created_at"],
        client_id=document.get("client_id"),
    )
