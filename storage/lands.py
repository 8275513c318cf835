"""Lands as they are stored. Where they lie, and whether two overlap, is `spatial`'s and the caller's."""

from __future__ import annotations

from typing import Any

from pymongo.errors import DuplicateKeyError

from storage.driver import Database, Document
from storage.errors import Duplicate
from storage.records import Land


class Lands:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._lands = database["lands"]

    async def insert(self, land: Land) -> None:
        """Raises Duplicate("id")."""
        async with self._database.operation("lands.insert"):
            try:
                await self._lands.insert_one(_to_document(land))
            except DuplicateKeyError:
                raise Duplicate("id") from None

    async def replace(self, land: Land) -> bool:
        """False if there is no such land (any more)."""
        async with self._database.operation("lands.replace"):
            result = await self._lands.replace_one({"_id": land.id}, _to_document(land))
        return bool(result.matched_count)

    async def delete(self, land_id: str) -> bool:
        async with self._database.operation("lands.delete"):
            result = await self._lands.delete_one({"_id": land_id})
        return bool(result.deleted_count)

    async def all(self) -> list[Land]:
        """Every land there is: read once, at start, into the index."""
        async with self._database.operation("lands.all"):
            found = await self._lands.find({}).to_list(None)
        return [_from_document(document) for document in found]

    async def disown(self, owner_id: str) -> list[str]:
        """Leaves this person's lands without an owner; their ids."""
        async with self._database.operation("lands.disown"):
            found = await self._lands.find({"owner_id": owner_id}, {"_id": 1}).to_list(None)
            await self._lands.update_many({"owner_id": owner_id}, {"$set": {"owner_id": None}})
        return [document["_id"] for document in found]


def _to_document(land: Land) -> dict[str, Any]:
    return {
        "_id": land.id,
        "world_id": land.world_id,
        "name": land.name,
        "x": land.x,
        "y": land.y,
        "width": land.width,
        "height": land.height,
        "owner_id": land.owner_id,
        "access": land.access,
        "invited": sorted(land.invited),
        "created_at": land.created_at,
    }


def _from_document(document: Document) -> Land:
    return Land(
        id=document["_id"],
        world_id=document["world_id"],
        name=document["name"],
        x=document["x"],
        y=document["y"],
        width=document["width"],
        height=document["height"],
        owner_id=document["owner_id"],
        access=document["access"],
        invited=frozenset(document["invited"]),
        created_at=document["created_at"],
    )
