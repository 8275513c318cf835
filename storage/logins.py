"""Sign-ins and their refresh tokens. Knows the hash of a token only; making tokens is the caller's.

A login lives as a document in `logins`; each of its refresh tokens is one of `refresh_tokens`. Without
the first, the second is worth nothing: so ending a login is one deletion, whatever else is under way.
"""

from __future__ import annotations

from collections.abc import Sequence

from bson.binary import Binary
from pymongo import ReturnDocument

from storage.driver import Database, Document, from_date, to_date
from storage.errors import RefreshTokenReused, RefreshTokenUnknown
from storage.records import Login


class Logins:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._logins = database["logins"]
        self._tokens = database["refresh_tokens"]
        self._ended = database["ended_logins"]

    async def create(self, login: Login, refresh_hash: bytes, expires_at: int) -> None:
        document = {
            "_id": login.id,
            "user_id": login.user_id,
            "created_at": login.created_at,
            "expires_at": to_date(expires_at),
        }
        async with self._database.operation("logins.create"):
            await self._logins.insert_one(document)
            await self._insert_token(refresh_hash, login.id, expires_at)

    async def rotate(
        self, old_hash: bytes, new_hash: bytes, *, now: int, grace_ms: int, expires_at: int
    ) -> Login:
        """Adds the token that takes the place of another, which stays good until it is `used`.

        A used one is good for `grace_ms` more (the answer may have been lost); later it raises
        RefreshTokenReused. Unknown, expired or of an ended login: RefreshTokenUnknown.
        """
        async with self._database.operation("logins.rotate"):
            token = await self._tokens.find_one(
                {"_id": Binary(old_hash), "expires_at": {"$gt": to_date(now)}}
            )
            if token is None:
                raise RefreshTokenUnknown
            if now - token.get("used_at", now) > grace_ms:
                raise RefreshTokenReused(token["login_id"])
            login = await self._logins.find_one_and_update(
                {"_id": token["login_id"]},
                {"$max": {"expires_at": to_date(expires_at)}},
                return_document=ReturnDocument.AFTER,
            )
            if login is None:
                raise RefreshTokenUnknown
            await self._insert_token(new_hash, login["_id"], expires_at, replaces=old_hash)
        return _from_document(login)

    async def used(self, token_hash: bytes, *, now: int) -> None:
        """To be called once nothing but the answer itself can be lost any more, not before: a token
        whose successor could not be handed out has to work again, however late.

        Whoever uses a token has got it: the one that it replaced is used by now too, even if that
        could not be written then.
        """
        async with self._database.operation("logins.used"):
            used = {"$min": {"used_at": now}}
            token = await self._tokens.find_one_and_update({"_id": Binary(token_hash)}, used)
            if token is not None and "replaces" in token:
                await self._tokens.update_one({"_id": token["replaces"]}, used)

    async def end(self, login_id: str, *, now: int, keep_until: int) -> bool:
        """False if there was no such login (any more). Its revocation is recorded all the same."""
        async with self._database.operation("logins.end"):
            return bool(await self._end([login_id], now, keep_until))

    async def end_all(self, user_id: str, *, now: int, keep_until: int, keep: str | None = None) -> list[str]:
        """Ends a person's logins, all or all but `keep`; the ids of those ended."""
        async with self._database.operation("logins.end_all"):
            found = await self._logins.find({"user_id": user_id, "_id": {"$ne": keep}}).to_list(None)
            ids = [login["_id"] for login in found]
            if ids:
                await self._end(ids, now, keep_until)
        return ids

    async def ended(self) -> list[tuple[str, int]]:
        """(login id, keep until) of every revocation still kept."""
        async with self._database.operation("logins.ended"):
            found = await self._ended.find({}).to_list(None)
        return [(ended["_id"], from_date(ended["keep_until"])) for ended in found]

    async def _end(self, login_ids: Sequence[str], now: int, keep_until: int) -> int:
        # The revocation first: whoever is interrupted after it can say it again.
        for login_id in login_ids:
            await self._ended.update_one(
                {"_id": login_id},
                {"$max": {"keep_until": to_date(keep_until)}, "$setOnInsert": {"ended_at": now}},
                upsert=True,
            )
        result = await self._logins.delete_many({"_id": {"$in": login_ids}})
        await self._tokens.delete_many({"login_id": {"$in": login_ids}})
        return int(result.deleted_count)

    async def _insert_token(
        self, token_hash: bytes, login_id: str, expires_at: int, *, replaces: bytes | None = None
    ) -> None:
        document = {"_id": Binary(token_hash), "login_id": login_id, "expires_at": to_date(expires_at)}
        if replaces is not None:
            document["replaces"] = Binary(replaces)
        await self._tokens.insert_one(document)


def _from_document(document: Document) -> Login:
    return Login(id=document["_id"], user_id=document["user_id"], created_at=document["created_at"])
