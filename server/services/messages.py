"""Messages: sending, history, deleting.

The writer commits and calls `committed` in the order of `seq`; there the message goes out to
everybody. The acknowledgement waits for the same commit.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Final, get_args

from server.broker import Broker
from server.clock import Clock, rfc3339
from server.errors import forbidden, invalid, not_found
from server.hub import Connection
from server.ids import new_id
from server.metrics import Metrics
from server.protocol import requests, rest
from server.protocol.shapes import DeletedShape, HistoryShape, MessageShape
from server.recent import RUN, Recent
from server.views import message_event, message_shape
from storage.deletions import Deletions
from storage.errors import StorageError
from storage.lru import Lru
from storage.messages import Messages as StoredMessages
from storage.records import Message, NewMessage, Session, SessionKind
from storage.writer import Commit, MessageWriter

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.rooms import Rooms
    from server.services.sessions import Sessions

# Messages whose commit failed with an unknown outcome: the writer publishes those that turn out to
# have been written, and needs their sender's name and room then.
UNSETTLED: Final = 10_000
# Added to the `seq` that a deletion remembers, where messages were written at the same time: room for
# those that come while it is written once more.
DELETION_SLACK: Final = 64
# A write that was given up may still be on its way to the database, for no longer than this.
LATE_SECONDS: Final = 30.0
REPLAY_PAGE: Final = 100  # what is sent before it is asked whether the reader keeps up


class Messages:
    """What is said in sessions."""

    def __init__(
        self,
        stored: StoredMessages,
        writer: MessageWriter,
        sessions: Sessions,
        rooms: Rooms,
        people: People,
        broker: Broker,
        clock: Clock,
        metrics: Metrics,
        recent: Recent,
        deletions: Deletions,
    ) -> None:
        self._recent = recent
        self._deletions = deletions
        self._stored = stored
        self._writer = writer
        self._sessions = sessions
        self._rooms = rooms
        self._people = people
        self._broker = broker
        self._clock = clock
        self._counted = {kind: metrics.tally(metrics.messages.labels(kind)) for kind in get_args(SessionKind)}
        self._untold: Lru[str, bool] = Lru(UNSETTLED)
        self._under_way: OrderedDict[str, tuple[Session, str] | tuple[None, None]] = OrderedDict()
        writer.on_committed = self._committed

    def send(
        self, connection: Connection, request: requests.SendMessage
    ) -> asyncio.Future[Commit] | Coroutine[Any, Any, asyncio.Future[Commit]]:
        """Submits; the future is done once the message is acknowledged."""
        session = self._sessions.at_hand(connection.user_id, request.room_id)
        # Now: the connection, and the name with it, may be gone once we have waited. What it sent counts.
        username = self._people.name(connection.user_id)
        if session is None or session.kind == "private":
            return self._send_when_checked(connection, request, username)
        return self._send(connection, request, username, session)

    async def _send_when_checked(
        self, connection: Connection, request: requests.SendMessage, username: str
    ) -> asyncio.Future[Commit]:
        session = await self._sessions.require(connection.user_id, request.room_id)
        await self._sessions.check_write(session, connection.user_id)
        session = self._sessions.check(connection.user_id, request.room_id)
        return self._send(connection, request, username, session)

    def _send(
        self, connection: Connection, request: requests.SendMessage, username: str, session: Session
    ) -> asyncio.Future[Commit]:
        user_id = connection.user_id
        self._rooms.check_joined(connection, session)
        self._rooms.said(session.id, user_id)
        future = self._submit(session, user_id, username, request.content, request.client_id)

        def acknowledge(done: asyncio.Future[Commit]) -> None:
            if done.cancelled() or done.exception():
                return  # the dispatcher, which holds the same future, tells the client
            message = done.result().message
            event = {
                "type": "message_ack",
                "client_id": request.client_id,
                "message_id": message.id,
                "room_id": message.session_id,
                "seq": message.seq,
                "created_at": rfc3339(message.created_at),
            }
            connection.answer(event, request.ref)

        future.add_done_callback(acknowledge)
        return future

    async def post(
        self, user_id: str, session_id: str, body: rest.PostMessage
    ) -> tuple[MessageShape | DeletedShape, bool]:
        """Sends over REST. The message, and whether it is new: not if its `client_id` came before."""
        session = await self._sessions.require(user_id, session_id)
        await self._sessions.check_write(session, user_id)
        await self._sessions.enter(session, user_id)
        user = await self._people.get(user_id)
        commit = await self._submit(session, user_id, user.username or "", body.content, body.client_id)
        return message_shape(commit.message, {user_id: user}), not commit.repeated

    def _submit(
        self, session: Session, user_id: str, username: str, content: str, client_id: str | None
    ) -> asyncio.Future[Commit]:
        message = NewMessage(
            new_id(), session.id, session.kind, user_id, content, self._clock.now(), client_id
        )
        self._under_way[message.id] = (session, username)
        if len(self._under_way) > UNSETTLED:
            self._under_way.popitem(last=False)
        future = self._writer.submit(message)

        def settle(done: asyncio.Future[Commit]) -> None:
            # One that repeats an earlier message is never published, so nothing else takes it out.
            if not done.cancelled() and not done.exception() and done.result().repeated:
                self._under_way.pop(message.id, None)

        future.add_done_callback(settle)
        return future

    def _committed(self, message: Message) -> None:
        self._recent.add(message)
        # One that another node wrote is not under way here; its room is known if anybody could hear it.
        session, username = self._under_way.pop(message.id, (None, None))
        # Asked for anew: members may have changed while the message was on its way.
        session = self._sessions.known(message.session_id) or session
        if session is None or message.content is None:  # deleted, when its commit was in doubt for long
            return
        event = message_event(message, message.sender_id, username)
        self._counted[session.kind].count += 1
        if session.kind != "land":
            self._rooms.heard(session, message.seq)
        self._broker.publish(self._sessions.audience(session), event)

    # Over REST

    async def history(self, user_id: str, session_id: str, query: rest.History) -> HistoryShape:
        if query.before is not None and query.after is not None:
            raise invalid("expected before or after, got both")
        session = await self._sessions.require(user_id, session_id)
        page = await self._page(session.id, query.before, query.after, query.limit + 1)
        more = len(page) > query.limit
        page = page[: query.limit]
        senders = await self._people.known({message.sender_id for message in page})
        answer: HistoryShape = {"messages": [message_shape(message, senders) for message in page]}
        if more and query.after is not None:
            answer["next_after"] = page[-1].seq
        elif more:
            answer["next_before"] = page[-1].seq
        return answer

    async def after(self, session_id: str, after: int, newest: int) -> list[Message]:
        """The first of those after one `seq`, in their order, for somebody who has missed what is up to `newest`."""
        page = self._recent.page(session_id, before=None, after=after, limit=REPLAY_PAGE)
        if page is None and (count := _round_up(newest - after)) <= RUN:
            # Many come back together, and have missed about the same: one read for all of them.
            await self._fill(self._stored.tail(session_id, count))
            page = self._recent.page(session_id, before=None, after=after, limit=REPLAY_PAGE)
        if page is None:
            page = await self._stored.page(session_id, after=after, limit=REPLAY_PAGE)
        return page

    async def _page(
        self, session_id: str, before: int | None, after: int | None, limit: int
    ) -> list[Message]:
        """From memory where it is there; what was read of a room's end is kept."""
        page = self._recent.page(session_id, before=before, after=after, limit=limit)
        if page is not None:
            return page
        reading = self._stored.page(session_id, before=before, after=after, limit=limit)
        if before is None and after is None:
            return await self._fill(reading)
        return await reading

    async def _fill(self, reading: Awaitable[list[Message]]) -> list[Message]:
        """Reads a room's newest messages, and keeps them if they still are that when they are there."""
        removals = self._recent.removals
        page = await reading
        if (
            page
            and removals == self._recent.removals
            and self._writer.published(page[0].session_id) == page[0].seq
        ):
            self._recent.fill(page)
        return page

    async def delete(self, user_id: str, session_id: str, message_id: str) -> None:
        session = await self._sessions.require(user_id, session_id)
        message = await self._stored.get(session.id, message_id)
        if message is None:
            raise not_found("message")
        if message.sender_id != user_id:
            raise forbidden("only its sender deletes a message")
        newest = await self._writer.head(session.id)
        try:
            first = await self._stored.delete(session.id, message_id, newest)
        except StorageError:
            self._untold.put(message_id, True)  # perhaps it is deleted: then the next call tells
            # Nor may memory know better, should it have been read before a write that comes late.
            self._forget(session.id)
            asyncio.get_running_loop().call_later(LATE_SECONDS, self._forget, session.id)
            raise
        # Who comes back is told of what was deleted after the last message that they have. So none may
        # go out between what is noted and what is told.
        while (head := await self._writer.head(session.id)) > newest:
            newest = head + DELETION_SLACK
            await self._stored.delete(session.id, message_id, newest)
        if not first and self._untold.get(message_id) is None:
            return  # others were faster, and have told it
        self._untold.forget(message_id)
        self._deletions.note(session.id, message_id, newest)
        self._recent.delete(session.id, message_id)
        event = {"type": "message_deleted", "room_id": session.id, "id": message_id, "seq": message.seq}
        self._broker.publish(self._sessions.audience(session), event)

    def _forget(self, session_id: str) -> None:
        self._recent.forget(session_id)
        self._deletions.forget(session_id)


def _round_up(count: int) -> int:
    """To a power of four, 16 at least: those who missed about the same ask for the same."""
    rounded = 16
    while rounded < count:
        rounded *= 4
    return rounded
