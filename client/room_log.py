"""Puts the messages of each followed room in order, without gaps or doubles. Has no I/O.

Live messages, replayed ones and pages of history meet here. A `seq` rises by one, so a message that skips
ahead shows a gap, and is held back until something covers it: the end of a resume, or history, which
`gap` asks for. ChatSocket feeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]  # as in the contract; from history it may be `deleted`: id, room_id, seq only


@dataclass(slots=True)
class _Room:
    seq: int  # everything up to here has been delivered
    holding: bool = False  # until `cover`: a resume or a reading of history is under way
    # What skips ahead, by seq; None where a message was deleted before it could be delivered.
    held: dict[int, Message | None] = field(default_factory=dict)


class RoomLog:
    def __init__(self, deliver: Callable[[Message], None], gap: Callable[[str], None]) -> None:
        """`gap(room_id)`: read history from `seq(room_id)` on into `advance`, then call `cover`."""
        self._deliver = deliver
        self._gap = gap
        self._rooms: dict[str, _Room] = {}

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms

    def follow(self, room_id: str, seq: int) -> None:
        """Follows a room from `seq` on; a room followed already keeps its place."""
        self._rooms.setdefault(room_id, _Room(seq))

    def forget(self, room_id: str) -> None:
        room = self._rooms.pop(room_id, None)
        if room is not None:
            room.held.clear()  # ends a delivery under way: listeners may leave the room

    def clear(self) -> None:
        for room_id in tuple(self._rooms):
            self.forget(room_id)

    @property
    def rooms(self) -> list[str]:
        return list(self._rooms)

    def seq(self, room_id: str) -> int:
        return self._rooms[room_id].seq

    def highest(self, room_id: str) -> int:
        """The highest `seq` known of: what history has to reach."""
        room = self._rooms[room_id]
        return max(room.held, default=room.seq)

    def hold(self) -> None:
        """A connection begins. What the last one brought ahead of its turn comes again, with the resume."""
        for room in self._rooms.values():
            room.holding = True
            room.held.clear()

    def receive(self, message: Message) -> None:
        """Takes in a live or a replayed message of a followed room."""
        room, seq = self._rooms[message["room_id"]], message["seq"]
        if seq > room.seq:
            room.held.setdefault(seq, message)
            self._release(message["room_id"], room)

    def deleted(self, room_id: str, seq: int) -> None:
        """A message was deleted: if it has not been delivered, it will not be."""
        room = self._rooms.get(room_id)
        if room is not None and seq > room.seq:
            room.held[seq] = None

    def advance(self, room_id: str, page: Iterable[Message]) -> None:
        """Takes in history, which is complete: a `seq` that is not in it is no more."""
        room = self._rooms[room_id]
        for message in page:
            if room_id in self._rooms and message["seq"] > room.seq:  # listeners may leave the room
                self._pass(room, message["seq"], room.held.get(message["seq"], message))

    def catch_up(self, room_id: str, last_seq: int) -> None:
        """Everything above `last_seq` comes live; what is missing up to it is to be read."""
        room = self._rooms[room_id]
        if last_seq > room.seq and not room.holding:
            room.holding = True
            self._gap(room_id)

    def cover(self, room_id: str, upto: int) -> None:
        """All up to `upto` that still exists has been taken in: ends the holding back."""
        room = self._rooms.get(room_id)
        if room is None:
            return
        for seq in sorted(seq for seq in room.held if seq <= upto):
            if seq in room.held:  # else a listener left the room
                self._pass(room, seq, room.held[seq])
        room.seq = max(room.seq, upto)
        room.holding = False
        self._release(room_id, room)

    def go_back(self, room_id: str, last_seq: int) -> None:
        """The server's last is below ours: it was restored from a backup, and counts on from there."""
        room = self._rooms[room_id]
        room.seq = min(room.seq, last_seq)

    def _pass(self, room: _Room, seq: int, message: Message | None) -> None:
        room.held.pop(seq, None)
        room.seq = seq  # first, so that a listener that raises or leaves finds it right
        if message is not None:
            self._deliver(message)

    def _release(self, room_id: str, room: _Room) -> None:
        while room.seq + 1 in room.held:
            self._pass(room, room.seq + 1, room.held[room.seq + 1])
        if any(room.held.values()) and not room.holding:
            room.holding = True
            self._gap(room_id)
