"""Chat sessions: which there are, whose they are, how far each person has read.

`require` is the one door: whoever wants to do something in a room comes through it, and what is
absent and what is closed to the asker look the same. Rooms in the sense of who is present now are
`rooms`' business.
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from server.broker import Audience, Broker, ToRoom, ToUsers
from server.clock import Clock
from server.errors import conflict, forbidden, invalid, not_found
from server.hub import Connection
from server.ids import new_id
from server.protocol import requests, rest
from server.protocol.shapes import SessionShape, SessionsShape
from server.recent import Recent
from server.settings import Settings
from server.views import member_shape, message_shape, user_shape
from storage.errors import MemberLimit
from storage.messages import Messages
from storage.records import Message, Session, User
from storage.sessions import Sessions as StoredSessions
from storage.writer import MessageWriter

if TYPE_CHECKING:
    from server.services.lands import Lands
    from server.services.people import People

PAGE: Final = 50
CACHED: Final = 20_000  # session records; one with 200 members holds 8 KB
ENTERED: Final = 200_000  # (land, user) pairs whose read mark is known to exist
UNREACHABLE: Final = "this person cannot be written to"


class Sessions:
    """The sessions of everybody, by id, cached."""

    def __init__(
        self,
        settings: Settings,
        stored: StoredSessions,
        messages: Messages,
        writer: MessageWriter,
        people: People,
        lands: Lands,
        broker: Broker,
        clock: Clock,
        recent: Recent,
    ) -> None:
        self._recent = recent
        self._settings = settings
        self._stored = stored
        self._messages = messages
        self._writer = writer
        self._people = people
        self._lands = lands
        self._broker = broker
        self._clock = clock
        self._cache: OrderedDict[str, Session] = OrderedDict()
        # One change of a group at a time: of two, the older answer could come last and stay in the cache.
        self._changing = asyncio.Lock()
        self._entered: OrderedDict[tuple[str, str], None] = OrderedDict()
        # How many are present in a room, and that its members have changed; set by the app.
        self.count_present: Callable[[str], int] = lambda room_id: 0
        self.on_members_changed: Callable[[Session, Session], None] = lambda before, after: None

    # Doors

    async def require(self, user_id: str, room_id: str) -> Session:
        """The session, if there is one that this user may enter; `not_found` otherwise.

        A land's session is made when it is first needed.
        """
        session = self.at_hand(user_id, room_id)
        if session is None:
            # Also where it is known to be closed to the asker: or the answer would come sooner than of an absent one.
            session = await self._stored.get(room_id)
            if session is None and self.is_open_to(user_id, room_id):
                session, _ = await self._stored.open_land(room_id, self._clock.now())
            if session is None:
                raise not_found("room")
            if room_id not in self._cache:  # else it comes from a change made after this was read
                self._remember(session)
        return self.check(user_id, room_id)

    def check(self, user_id: str, room_id: str) -> Session:
        """`require` without waiting, for a session that was required just before."""
        session = self.at_hand(user_id, room_id)
        if session is None:
            raise not_found("room")
        return session

    def at_hand(self, user_id: str, room_id: str) -> Session | None:
        """The session, if it is cached and this user may enter it."""
        session = self._cache.get(room_id)
        if session is None:
            return None
        if session.kind == "land":
            return session if self.is_open_to(user_id, room_id) else None
        return session if user_id in session.members else None

    def known(self, session_id: str) -> Session | None:
        """The cached record, as of the last change."""
        return self._cache.get(session_id)

    async def check_write(self, session: Session, user_id: str) -> None:
        """Refuses a private session whose other side is blocked, has blocked, or is gone: all alike."""
        if session.kind != "private":
            return
        other = other_member(session, user_id)
        if not await self._people.known([other]) or await self._people.are_blocked(user_id, other):
            raise forbidden(UNREACHABLE)

    async def _check_blocks(self, user_id: str, others: Iterable[str]) -> None:
        """Refuses to bring somebody into a group across a block: it would be writing to them all the same."""
        if not (await self._people.hidden_from(user_id)).isdisjoint(others):
            raise forbidden(UNREACHABLE)

    def audience(self, session: Session) -> Audience:
        """Who hears what is said: in a land those who have joined, elsewhere every member."""
        return ToRoom(session.id) if session.kind == "land" else ToUsers(session.members)

    def others(self, session: Session, user_id: str) -> Audience:
        """The same without one user."""
        if session.kind == "land":
            return ToRoom(session.id, but_user=user_id)
        return ToUsers([member for member in session.members if member != user_id])

    # Reading marks

    async def enter(self, session: Session, user_id: str) -> None:
        """A land's session becomes the user's once joined or written in, read up to now."""
        key = (session.id, user_id)
        if session.kind != "land" or key in self._entered:
            return
        await self._stored.enter(session.id, user_id, await self._writer.head(session.id))
        self._entered[key] = None
        if len(self._entered) > ENTERED:
            self._entered.popitem(last=False)

    async def mark_read(self, connection: Connection, request: requests.MarkRead) -> None:
        user_id = connection.user_id
        session = await self.require(user_id, request.room_id)
        last_seq = await self._writer.head(session.id)
        if request.seq > last_seq:
            raise invalid(f"expected a seq up to {last_seq}, got {request.seq}")
        seq = await self._stored.mark_read(session.id, user_id, request.seq)
        if seq is None:
            raise not_found("room")
        event = {"type": "read", "room_id": session.id, "user_id": user_id, "seq": seq}
        connection.answer(event, request.ref)
        self._broker.publish(ToUsers([user_id], but_connection=connection.id), event)
        if session.kind != "land" and not self._people.are_parted(session):
            self._broker.publish(self.others(session, user_id), event)

    # Lists

    async def page(self, user_id: str, query: rest.Page) -> SessionsShape:
        before = _read_cursor(query.cursor) if query.cursor is not None else None
        sessions = await self._stored.page(user_id, before=before, limit=PAGE + 1)
        page = sessions[:PAGE]
        shown = [s for s in page if s.kind != "land" or self.is_open_to(user_id, s.id)]
        answer: SessionsShape = {"sessions": await self.shapes(user_id, shown)}
        if len(sessions) > PAGE:
            answer["next_cursor"] = _cursor(page[-1])
        return answer

    def is_open_to(self, user_id: str, land_id: str) -> bool:
        """Whether this user may enter a land's session."""
        land = self._lands.find(land_id)
        return land is not None and self._lands.may_enter(land, user_id)

    async def shape(self, user_id: str, session: Session) -> SessionShape:
        return (await self.shapes(user_id, [session]))[0]

    async def shapes(self, user_id: str, sessions: Sequence[Session]) -> list[SessionShape]:
        ids = [session.id for session in sessions]
        newest = await self._messages.newest(ids)
        read_seqs = await self._stored.read_seqs(user_id, ids)
        wanted = {member for session in sessions for member in session.members}
        wanted.update(message.sender_id for message in newest.values())
        users = await self._people.known(wanted)
        return [self._shape(session, newest.get(session.id), read_seqs, users) for session in sessions]

    def _shape(
        self, session: Session, newest: Message | None, read_seqs: dict[str, int], users: dict[str, User]
    ) -> SessionShape:
        last_seq = max(session.last_seq, newest.seq if newest else 0, self._writer.published(session.id) or 0)
        # Somebody who has not entered a land yet would start at its end.
        read_seq = min(read_seqs.get(session.id, last_seq), last_seq)
        shape: SessionShape = {
            "id": session.id,
            "kind": session.kind,
            "last_message": message_shape(newest, users) if newest else None,
            "last_seq": last_seq,
            "read_seq": read_seq,
            "unread": last_seq - read_seq,
        }
        if session.kind == "land":
            if (land := self._lands.find(session.id)) is not None:
                shape["name"] = land.name
            shape["member_count"] = self.count_present(session.id)
        else:
            shape["members"] = [user_shape(users[member]) for member in session.members if member in users]
            if session.name is not None:
                shape["name"] = session.name
        return shape

    # Making and changing

    async def open_land(self, user_id: str, land_id: str) -> tuple[SessionShape, bool]:
        land = self._lands.find(land_id)
        if land is None or not self._lands.may_enter(land, user_id):
            raise not_found("land")
        session, created = await self._stored.open_land(land_id, self._clock.now())
        self._remember(session)
        return await self.shape(user_id, session), created

    async def create(self, user_id: str, body: rest.CreateSession) -> tuple[SessionShape, bool]:
        others = list(dict.fromkeys(other for other in body.participant_ids if other != user_id))
        if not others:
            raise invalid("a session needs somebody besides oneself")
        users = await self._people.known(others)
        if len(users) < len(others):
            raise not_found("user")
        now = self._clock.now()
        quiet = False
        if len(others) == 1 and body.name is None:
            # Across a block it may be opened, as it may be read. The other side need not know of it.
            quiet = await self._people.are_blocked(user_id, others[0])
            session, created = await self._stored.open_private(new_id(), user_id, others[0], now, quiet=quiet)
        else:
            await self._check_blocks(user_id, others)
            if len(others) + 1 > self._settings.group_members:
                raise invalid(f"a group holds {self._settings.group_members} people at most")
            name = body.name or _name_of(users[other].username or "" for other in others)
            members = (user_id, *others)
            session, created = await self._stored.create_group(new_id(), name, members, user_id, now), True
        self._remember(session)
        if created:
            for member in session.members if not quiet else [user_id]:
                event = {"type": "session_created", "session": await self.shape(member, session)}
                self._broker.publish(ToUsers([member]), event)
        return await self.shape(user_id, session), created

    async def rename(self, user_id: str, session_id: str, body: rest.RenameSession) -> SessionShape:
        async with self._changing:
            await self._require_group(user_id, session_id)
            session = await self._stored.rename(session_id, body.name)
            if session is None:
                raise not_found("room")
            self._remember(session)
        return await self.shape(user_id, session)

    async def add_members(self, user_id: str, session_id: str, body: rest.AddMembers) -> SessionShape:
        wanted = list(dict.fromkeys(body.user_ids))
        users = await self._people.known(wanted)
        async with self._changing:
            before = await self._require_group(user_id, session_id)
            if len(users) < len(wanted):
                raise not_found("user")
            await self._check_blocks(user_id, set(wanted).difference(before.members))
            try:
                changed = await self._stored.add_members(
                    session_id, wanted, limit=self._settings.group_members, now=self._clock.now()
                )
            except MemberLimit:
                raise conflict(f"a group holds {self._settings.group_members} people at most") from None
            if changed is None:
                raise not_found("room")
            session, added = changed
            self._remember(session)
            self.on_members_changed(before, session)
        if added:
            names = [member_shape(member, users[member].username or "") for member in added]
            self._tell_members(session, session.members, names, [])
            for member in added:
                event = {"type": "session_created", "session": await self.shape(member, session)}
                self._broker.publish(ToUsers([member]), event)
        return await self.shape(user_id, session)

    async def remove_member(self, user_id: str, session_id: str, member_id: str) -> None:
        async with self._changing:
            session = await self._require_group(user_id, session_id)
            if member_id != user_id and session.maker_id != user_id:
                raise forbidden("only its maker removes somebody from a group")
            if member_id not in session.members:
                raise not_found("member")
            await self._remove(session, member_id)

    async def leave_groups(self, user_id: str) -> None:
        """An account is going: out of every group. Private sessions stay with the other side."""
        async with self._changing:
            for session in await self._stored.of_member(user_id):
                if session.kind == "group":
                    await self._remove(session, user_id)

    async def _remove(self, session: Session, member_id: str) -> None:
        changed = await self._stored.remove_member(session.id, member_id)
        if changed is None:
            raise not_found("room")
        after, removed = changed
        self._remember(after)
        if removed:
            self.on_members_changed(session, after)
            # The one who goes is told too: other devices should drop the group.
            self._tell_members(after, [*after.members, member_id], [], [member_id])
        if not after.members:
            await self.delete(after.id)

    def _tell_members(
        self, session: Session, audience: Collection[str], added: Sequence[object], removed: Sequence[str]
    ) -> None:
        event = {
            "type": "members_changed",
            "room_id": session.id,
            "added": list(added),
            "removed": list(removed),
        }
        self._broker.publish(ToUsers(audience), event)

    async def _require_group(self, user_id: str, session_id: str) -> Session:
        session = await self.require(user_id, session_id)
        if session.kind != "group":
            raise forbidden("only a group has a name and members that change")
        return session

    async def delete(self, session_id: str) -> None:
        """A land is gone, or the last of a group: its messages and their key go too."""
        self._cache.pop(session_id, None)
        self._recent.forget(session_id)
        await self._stored.delete(session_id)

    def _remember(self, session: Session) -> None:
        self._cache[session.id] = session
        self._cache.move_to_end(session.id)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)


def other_member(session: Session, user_id: str) -> str:
    """The other side of a private session."""
    a, b = session.members
    return b if a == user_id else a


def _name_of(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))[:64]


def _cursor(session: Session) -> str:
    return base64.urlsafe_b64encode(f"{session.active_at}:{session.id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        active_at, _, session_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if 0 <= int(active_at) < 2**63:  # the store's integers end there
            return int(active_at), session_id
    except ValueError:
        pass
    raise invalid("this cursor is none of ours")
