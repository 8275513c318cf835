"""The connections of this node, the users they belong to, and the rooms they have joined.

The hub never looks into a message. A room lives while a connection is in it. Both sockets (chat
and signaling) have a hub of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any

from server.broker import Audience, ToConnection, ToRoom
from server.codec import encode
from server.errors import Close
from server.frames import text_frame
from server.outbox import Batch


class Connection(ABC):
    """One socket of one user, as the services see it: a port, which `handlers.socket` implements."""

    __slots__ = (
        "closed",
        "expires_at",
        "heard_at",
        "hears_after",
        "id",
        "login_id",
        "rooms",
        "since",
        "user_id",
        "watching",
    )

    def __init__(self, id: str, user_id: str, login_id: str, expires_at: int, now: int) -> None:
        self.id = id
        self.user_id = user_id
        self.login_id = login_id
        self.expires_at = expires_at  # of its token, milliseconds
        self.heard_at = now
        self.rooms: set[str] = set()
        # The `seq` from which on it gets, or has got, every message of a room.
        self.since: dict[str, int] = {}
        self.watching = False  # is told who is near, tick by tick
        # The speech after which it gets, or has got, all that its user says and hears.
        self.hears_after = ""
        self.closed = False  # detached: a request that still waits for storage must not join anything

    @property
    @abstractmethod
    def backlog(self) -> int:
        """Bytes that wait for the other side to read."""

    @property
    @abstractmethod
    def behind(self) -> bool:
        """Whether the other side has yet to take what was written: not what waits for the end of this turn."""

    @abstractmethod
    def send(self, frame: bytes, key: Hashable | None = None) -> None:
        """Queues a frame; never blocks and never raises. A full buffer closes the connection."""

    @abstractmethod
    def close(self, close: Close) -> None:
        """Ends the connection after what is queued; the service hears of it as of any disconnect."""

    def answer(self, event: Mapping[str, Any], ref: str | None = None) -> None:
        """Sends an event to this connection alone, with the `ref` of the request that it answers."""
        self.send(answer_frame(event, ref))


def answer_frame(event: Mapping[str, Any], ref: str | None) -> bytes:
    """An event as the answer to a request, or as one of several: those that are sent in one piece cost one `send`."""
    return text_frame(encode({**event, "ref": ref} if ref is not None else event))


# Queues a batch for each of the connections, as they are now; it may still grow in this turn of the loop. Never raises.
Share = Callable[[Batch, Collection[Connection]], None]


class Room:
    """Who is in a room: its connections, and its users, the longest present first."""

    __slots__ = ("_batch", "_share", "connections", "present")

    def __init__(self, share: Share) -> None:
        self._share = share
        self.connections: set[Connection] = set()
        self.present: dict[str, int] = {}  # user id → connections in the room
        self._batch = Batch()
        self._batch.sealed = True

    def add(self, connection: Connection) -> None:
        self._batch.sealed = True  # it was not handed to this one
        self.connections.add(connection)

    def remove(self, connection: Connection) -> None:
        self._batch.sealed = True  # what follows is not for this one
        self.connections.remove(connection)

    def send(self, frame: bytes) -> None:
        """To every connection, each of which is touched once a turn, however many frames there are."""
        if self._batch.sealed:
            self._batch = Batch()
            self._share(self._batch, self.connections)
        self._batch.add(frame)


class Hub:
    """Connections by user and by room. `share` is set by whoever holds the sockets."""

    share: Share

    def __init__(self, on_delivered: Callable[[int], None] = lambda count: None) -> None:
        self._users: dict[str, set[Connection]] = {}
        self._rooms: dict[str, Room] = {}
        self._on_delivered = on_delivered
        self.connection_count = 0

    @property
    def user_count(self) -> int:
        return len(self._users)

    @property
    def room_count(self) -> int:
        return len(self._rooms)

    @property
    def users(self) -> Iterable[str]:
        return self._users.keys()

    def attach(self, connection: Connection) -> bool:
        """True if it is its user's first."""
        mine = self._users.setdefault(connection.user_id, set())
        mine.add(connection)
        self.connection_count += 1
        return len(mine) == 1

    def detach(self, connection: Connection) -> bool:
        """True if it was its user's last. Its rooms have to be left before."""
        mine = self._users[connection.user_id]
        mine.remove(connection)
        self.connection_count -= 1
        if mine:
            return False
        del self._users[connection.user_id]
        return True

    def of_user(self, user_id: str) -> list[Connection]:
        return list(self._users.get(user_id, ()))

    def is_online(self, user_id: str) -> bool:
        return user_id in self._users

    def __iter__(self) -> Iterator[Connection]:
        """A snapshot, since closing a connection changes what is iterated."""
        return iter([connection for mine in self._users.values() for connection in mine])

    def join(self, connection: Connection, room_id: str) -> bool:
        """True if the user was not in the room with another connection. Joining twice changes nothing."""
        if room_id in connection.rooms:
            return False
        connection.rooms.add(room_id)
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = Room(self.share)
        room.add(connection)
        count = room.present.get(connection.user_id, 0)
        room.present[connection.user_id] = count + 1
        return count == 0

    def leave(self, connection: Connection, room_id: str) -> bool:
        """True if that was the user's last connection in the room."""
        if room_id not in connection.rooms:
            return False
        connection.rooms.remove(room_id)
        room = self._rooms[room_id]
        room.remove(connection)
        room.present[connection.user_id] -= 1
        if room.present[connection.user_id]:
            return False
        del room.present[connection.user_id]
        if not room.connections:
            del self._rooms[room_id]
        return True

    def present(self, room_id: str) -> Mapping[str, int]:
        """The users in a room, the longest present first."""
        room = self._rooms.get(room_id)
        return room.present if room else {}

    def in_room(self, room_id: str) -> list[Connection]:
        room = self._rooms.get(room_id)
        return list(room.connections) if room else []

    def deliver(self, audience: Audience, payload: bytes, key: Hashable | None) -> None:
        """Hands an encoded event to every connection of the audience, framed once."""
        frame = text_frame(payload)
        count = 0
        if isinstance(audience, ToRoom):
            room = self._rooms.get(audience.room_id)
            if room is None:
                return
            if key is None and audience.but_user not in room.present:
                room.send(frame)
                count = len(room.connections)
            else:
                for connection in room.connections:
                    if connection.user_id != audience.but_user:
                        connection.send(frame, key)
                        count += 1
        elif isinstance(audience, ToConnection):
            for connection in self._users.get(audience.user_id, ()):
                if connection.id == audience.connection_id:
                    connection.send(frame, key)
                    count = 1
        else:
            for user_id in audience.user_ids:
                for connection in self._users.get(user_id, ()):
                    if connection.id != audience.but_connection:
                        connection.send(frame, key)
                        count += 1
        self._on_delivered(count)

    def close_login(self, login_id: str, close: Close) -> None:
        """Ends every connection that a login opened."""
        for connection in self:
            if connection.login_id == login_id:
                connection.close(close)
