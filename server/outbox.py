"""What waits to be written to one connection: ordered, bounded in bytes, replaceable events replaced while they wait.

A plain object. The handler that owns the socket empties it once a turn of the loop; while the
socket takes nothing (the reader is slow), frames stay here.
"""

from __future__ import annotations

from collections.abc import Hashable


class Overflow(Exception):
    """More is waiting than the bound allows: the reader is too slow and has to be let go."""


class Outbox:
    """Frames in the order of `push`, at most `limit` bytes of them."""

    __slots__ = ("_frames", "_keys", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._frames: list[bytes] = []
        self._keys: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, frame: bytes, key: Hashable | None = None) -> None:
        """Adds a frame, or puts it in the place of the waiting one with the same `key`.

        The place is that of the older frame: whatever a client could conclude from the order, it
        learns the newest state no later than it would have learned the older one. Raises Overflow, with
        nothing changed; a frame larger than the bound still goes where nothing else waits.
        """
        place = self._keys.get(key) if key is not None else None
        replaced = len(self._frames[place]) if place is not None else 0
        size = self.size + len(frame) - replaced
        if size > self.limit and self._frames:
            raise Overflow
        self.size = size
        if place is not None:
            self._frames[place] = frame
            return
        if key is not None:
            self._keys[key] = len(self._frames)
        self._frames.append(frame)

    def take(self) -> bytes:
        """Everything that waits, as one piece for one write."""
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        self._keys.clear()
        self.size = 0
        return data
