"""Who is present in which room now: joining, leaving, and telling the others.

Presence in a room is of users, not of connections, and of visible ones alone. In a crowded land
the others get a count instead of names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.broker import Broker, ToRoom
from server.errors import ApiError
from server.hub import Connection, Hub
from server.pacing import Pacer
from server.protocol import requests
from server.views import member_shape
from storage.records import Land, Session
from storage.writer import MessageWriter

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.sessions import Sessions

CROWD: Final = 100  # present in a land; above it names and typing would cost n² events
MEMBERS_NAMED: Final = 50
COUNT_SECONDS: Final = 1.0
TYPING_SECONDS: Final = 3.0


class Rooms:
    """The rooms of the chat hub."""

    def __init__(
        self, hub: Hub, broker: Broker, sessions: Sessions, people: People, writer: MessageWriter
    ) -> None:
        self._hub = hub
        self._broker = broker
        self._sessions = sessions
        self._people = people
        self._writer = writer
        self._counts = Pacer(COUNT_SECONDS)
        self._typing = Pacer(TYPING_SECONDS)
        # Private and group rooms with somebody in them, and by each member: whom a member's presence concerns.
        # Any other room of the hub is a land's.
        self._open: dict[str, Session] = {}
        self._open_to: dict[str, set[str]] = {}

    async def join(self, connection: Connection, request: requests.JoinRoom) -> None:
        await self.open(connection.user_id, request.room_id)
        self.join_opened(connection, request.room_id, "joined_room", request.ref)

    async def open(self, user_id: str, room_id: str) -> None:
        """All that has to be waited for before somebody may be put into a room: see `join_opened`."""
        session = await self._sessions.require(user_id, room_id)
        await self._sessions.enter(session, user_id)
        while self._writer.published(room_id) is None:
            await self._writer.head(room_id)

    def join_opened(
        self, connection: Connection, room_id: str, answer: str, ref: str | None, **more: object
    ) -> None:
        """Puts the connection into a room that was opened just now, and answers with who is there.

        Nothing waits: what is published later comes after the answer. The door is looked at again,
        because it may have closed since: `not_found`.
        """
        user_id = connection.user_id
        session = self._sessions.check(user_id, room_id)
        last_seq = self._writer.published(room_id)
        assert last_seq is not None, "the room was not opened"
        if connection.closed:
            return
        if self._hub.join(connection, room_id):
            self._opened(session)
            if self._is_visible(user_id):
                self._tell_joined(room_id, user_id)
        connection.since.setdefault(room_id, last_seq + 1)
        members, count = self.visible(room_id, MEMBERS_NAMED), self.count(room_id)
        if self._people.are_parted(session):
            members = [member for member in members if member == user_id]
            count = len(members)
        connection.answer(
            {
                "type": answer,
                "room_id": room_id,
                "kind": session.kind,
                "members": [member_shape(member, self._people.name(member)) for member in members],
                "member_count": count,
                "last_seq": last_seq,
                **more,
            },
            ref,
        )

    def heard(self, session: Session, seq: int) -> None:
        """A message reached every connection of every member of a private or group session, joined or not."""
        for member in session.members:
            for connection in self._hub.of_user(member):
                connection.since.setdefault(session.id, seq)

    async def leave(self, connection: Connection, request: requests.LeaveRoom) -> None:
        self._leave(connection, request.room_id)
        connection.answer({"type": "left_room", "room_id": request.room_id}, request.ref)

    def leave_all(self, connection: Connection) -> None:
        for room_id in list(connection.rooms):
            self._leave(connection, room_id)

    async def typing(self, connection: Connection, request: requests.Typing) -> None:
        room_id, user_id = request.room_id, connection.user_id
        session = await self._sessions.require(user_id, room_id)
        self.check_joined(connection, session)
        await self._sessions.check_write(session, user_id)
        if connection.closed or self._crowded(room_id):
            return
        event = {
            "type": "typing",
            "room_id": room_id,
            "user_id": user_id,
            "username": self._people.name(user_id),
            "is_typing": request.is_typing,
        }
        key = ("typing", room_id, user_id)

        def send() -> None:
            # Asked for when it is told: members may have changed since, or a block may have come between them.
            session = self._sessions.known(room_id)
            if session is not None and not self._people.are_parted(session):
                self._broker.publish(self._sessions.others(session, user_id), event, key=key)

        self._typing.tell(key, send)

    def check_joined(self, connection: Connection, session: Session) -> None:
        if session.kind == "land" and session.id not in connection.rooms:
            raise ApiError("not_joined", "join this land's room first")

    def said(self, room_id: str, user_id: str) -> None:
        """A message says that its sender has stopped typing."""
        self._typing.drop(("typing", room_id, user_id))

    # Who is there

    def visible(self, room_id: str, most: int) -> list[str]:
        """Visible users in a room, the longest present first."""
        found: list[str] = []
        for user_id in self._hub.present(room_id):
            if len(found) == most:
                break
            if self._is_visible(user_id):
                found.append(user_id)
        return found

    def count(self, room_id: str) -> int:
        present = self._hub.present(room_id)
        return len(present) - sum(user_id in present for user_id in self._people.invisible)

    def companions(self, user_id: str) -> set[str]:
        """Those now in a private or group room that this user is a member of, whom that may concern."""
        found = {
            other
            for room_id in self._open_to.get(user_id, ())
            if not self._is_parted(room_id)
            for other in self._hub.present(room_id)
        }
        found.discard(user_id)
        return found

    # Changes from elsewhere

    def appear(self, user_id: str) -> None:
        """The user is visible from now on: in all rooms it is as if they came."""
        for room_id in self._rooms_of(user_id):
            self._tell_joined(room_id, user_id)

    def vanish(self, user_id: str) -> None:
        """The user is invisible from now on: in all rooms it is as if they left."""
        for room_id in self._rooms_of(user_id):
            self._tell_left(room_id, user_id)

    def members_changed(self, before: Session, after: Session) -> None:
        """Those who are no longer members are put out; the room concerns the new ones."""
        for user_id in set(before.members) - set(after.members):
            self._put_out(after.id, user_id)
        if after.id in self._open:
            self._closed(after.id)
            self._opened(after)

    async def narrow(self, land: Land) -> None:
        """A land's owner has changed who may enter: those who may not are put out."""
        for user_id in list(self._hub.present(land.id)):
            if not self._sessions.is_open_to(user_id, land.id):
                self._put_out(land.id, user_id, tell=True)

    async def close(self, land: Land) -> None:
        """A land is gone, and its room with it."""
        self._broker.publish(ToRoom(land.id), {"type": "room_closed", "room_id": land.id})
        for connection in self._hub.in_room(land.id):
            self._hub.leave(connection, land.id)
            connection.since.pop(land.id, None)
        await self._sessions.delete(land.id)

    def _put_out(self, room_id: str, user_id: str, *, tell: bool = False) -> None:
        for connection in self._hub.of_user(user_id):
            connection.since.pop(room_id, None)
            if room_id in connection.rooms:
                self._leave(connection, room_id)
                if tell:
                    connection.answer({"type": "left_room", "room_id": room_id})

    # Telling

    def _leave(self, connection: Connection, room_id: str) -> None:
        user_id = connection.user_id
        if room_id in connection.rooms and room_id not in self._open:
            connection.since.pop(room_id, None)  # of a land it hears nothing any more
        if not self._hub.leave(connection, room_id):
            return
        self.said(room_id, user_id)
        if self._is_visible(user_id):
            self._tell_left(room_id, user_id)
        if room_id in self._open and not self._hub.present(room_id):
            self._closed(room_id)

    def _tell_joined(self, room_id: str, user_id: str) -> None:
        if self._is_parted(room_id):
            return
        if self._crowded(room_id):
            self._tell_count(room_id)
            return
        event = {
            "type": "user_joined",
            "room_id": room_id,
            "user_id": user_id,
            "username": self._people.name(user_id),
        }
        self._broker.publish(ToRoom(room_id, but_user=user_id), event)

    def _tell_left(self, room_id: str, user_id: str) -> None:
        if self._is_parted(room_id):
            return
        if self._crowded(room_id):
            self._tell_count(room_id)
            return
        event = {"type": "user_left", "room_id": room_id, "user_id": user_id}
        self._broker.publish(ToRoom(room_id, but_user=user_id), event)

    def _crowded(self, room_id: str) -> bool:
        return room_id not in self._open and self.count(room_id) > CROWD

    def _tell_count(self, room_id: str) -> None:
        key = ("count", room_id)

        def send() -> None:
            event = {"type": "room_count", "room_id": room_id, "member_count": self.count(room_id)}
            self._broker.publish(ToRoom(room_id), event, key=key)

        self._counts.tell(key, send)

    def _is_parted(self, room_id: str) -> bool:
        """Whether it is a private room across a block: there neither is told of the other."""
        session = self._open.get(room_id)
        return session is not None and self._people.are_parted(session)

    def _is_visible(self, user_id: str) -> bool:
        return user_id not in self._people.invisible

    def _rooms_of(self, user_id: str) -> set[str]:
        return {room_id for connection in self._hub.of_user(user_id) for room_id in connection.rooms}

    def _opened(self, session: Session) -> None:
        if session.kind == "land" or session.id in self._open:
            return
        self._open[session.id] = session
        for member in session.members:
            self._open_to.setdefault(member, set()).add(session.id)

    def _closed(self, room_id: str) -> None:
        for member in self._open.pop(room_id).members:
            self._open_to[member].discard(room_id)
            if not self._open_to[member]:
                del self._open_to[member]
