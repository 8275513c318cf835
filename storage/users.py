"""Accounts, and who blocks whom. Hashing passwords and judging names belong to the callers."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from bson.binary import Binary
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from storage.driver import Database, Document, duplicated, to_date
from storage.errors import Duplicate
from storage.records import User
from storage.together import Together

_UPDATABLE = frozenset({"display_name", "invisible", "share_location", "password_hash", "last_seen"})
_ALIVE = {"username_key": {"$exists": True}}


class Blocks(NamedTuple):
    """Whom somebody blocks, and by whom somebody is blocked."""

    blocked: list[str]
    blockers: list[str]


class Users:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._users = database["users"]
        self._blocks = database["blocks"]
        self._erased = database["erased"]
        self._gets = Together(self._read)
        self._meetings = Together(self._read_meetings)

    async def insert(self, user: User) -> None:
        """Raises Duplicate("username"), whatever the case, or Duplicate("subject")."""
        assert user.username is not None, "an erased account is never inserted"
        async with self._database.operation("users.insert"):
            try:
                await self._users.insert_one(_to_document(user, user.username))
            except DuplicateKeyError as error:
                raise Duplicate(_field(error)) from None

    async def get(self, user_id: str) -> User | None:
        return await self._gets.get(user_id)

    async def get_many(self, ids: Iterable[str]) -> dict[str, User]:
        found = await asyncio.gather(*(self._gets.get(user_id) for user_id in ids))
        return {user.id: user for user in found if user is not None}

    async def _read(self, ids: Collection[str]) -> dict[str, User]:
        async with self._database.operation("users.get"):
            found = await self._users.find({"_id": {"$in": list(ids)}}).to_list(None)
        return {document["_id"]: _from_document(document) for document in found}

    async def by_username(self, username: str) -> User | None:
        return await self._find({"username_key": username_key(username)})

    async def by_subject(self, subject: str) -> User | None:
        return await self._find({"subject": subject})

    async def update(self, user_id: str, **fields: Any) -> User | None:
        """The account after the change; None if there is none, or it is erased."""
        if unknown := fields.keys() - _UPDATABLE:
            raise ValueError(f"expected fields of {sorted(_UPDATABLE)}, got {sorted(unknown)}")
        async with self._database.operation("users.update"):
            document = await self._users.find_one_and_update(
                {"_id": user_id, **_ALIVE},
                {"$set": fields},
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else _from_document(document)

    async def erase(self, user_id: str) -> None:
        """Leaves the id alone, so that it is never given to somebody else."""
        async with self._database.operation("users.erase"):
            await self._users.replace_one({"_id": user_id}, {})
            await self._blocks.delete_many({"$or": [{"blocker": user_id}, {"blocked": user_id}]})

    async def bar(self, subject_hash: bytes, *, keep_until: int) -> None:
        """Remembers a provider's subject whose account is about to be erased."""
        async with self._database.operation("users.bar"):
            await self._erased.update_one(
                {"_id": Binary(subject_hash)}, {"$max": {"keep_until": to_date(keep_until)}}, upsert=True
            )

    async def is_barred(self, subject_hash: bytes, *, now: int) -> bool:
        async with self._database.operation("users.is_barred"):
            barred = {"_id": Binary(subject_hash), "keep_until": {"$gt": to_date(now)}}
            return await self._erased.find_one(barred) is not None

    async def block(self, blocker: str, blocked: str) -> None:
        pair = {"blocker": blocker, "blocked": blocked}
        async with self._database.operation("users.block"):
            await self._blocks.update_one(pair, {"$setOnInsert": pair}, upsert=True)

    async def unblock(self, blocker: str, blocked: str) -> None:
        async with self._database.operation("users.unblock"):
            await self._blocks.delete_one({"blocker": blocker, "blocked": blocked})

    async def blocks_of(self, user_id: str) -> Blocks:
        return (await self._read_blocks([user_id]))[user_id]

    async def meet(self, user_id: str) -> tuple[User, Blocks] | None:
        """The account and its blocks; those who are asked for at the same time are read together."""
        return await self._meetings.get(user_id)

    async def _read_blocks(self, ids: Collection[str]) -> dict[str, Blocks]:
        """Both directions of each, in the order in which they came to be."""
        blocks = {user_id: Blocks([], []) for user_id in ids}
        either = {"$or": [{"blocker": {"$in": list(ids)}}, {"blocked": {"$in": list(ids)}}]}
        async with self._database.operation("users.blocks"):
            found = await self._blocks.find(either).sort("_id", 1).to_list(None)
        for block in found:
            if block["blocker"] in blocks:
                blocks[block["blocker"]].blocked.append(block["blocked"])
            if block["blocked"] in blocks:
                blocks[block["blocked"]].blockers.append(block["blocker"])
        return blocks

    async def _read_meetings(self, ids: Collection[str]) -> dict[str, tuple[User, Blocks]]:
        users = await self.get_many(ids)
        blocks = await self._read_blocks(users.keys()) if users else {}
        return {user_id: (user, blocks[user_id]) for user_id, user in users.items()}

    async def _find(self, query: Document) -> User | None:
        async with self._database.operation("users.get"):
            document = await self._users.find_one(query)
        return None if document is None else _from_document(document)


def username_key(username: str) -> str:
    """What two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", username).casefold()


def _field(error: DuplicateKeyError) -> str:
    field = duplicated(error)[0]
    return "username" if field == "username_key" else field


def _to_document(user: User, username: str) -> dict[str, Any]:
    document = {
        "_id": user.id,
        "username": username,
        "username_key": username_key(username),
        "display_name": user.display_name,
        "password_hash": user.password_hash,
        "created_at": user.created_at,
        "invisible": user.invisible,
        "share_location": user.share_location,
        "last_seen": user.last_seen,
    }
    if user.subject is not None:
        document["subject"] = user.subject
    return document


def _from_document(document: Document) -> User:
    return User(
        id=document["_id"],
        username=document.get("username"),
        display_name=document.get("display_name"),
        password_hash=document.get("password_hash"),
        created_at=document.get("created_at", 0),
        subject=document.get("subject"),
        invisible=document.get("invisible", False),
        share_location=document.get("share_location", True),
        last_seen=document.get("last_seen"),
    )
