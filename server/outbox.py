"""What waits to be written to one connection: ordered, bounded in bytes, replaceable events replaced while they wait.

Plain objects. The handler that owns the socket empties its outbox once a turn of the loop; while the
socket takes nothing (the reader is slow), frames stay here.
"""

from __future__ import annotations

from collections.abc import Hashable


class Overflow(Exception):
    """More is waiting than the bound allows: the reader is too slow and has to be let go."""


class Batch:
    """Frames of one turn for everybody in a room: gathered once and joined once, however many get them.

    Each connection is handed the batch once; what is added later in the turn reaches all of them. So
    that everyone gets their frames in the order in which they were sent, the batch is sealed, and
    the next frame begins a new one, as soon as one of its connections gets anything else, or is
    written, and when somebody comes into the room or goes.
    """

    __slots__ = ("_data", "_frames", "sealed", "size")

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._data: bytes | None = None
        self.size = 0
        self.sealed = False

    def add(self, frame: bytes) -> None:
        """Not after it was sealed."""
        self._frames.append(frame)
        self.size += len(frame)

    def seal(self) -> bytes:
        """All of it, in one piece that is the same object for everybody."""
        self.sealed = True
        if self._data is None:
            self._data = b"".join(self._frames)
            self._frames.clear()
        return self._data


class Outbox:
    """Frames and batches in the order of their coming, about `limit` bytes of them at most."""

    __slots__ = ("_items", "_keys", "_size", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: list[bytes | Batch] = []
        self._keys: dict[Hashable, int] | None = None  # where a replaceable frame stands
        self._size = 0  # of the frames alone: a batch may still grow

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._size + sum(item.size for item in self._items if isinstance(item, Batch))

    def push(self, frame: bytes, key: Hashable | None = None) -> None:
        """Adds a frame, or puts it in the place of the waiting one with the same `key`.

        The place is that of the older frame: whatever a client could conclude from the order, it
        learns the newest state no later than it would have learned the older one. Raises Overflow, with
        nothing changed; a frame larger than the bound still goes where nothing else waits.
        """
        items = self._items
        place = self._keys.get(key) if key is not None and self._keys is not None else None
        replaced = items[place] if place is not None else b""
        assert isinstance(replaced, bytes)
        size = self._size + len(frame) - len(replaced)
        if size > self.limit and items:
            raise Overflow
        self._size = size
        if place is not None:
            items[place] = frame
            return
        self._seal_last()
        if key is not None:
            if self._keys is None:
                self._keys = {}
            self._keys[key] = len(items)
        items.append(frame)

    def share(self, batch: Batch) -> None:
        """Adds a batch, to which frames are still being added; the bound is for `check` to ask about."""
        self._seal_last()
        self._items.append(batch)

    def end(self, frame: bytes) -> None:
        """Adds the last frame, for which there is always room."""
        self._seal_last()
        self._items.append(frame)
        self._size += len(frame)

    def clear(self) -> None:
        """Gives up what waits."""
        self._items.clear()
        self._keys = None
        self._size = 0

    def check(self) -> None:
        """Raises Overflow if more waits than the bound allows, the batches included."""
        self._seal_last()  # the turn is over, and nothing takes it
        if len(self._items) > 1 and self.size > self.limit:
            raise Overflow

    def take(self) -> bytes:
        """Everything that waits, as one piece for one write; nothing if nothing does."""
        items = self._items
        if len(items) == 1:  # most often: an answer, or what a room was told
            item = items.pop()
            data = item.seal() if isinstance(item, Batch) else item
        else:
            data = b"".join([item.seal() if isinstance(item, Batch) else item for item in items])
            items.clear()
        self._keys = None
        self._size = 0
        return data

    def _seal_last(self) -> None:
        if self._items and isinstance(last := self._items[-1], Batch):
            last.sealed = True
