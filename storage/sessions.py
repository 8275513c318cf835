"""Chat sessions, their members, and the marks that say for whom a session is listed and how far it is read.

A private or group session is its members', and a mark is made with each membership; a land's session is
a person's once a mark is made for it (`enter`). What is without its data key is being deleted: to
everybody it is absent already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from storage.cipher import DataKeys
from storage.driver import Database, Document, Transaction
from storage.errors import MemberLimit, SessionGone, Unavailable
from storage.records import Session, SessionKind
from storage.together import Together
from storage.writer import MessageWriter

_ALIVE = {"key": {"$exists": True}}
_NEWEST_FIRST = [("active_at", -1), ("_id", -1)]
_TRIES = 3
_Entry = tuple[str, str, int]  # session, user, read_seq


class Sessions:
    def __init__(self, database: Database, keys: DataKeys, writer: MessageWriter) -> None:
        self._database = database
        self._sessions = database["sessions"]
        self._marks = database["marks"]
        self._messages = database["messages"]
        self._keys = keys
        self._writer = writer
        # After a restart everybody asks for their rooms at the same time.
        self._gets = Together(self._get_many)
        self._entries = Together(self._enter_many)

    # Making one

    async def open_land(self, land_id: str, now: int) -> tuple[Session, bool]:
        """The land's session, and whether it was made just now."""
        return await self._open({"_id": land_id}, self._new(land_id, "land", None, (), None, now))

    async def open_private(
        self, session_id: str, a: str, b: str, now: int, *, quiet: bool = False
    ) -> tuple[Session, bool]:
        """The one session of these two, and whether it was made just now (with the given id).

        Made `quiet`, it is not listed for `b` until something is said there, or `b` opens it.
        """
        first, second = sorted((a, b))
        document = self._new(session_id, "private", None, (a, b), a, now)
        document["pair"] = {"first": first, "second": second}
        if quiet:
            document["unlisted_for"] = b
        session, created = await self._open({"pair": document["pair"]}, document)
        if not created:
            async with self._database.operation("sessions.list"):
                unlisted = {"_id": session.id, "unlisted_for": a}
                await self._sessions.update_one(unlisted, {"$unset": {"unlisted_for": ""}})
        return session, created

    async def create_group(
        self, session_id: str, name: str, members: Iterable[str], maker_id: str, now: int
    ) -> Session:
        session, _ = await self._open(
            {"_id": session_id}, self._new(session_id, "group", name, members, maker_id, now)
        )
        return session

    # Reading

    async def get(self, session_id: str) -> Session | None:
        return await self._gets.get(session_id)

    async def _get_many(self, session_ids: Collection[str]) -> Mapping[str, Session]:
        await self._writer.settle()
        async with self._database.operation("sessions.get"):
            found = await self._sessions.find({"_id": {"$in": list(session_ids)}, **_ALIVE}).to_list(None)
        return {document["_id"]: _from_document(document) for document in found}

    async def page(self, user_id: str, *, before: tuple[int, str] | None, limit: int) -> list[Session]:
        """What is listed for this person, by (active_at, id) descending; `before` is exclusive."""
        await self._writer.settle()
        async with self._database.operation("sessions.page"):
            marked = await self._marks.find({"user": user_id}, {"session": 1}).to_list(None)
            # Membership decides where there are members; a mark left over lists nothing.
            listed: dict[str, Any] = {
                "$or": [
                    {
                        "members": user_id,
                        "$or": [{"unlisted_for": {"$ne": user_id}}, {"last_seq": {"$gt": 0}}],
                    },
                    {"_id": {"$in": [mark["session"] for mark in marked]}, "kind": "land"},
                ]
            }
            query = {"$and": [listed, _ALIVE, {} if before is None else _older(*before)]}
            found = await self._sessions.find(query).sort(_NEWEST_FIRST).limit(limit).to_list(None)
        return [_from_document(document) for document in found]

    async def of_member(self, user_id: str) -> list[Session]:
        """The private and group sessions of this person."""
        async with self._database.operation("sessions.of_member"):
            found = await self._sessions.find({"members": user_id, **_ALIVE}).to_list(None)
        return [_from_document(document) for document in found]

    async def shared(self, a: str, b: str) -> bool:
        """Do these two share a private or group session?"""
        async with self._database.operation("sessions.shared"):
            found = await self._sessions.find_one({"members": {"$all": [a, b]}, **_ALIVE}, {"_id": 1})
        return found is not None

    async def count(self) -> int:
        async with self._database.operation("sessions.count"):
            return int(await self._sessions.estimated_document_count())

    # Changing one

    async def rename(self, session_id: str, name: str) -> Session | None:
        async with self._database.operation("sessions.rename"):
            document = await self._sessions.find_one_and_update(
                {"_id": session_id, "kind": "group", **_ALIVE},
                {"$set": {"name": name}},
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else _from_document(document)

    async def add_members(
        self, session_id: str, user_ids: Sequence[str], *, limit: int, now: int
    ) -> tuple[Session, list[str]] | None:
        """(the group after, who really came in), or None if there is no such group.

        Raises MemberLimit, with nothing changed. What was written before is read, for who comes in.
        """

        async def add(transaction: Transaction) -> tuple[Session, list[str]] | None:
            document = await self._sessions.find_one(
                {"_id": session_id, "kind": "group", **_ALIVE}, session=transaction
            )
            if document is None:
                return None
            added = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in document["members"]]
            if not added:
                return _from_document(document), []
            if len(document["members"]) + len(added) > limit:
                raise MemberLimit(f"a group has at most {limit} members")
            document = await self._sessions.find_one_and_update(
                {"_id": session_id},
                {"$push": {"members": {"$each": added}}},
                return_document=ReturnDocument.AFTER,
                session=transaction,
            )
            await self._mark(session_id, added, document["last_seq"], transaction)
            return _from_document(document), added

        await self._writer.settle()
        async with self._database.operation("sessions.add_members"):
            return await self._database.transaction(add)

    async def remove_member(self, session_id: str, user_id: str) -> tuple[Session, bool] | None:
        """(the group after, whether this person was in it), or None if there is no such group."""

        async def remove(transaction: Transaction) -> tuple[Session, bool] | None:
            before = await self._sessions.find_one_and_update(
                {"_id": session_id, "kind": "group", **_ALIVE},
                {"$pull": {"members": user_id}},
                session=transaction,
            )
            if before is None:
                return None
            await self._marks.delete_one({"session": session_id, "user": user_id}, session=transaction)
            members = [member for member in before["members"] if member != user_id]
            return _from_document({**before, "members": members}), user_id in before["members"]

        async with self._database.operation("sessions.remove_member"):
            return await self._database.transaction(remove)

    async def delete(self, session_id: str) -> None:
        """The data key first: from then on nobody reads what was written, whatever happens next."""
        async with self._database.operation("sessions.shred"):
            await self._sessions.update_one({"_id": session_id}, {"$unset": {"key": ""}})
        self._writer.forget(session_id)
        self._keys.forget(session_id)
        # What was under way when the key went is written by now, and goes with the rest.
        await self._writer.round_over()
        async with self._database.operation("sessions.delete"):
            await self._messages.delete_many({"session": session_id})
            await self._marks.delete_many({"session": session_id})
            await self._sessions.delete_one({"_id": session_id})

    async def finish_deletions(self) -> None:
        """Deletes to the end what a crash left half deleted. Called at start."""
        async with self._database.operation("sessions.finish_deletions"):
            found = await self._sessions.find({"key": {"$exists": False}}, {"_id": 1}).to_list(None)
        for document in found:
            await self.delete(document["_id"])

    # Marks

    async def enter(self, session_id: str, user_id: str, read_seq: int) -> bool:
        """Makes the mark if there is none; whether it was made."""
        return await self._entries.get((session_id, user_id, read_seq)) is not None

    async def _enter_many(self, entries: Collection[_Entry]) -> Mapping[_Entry, bool]:
        """Those whose marks were made."""
        entries = list(entries)
        marks = [
            UpdateOne({"session": session, "user": user}, {"$setOnInsert": {"read_seq": seq}}, upsert=True)
            for session, user, seq in entries
        ]
        async with self._database.operation("sessions.enter"):
            result = await self._marks.bulk_write(marks, ordered=False)
        return {entries[place]: True for place in result.upserted_ids or ()}

    async def mark_read(self, session_id: str, user_id: str, seq: int) -> int | None:
        """How far it is read now: never less than before. None if there is no mark."""
        await self._writer.settle()
        async with self._database.operation("sessions.mark_read"):
            mark = await self._marks.find_one_and_update(
                {"session": session_id, "user": user_id},
                {"$max": {"read_seq": seq}},
                return_document=ReturnDocument.AFTER,
            )
        return None if mark is None else int(mark["read_seq"])

    async def read_seqs(self, user_id: str, session_ids: Iterable[str]) -> dict[str, int]:
        """How far this person has read each of these sessions; absent where there is no mark."""
        await self._writer.settle()
        async with self._database.operation("sessions.read_seqs"):
            query = {"user": user_id, "session": {"$in": list(session_ids)}}
            found = await self._marks.find(query).to_list(None)
        return {mark["session"]: mark["read_seq"] for mark in found}

    # How

    async def _open(self, identity: Document, document: dict[str, Any]) -> tuple[Session, bool]:
        """Finds the session, or makes it with a mark for each member. The unique index decides a race."""

        async def insert(transaction: Transaction) -> None:
            await self._sessions.insert_one(document, session=transaction)
            await self._mark(document["_id"], document["members"], 0, transaction)

        for _ in range(_TRIES):
            async with self._database.operation("sessions.open"):
                if found := await self._sessions.find_one(identity):
                    if "key" in found:
                        return _from_document(found), False
                    raise SessionGone(found["_id"])
                try:
                    await self._database.transaction(insert)
                except DuplicateKeyError:
                    continue
                return _from_document(document), True
        raise Unavailable("a session that others are making cannot be seen yet")

    async def _mark(
        self, session_id: str, members: Sequence[str], seq: int, transaction: Transaction
    ) -> None:
        marks = [
            UpdateOne({"session": session_id, "user": user_id}, {"$max": {"read_seq": seq}}, upsert=True)
            for user_id in members
        ]
        if marks:
            await self._marks.bulk_write(marks, session=transaction)

    def _new(
        self,
        session_id: str,
        kind: SessionKind,
        name: str | None,
        members: Iterable[str],
        maker_id: str | None,
        now: int,
    ) -> dict[str, Any]:
        return {
            "_id": session_id,
            "kind": kind,
            "name": name,
            "members": list(dict.fromkeys(members)),
            "maker_id": maker_id,
            "created_at": now,
            "last_seq": 0,
            "active_at": now,
            "key": self._keys.new(),
        }


def _older(active_at: int, session_id: str) -> dict[str, Any]:
    return {"$or": [{"active_at": {"$lt": active_at}}, {"active_at": active_at, "_id": {"$lt": session_id}}]}


def _from_document(document: Document) -> Session:
    return Session(
        id=document["_id"],
        kind=document["kind"],
        name=document["name"],
        members=tuple(document["members"]),
        maker_id=document["maker_id"],
        created_at=document["created_at"],
        last_seq=document["last_seq"],
        active_at=document["active_at"],
    )
