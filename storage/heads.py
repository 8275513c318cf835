"""What this node knows of the ends of rooms: the `seq` of the newest message it has told of.

Finds that number when a room is first used, and finds out, where somebody else or a commit of unknown
outcome may have written more, what that was: each such message is told of, in order, none twice. The
writer alone moves heads; `head` may be asked by anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from time import monotonic

from storage.driver import Database
from storage.errors import SessionGone
from storage.lru import Lru
from storage.messages import Messages, newest_message
from storage.records import Message
from storage.together import Together

# A head of 200 bytes; the one used last cannot fall out while another read is under way.
_KEPT = 50_000
_PAGE = 500
# A head not looked at for so long is looked at again: retention may have taken what others wrote
# meanwhile, and with it the duplicate that would have told of it. Far below the shortest retention.
_TRUSTED_SECONDS = 3600.0
# A write that was given up may still be on its way to a database that answers others again: doubt ends
# with the second look, so much after the first.
_LATE_SECONDS = 0.5


@dataclass(slots=True)
class _Head:
    seq: int
    checked_at: float
    first_look_at: float | None = None  # in doubt


class Heads:
    def __init__(self, database: Database, messages: Messages, tell: Callable[[Message], None]) -> None:
        self._database = database
        self._sessions = database["sessions"]
        self._messages = messages
        self._tell = tell
        self._heads: Lru[str, _Head] = Lru(_KEPT)
        self._loads = Together(self._load)
        # Where a commit's outcome is unknown. Kept apart, so that none is evicted with its doubt.
        self._doubted: dict[str, _Head] = {}

    @property
    def doubted(self) -> frozenset[str]:
        return frozenset(self._doubted)

    def published(self, session_id: str) -> int | None:
        head = self._get(session_id)
        return None if head is None else head.seq

    async def head(self, session_id: str) -> int:
        """Raises SessionGone."""
        if (head := self._get(session_id) or await self._loads.get(session_id)) is None:
            raise SessionGone(session_id)
        return head.seq

    async def ready(self, session_ids: Iterable[str]) -> None:
        """Loads the heads of these that are not known, and looks again at those in doubt."""
        ids = set(session_ids)
        if absent := [session_id for session_id in ids if self._get(session_id) is None]:
            await self._load(absent)
        if not self._doubted.keys().isdisjoint(ids):
            # What was written before this is seen by reads at majority after it, and not before.
            await self._database.touch("heads.confirm")
        distrusted = monotonic() - _TRUSTED_SECONDS
        for session_id in ids:
            head = self._heads.get(session_id)
            if session_id in self._doubted or (head is not None and head.checked_at < distrusted):
                await self.look_again(session_id)

    async def look_again(self, session_id: str) -> None:
        """Tells of every message above the head that was written after all, and moves the head there."""
        head = self._get(session_id)
        if head is None:
            return
        # Asked before the messages are read, so that all of those up to it are among them, or purged.
        stored = await self._read([session_id])
        while True:
            found = await self._messages.page(session_id, after=head.seq, limit=_PAGE)
            for message in found:
                self.publish(message)
            if len(found) < _PAGE:
                break
        head.seq = max(head.seq, stored.get(session_id, 0))
        head.checked_at = monotonic()
        if session_id not in self._doubted:
            return
        if head.first_look_at is None:
            head.first_look_at = head.checked_at
        elif head.checked_at >= head.first_look_at + _LATE_SECONDS:
            del self._doubted[session_id]
            self._heads.put(session_id, head)

    def publish(self, message: Message) -> None:
        """A message that is now certainly written, the next of its room."""
        if (head := self._get(message.session_id)) is not None:
            head.seq = message.seq
            head.checked_at = monotonic()
        self._tell(message)

    def doubt(self, session_ids: Iterable[str]) -> None:
        for session_id in session_ids:
            if (head := self._get(session_id)) is not None:
                self._heads.forget(session_id)
                head.first_look_at = None
                self._doubted[session_id] = head

    def forget(self, session_id: str) -> None:
        self._heads.forget(session_id)
        self._doubted.pop(session_id, None)

    def _get(self, session_id: str) -> _Head | None:
        return self._doubted.get(session_id) or self._heads.get(session_id)

    async def _load(self, session_ids: Collection[str]) -> dict[str, _Head]:
        found: dict[str, _Head] = {}
        for session_id, seq in (await self._read(session_ids)).items():
            # Whoever was faster may have moved it already.
            head = self._get(session_id)
            if head is None:
                head = _Head(seq, monotonic())
                self._heads.put(session_id, head)
            found[session_id] = head
        return found

    async def _read(self, session_ids: Collection[str]) -> dict[str, int]:
        """The stored head of each session there is: its own word, or its newest message if that is newer."""
        pipeline = [
            {"$match": {"_id": {"$in": list(session_ids)}, "key": {"$exists": True}}},
            {"$project": {"last_seq": 1}},
            *newest_message({"seq": 1}),
        ]
        async with self._database.operation("heads.read"):
            found = await self._sessions.aggregate(pipeline).to_list(None)
        return {
            session["_id"]: max([session["last_seq"], *(newest["seq"] for newest in session["newest"])])
            for session in found
        }
