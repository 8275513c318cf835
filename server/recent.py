"""The newest messages of rooms, in memory: what was just said is what most people ask for.

A plain object. Of a room it holds a run of messages without a gap that ends with the newest that was
told, so whether it can answer is a matter of numbers. `services.messages` fills it and says what was
deleted; the rooms that were not asked about or spoken in for longest go when it holds too much.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from storage.records import Message

# Of one room: more than anybody is replayed who comes back, 1,000, and than the largest page.
RUN: Final = 1_024
# Of one message, besides its text: the record, its ids, its place.
_OVERHEAD: Final = 500


class Recent:
    """At most about `limit` bytes of messages."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: OrderedDict[str, deque[Message]] = OrderedDict()  # oldest message first
        self.size = 0
        self.removals = 0  # rises with each: a page that was read before one is not to be put in after it

    def add(self, message: Message) -> None:
        """The next message of its room; for a room that is not held, the first of a new run."""
        run = self._runs.get(message.session_id)
        if run is None:
            run = self._runs[message.session_id] = deque()
        else:
            self._runs.move_to_end(message.session_id)
        run.append(message)
        self.size += _size(message)
        if len(run) > RUN:
            self.size -= _size(run.popleft())
        self._shrink()

    def fill(self, page: Sequence[Message]) -> None:
        """A room's newest messages, newest first, the first of them being the newest that was told."""
        room_id = page[0].session_id if page else ""
        held = self._runs.get(room_id)
        if not page or (held is not None and len(held) >= len(page)):
            return
        self.size -= sum(map(_size, held or ()))
        run = deque(reversed(page[:RUN]))
        self._runs[room_id] = run
        self._runs.move_to_end(room_id)
        self.size += sum(map(_size, run))
        self._shrink()

    def page(
        self, room_id: str, *, before: int | None, after: int | None, limit: int
    ) -> list[Message] | None:
        """As `storage.messages.Messages.page`; None if that is to be asked."""
        run = self._runs.get(room_id)
        if run is None:
            return None
        self._runs.move_to_end(room_id)
        first, last = run[0].seq, run[-1].seq
        if after is not None:
            if after + 1 < first:
                return None
            start = min(after + 1 - first, len(run))
            return list(islice(run, start, start + limit))
        end = last + 1 if before is None else min(before, last + 1)
        # What is held reaches far enough down, or down to the room's first message.
        if end - limit < first and first > 1:
            return None
        return [run[seq - first] for seq in range(end - 1, max(end - 1 - limit, first - 1), -1)]

    def delete(self, room_id: str, message_id: str) -> None:
        """The text of a message goes; its place stays."""
        self.removals += 1
        run = self._runs.get(room_id) or deque()
        for place, message in enumerate(run):
            if message.id == message_id:
                run[place] = replace(message, content=None)
                self.size += _size(run[place]) - _size(message)
                return

    def forget(self, room_id: str) -> None:
        self.removals += 1
        if (run := self._runs.pop(room_id, None)) is not None:
            self.size -= sum(map(_size, run))

    def clear(self) -> None:
        self.removals += 1
        self._runs.clear()
        self.size = 0

    def _shrink(self) -> None:
        while self.size > self._limit and self._runs:
            _, run = self._runs.popitem(last=False)
            self.size -= sum(map(_size, run))


def _size(message: Message) -> int:
    return _OVERHEAD + sys.getsizeof(message.content or "")
