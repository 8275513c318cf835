"""Coming back: what was missed of each room, in order, no gap and no double, and then what is said from now on.

A connection may have heard a room's newer messages already: private and group sessions reach it from
its first moment. `Connection.since` says from which on; a replay ends there. So a message comes
to a connection once, by one of the two ways. Speech has one order for everybody, its ids: `Connection.hears_after`
is the newest that was told when the connection began, so what was missed is up to it and the rest comes live.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from server.codec import encode
from server.errors import ApiError, not_found
from server.frames import text_frame
from server.hub import Connection
from server.protocol import requests
from server.views import heard_shape, message_event
from storage.deletions import MOST as MOST_DELETED
from storage.deletions import Deletions
from storage.errors import SessionGone
from storage.records import Message, User
from storage.speech import SpeechHistory
from storage.writer import MessageWriter

if TYPE_CHECKING:
    from server.services.messages import Messages
    from server.services.people import People
    from server.services.rooms import Rooms

# The contract's: who has missed more reads the newest page first, as anybody does who opens a room.
MOST_MISSED: Final = 1_000
# How often it is asked whether a reader who is behind has caught up.
LOOK_SECONDS: Final = 0.02
REPLAY_PAGE: Final = 100  # of speech: what is read at once


class Resuming:
    """`resume`."""

    def __init__(
        self,
        rooms: Rooms,
        messages: Messages,
        people: People,
        writer: MessageWriter,
        deletions: Deletions,
        speech: SpeechHistory,
        *,
        buffer_bytes: int,
    ) -> None:
        self._rooms = rooms
        self._messages = messages
        self._people = people
        self._writer = writer
        self._deletions = deletions
        self._speech = speech
        self._unread = buffer_bytes // 2  # what may wait for a reader before the replay does

    async def resume(self, connection: Connection, request: requests.Resume) -> None:
        """One room after the other; one that may not be entered is an error for that room alone."""
        for room in request.rooms:
            try:
                await self._resume(connection, room, request.ref)
            except (ApiError, SessionGone) as error:
                refused = error if isinstance(error, ApiError) else not_found("room")
                event = {"type": "error", "code": refused.code, "message": refused.message}
                connection.answer({**event, "room_id": room.room_id}, request.ref)
        if request.speech_after is not UNSET:
            await self._resume_speech(connection, request.speech_after, request.ref)

    async def _resume(self, connection: Connection, room: requests.Missed, ref: str | None) -> None:
        room_id, after = room.room_id, room.after_seq
        deleted: list[str] | None = None
        complete = True
        while deleted is None:
            await self._rooms.open(connection.user_id, room_id)
            await self._deletions.load(room_id)
            complete = self._within_bounds(connection, room_id, after)
            if complete:
                await self._replay(connection, room_id, after)
            # From here on nothing waits.
            deleted = self._deletions.since(room_id, after)
        self._rooms.join_opened(
            connection, room_id, "resumed", ref, complete=complete, deleted=deleted if complete else []
        )
        if complete:
            connection.since[room_id] = min(after + 1, connection.since.get(room_id, after + 1))

    async def _resume_speech(self, connection: Connection, after: str | None, ref: str | None) -> None:
        """What was missed ends where the connection began to hear, so nothing that is said meanwhile is in it."""
        user_id, upto = connection.user_id, connection.hears_after
        last, complete = after, True
        newest = None
        if after is None or after < upto:
            newest = await self._speech.newest_heard(user_id, upto)
        if after is None:
            last = newest
        elif newest is not None and newest > after:
            missed = await self._speech.count(user_id, after=after, upto=upto, most=MOST_MISSED + 1)
            complete = missed <= MOST_MISSED
            if complete:
                last = await self._replay_speech(connection, after)
                connection.hears_after = after
        connection.answer({"type": "speech_resumed", "last_id": last, "complete": complete}, ref)

    async def _replay_speech(self, connection: Connection, after: str) -> str:
        """The id of the last that there was."""
        while not connection.closed:
            page = await self._speech.missed(
                connection.user_id, after=after, upto=connection.hears_after, limit=REPLAY_PAGE
            )
            senders = await self._people.known({speech.sender_id for speech in page})
            for speech in page:
                await self._keep_pace(connection)
                after = speech.id
                if speech.content is not None:
                    event = {"type": "speech", **heard_shape(speech, senders)}
                    connection.send(text_frame(encode(event)))
            if len(page) < REPLAY_PAGE:
                break
        return after

    async def _keep_pace(self, connection: Connection) -> None:
        """A slow reader is waited for."""
        while connection.backlog > self._unread and not connection.closed:
            await asyncio.sleep(LOOK_SECONDS)

    def _end(self, connection: Connection, room_id: str) -> int:
        """The newest message that the connection does not get by itself."""
        head = self._writer.published(room_id) or 0
        since = connection.since.get(room_id)
        return head if since is None else min(head, since - 1)

    def _within_bounds(self, connection: Connection, room_id: str, after: int) -> bool:
        """Whether all that was missed can be replayed. Who has seen more than there is was never here."""
        if after > (self._writer.published(room_id) or 0):
            return False
        deleted = self._deletions.since(room_id, after) or ()
        return self._end(connection, room_id) - after <= MOST_MISSED and len(deleted) <= MOST_DELETED

    async def _replay(self, connection: Connection, room_id: str, after: int) -> None:
        """Returns, without having waited since, when nothing is left to be replayed."""
        while after < (end := self._end(connection, room_id)) and not connection.closed:
            page = await self._messages.after(room_id, after, end)
            senders = await self._people.known({message.sender_id for message in page})
            for message in page:
                await self._keep_pace(connection)
                # While we waited, newer ones may have been said: to everybody, or so that of these the
                # page has some and lacks others.
                if message.seq > min(end, self._end(connection, room_id)):
                    break
                after = message.seq
                if message.content is not None:
                    connection.send(text_frame(encode(_event(message, senders.get(message.sender_id)))))
            else:
                if page:
                    continue
            after = end  # between the two there is nothing


def _event(message: Message, sender: User | None) -> dict[str, Any]:
    return message_event(message, sender.id if sender else None, sender.username if sender else None)
