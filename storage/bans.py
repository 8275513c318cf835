"""Who is banned. Written by `run.py ban`, read by every running server, which asks for the version twice a second."""

from __future__ import annotations

from storage.driver import Database

_VERSION = "bans"


class Bans:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._bans = database["bans"]
        self._meta = database["meta"]

    async def ban(self, user_id: str, *, now: int) -> bool:
        """False if the user was banned already."""
        document = {"_id": user_id}
        async with self._database.operation("bans.ban"):
            result = await self._bans.update_one(document, {"$setOnInsert": {"banned_at": now}}, upsert=True)
            await self._changed()
        return result.upserted_id is not None

    async def unban(self, user_id: str) -> bool:
        """False if the user was not banned."""
        async with self._database.operation("bans.unban"):
            result = await self._bans.delete_one({"_id": user_id})
            await self._changed()
        return bool(result.deleted_count)

    async def version(self) -> int:
        """Another number after each change. One read by id, and no news: it is not measured."""
        async with self._database.operation("bans.version", measured=False):
            found = await self._meta.find_one({"_id": _VERSION})
        return int(found["version"]) if found else 0

    async def all(self) -> frozenset[str]:
        """The ids of the banned."""
        async with self._database.operation("bans.all"):
            found = await self._bans.find({}, {"_id": 1}).to_list(None)
        return frozenset(ban["_id"] for ban in found)

    async def _changed(self) -> None:
        # After the change: whoever reads the new version reads the change too. If it does not get here, the
        # command has failed, and is given again.
        await self._meta.update_one({"_id": _VERSION}, {"$inc": {"version": 1}}, upsert=True)
