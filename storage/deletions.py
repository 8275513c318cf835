"""Which messages of a room were deleted lately: what somebody who comes back has to be told.

Each deleted message remembers the room's newest `seq` at the time (`deleted_after`), or a later one. So
who has seen the room up to that `seq` or less may not have heard of the deletion; who has seen more was there.
Read once for a room, and kept in step from then on by whoever deletes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

from storage.driver import Database
from storage.errors import SessionGone
from storage.lru import Lru
from storage.messages import lookup
from storage.together import Together

# Of one room: as many as anybody is told of. Who has missed more has to read the room anew.
MOST: Final = 1_000
# Rooms whose deletions are known; most have none, and take 200 bytes.
_KEPT: Final = 50_000


class Deletions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions = database["sessions"]
        # (deleted_after, message id), the latest first.
        self._rooms: Lru[str, deque[tuple[int, str]]] = Lru(_KEPT)
        self._loads = Together(self._load)
        self._changes = 0

    async def load(self, session_id: str) -> None:
        """Sees to it that `since` has an answer, for a while at least. Raises SessionGone, Unavailable."""
        if self._rooms.get(session_id) is None and await self._loads.get(session_id) is None:
            raise SessionGone(session_id)

    def since(self, session_id: str, seq: int) -> list[str] | None:
        """The ids of what was deleted since somebody saw `seq` as the newest, the latest first, one
        more than MOST of them at most; None if that has to be loaded."""
        known = self._rooms.get(session_id)
        if known is None:
            return None
        return [message_id for deleted_after, message_id in known if deleted_after >= seq]

    def note(self, session_id: str, message_id: str, deleted_after: int) -> None:
        """To be called when the deletion is written, before anybody is told of it."""
        self._changes += 1
        if (known := self._rooms.get(session_id)) is not None:
            known.appendleft((deleted_after, message_id))

    def forget(self, session_id: str) -> None:
        self._changes += 1
        self._rooms.forget(session_id)

    async def _load(self, session_ids: Collection[str]) -> Mapping[str, bool]:
        pipeline = [
            {"$match": {"_id": {"$in": list(session_ids)}}},
            {"$project": {"_id": 1}},
            lookup(
                [
                    {"$match": {"deleted_after": {"$exists": True}}},
                    {"$sort": {"deleted_after": -1}},
                    {"$limit": MOST + 1},
                    {"$project": {"deleted_after": 1}},
                ],
                "deleted",
            ),
        ]
        while True:
            changes = self._changes
            async with self._database.operation("deletions.load"):
                found = await self._sessions.aggregate(pipeline).to_list(None)
            if changes == self._changes:
                break  # else one of them may be missing
        for session in found:
            known = deque(((one["deleted_after"], one["_id"]) for one in session["deleted"]), MOST + 1)
            self._rooms.put(session["_id"], known)
        return dict.fromkeys((session["_id"] for session in found), True)
