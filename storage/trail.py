"""What a committed message leaves to be written a moment later: its room's head, its sender's read mark.

Kept off the path of the acknowledgement, and joined: however many messages a room got meanwhile, its
document is written once. After a crash the two are behind the truth, never ahead of it; whoever reads
them through this process first waits for what is still on its way (`settle`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pymongo import UpdateOne

from storage.driver import Database
from storage.records import Message


@dataclass(slots=True)
class _Room:
    last_seq: int
    active_at: int
    read: dict[str, int] = field(default_factory=dict)  # the newest seq that each sender wrote


class Trail:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions = database["sessions"]
        self._marks = database["marks"]
        self._rooms: dict[str, _Room] = {}
        self._writing = asyncio.Lock()

    @property
    def pending(self) -> bool:
        return bool(self._rooms) or self._writing.locked()

    def add(self, message: Message) -> None:
        room = self._rooms.setdefault(message.session_id, _Room(message.seq, message.created_at))
        room.last_seq = max(room.last_seq, message.seq)
        room.active_at = max(room.active_at, message.created_at)
        room.read[message.sender_id] = max(room.read.get(message.sender_id, 0), message.seq)

    def forget(self, session_id: str) -> None:
        self._rooms.pop(session_id, None)

    async def settle(self) -> None:
        """Returns once everything added before the call is written. Raises Unavailable."""
        if not self.pending:
            return
        async with self._writing:
            rooms, self._rooms = self._rooms, {}
            if not rooms:
                return
            try:
                await self._write(rooms)
            except BaseException:
                self._put_back(rooms)
                raise

    async def _write(self, rooms: dict[str, _Room]) -> None:
        heads = [
            UpdateOne({"_id": session_id}, {"$max": {"last_seq": room.last_seq, "active_at": room.active_at}})
            for session_id, room in rooms.items()
        ]
        marks = [
            # Without upsert: a mark that is gone was taken away, and a late write must not bring it back.
            UpdateOne({"session": session_id, "user": sender_id}, {"$max": {"read_seq": seq}})
            for session_id, room in rooms.items()
            for sender_id, seq in room.read.items()
        ]
        async with self._database.operation("trail.write"):
            await self._sessions.bulk_write(heads, ordered=False)
            await self._marks.bulk_write(marks, ordered=False)

    def _put_back(self, rooms: dict[str, _Room]) -> None:
        for session_id, room in rooms.items():
            newer = self._rooms.setdefault(session_id, room)
            newer.last_seq = max(newer.last_seq, room.last_seq)
            newer.active_at = max(newer.active_at, room.active_at)
            for sender_id, seq in room.read.items():
                newer.read[sender_id] = max(newer.read.get(sender_id, 0), seq)
