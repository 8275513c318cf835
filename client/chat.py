"""The chat socket: rooms, messages, speech, typing, read marks, and one's position.

After a reconnect it resumes its rooms in one request and sends what was not acknowledged, so that its
listeners see each message once and in order whatever the network did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypedDict

from client.api import Api
from client.auth import Auth
from client.errors import HereaboutsError
from client.outbox import SPEECH, Outbox, OutgoingMessage
from client.room_log import Message, RoomLog
from client.socket import Frame, ReconnectingSocket, as_error
from client.speech_log import SpeechLog

TYPING_SECONDS: Final = 3.0  # the server passes typing on once per user in this time
RESUME_ROOMS: Final = 200  # the server takes so many in one request
RESUME_SECONDS: Final = 30.0  # without a sign of progress; the server works through up to 200 rooms
RETRY_SECONDS: Final = 3.0  # where a refusal does not say
PAGE: Final = 200  # the most that a page of history holds


class NearbyUser(TypedDict):
    user_id: str
    username: str
    x: float
    y: float


class _Resume:
    """One `resume` request under way: of rooms, and perhaps of speech, which is `SPEECH` among them."""

    def __init__(self, ref: str, asked: dict[str, int], speech: bool) -> None:
        self.ref = ref
        self.asked = asked  # after which seq, by room
        self.waiting = {*asked, SPEECH} if speech else set(asked)
        self.refused: dict[str, HereaboutsError] = {}
        self.progress = asyncio.Event()

    def answered(self, room_id: str | None, error: HereaboutsError | None = None) -> None:
        """`room_id` None: an error about the request as a whole."""
        rooms = set(self.waiting) if room_id is None else {room_id}
        self.waiting -= rooms
        if error is not None:
            self.refused.update(dict.fromkeys(rooms, error))
        self.progress.set()


class ChatSocket(ReconnectingSocket):
    """Events beside those of ReconnectingSocket and the frames of the contract:

    - `message`: of a followed room, in order and once
    - `message_deleted {room_id, id, seq?}`: also for those deleted while we were away, then without a `seq`
    - `speech`: said or heard aloud, in order and once
    - `outgoing` OutgoingMessage: one of ours changed state
    - `synced {}`: after each connect, when all followed rooms are as the server has them
    - `room_lost {room_id, error}`: a room that could not be entered again
    """

    def __init__(self, url: str, auth: Auth, api: Api) -> None:
        super().__init__(url, auth)
        self._api = api
        self._log = RoomLog(lambda message: self._tell(message), lambda room_id: self._read_history(room_id))
        self._speech = SpeechLog(lambda speech: self.emit("speech", {"type": "speech", **speech}))
        self._outbox = Outbox(self.request, self._may_send, lambda message: self.emit("outgoing", message))
        # Rooms, and `SPEECH`, that this connection has to resume yet
        self._unresumed: set[str] = set()
        # Whether one stood somewhere, which ended with the connection.
        self._placed = self._displaced = False
        self._resume: _Resume | None = None
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._left: set[str] = set()
        self._typing_sent_at: dict[str, float] = {}
        self._radius: float | None = None  # of the watch
        self.nearby: dict[str, NearbyUser] = {}  # who is in view while watching, by id
        self.user_id: str | None = None

    def close(self) -> None:
        """Forgets rooms too, and what was not sent has failed: for a change of user."""
        super().close()
        self._log.clear()
        self._speech.clear()
        self._outbox.clear()
        self._placed = self._displaced = False
        self._left.clear()
        self._typing_sent_at.clear()
        self._radius = None
        self.nearby = {}

    async def join(self, room_id: str) -> Frame:
        """Joins a room, now and after every reconnect until `leave()`; its messages from now on are told.

        Returns `joined_room {room_id, kind, members, member_count, last_seq}`. Raises HereaboutsError:
        `not_found` if there is none or it is not the caller's to enter, or as `request`.
        """
        return await self.request("join_room", room_id=room_id)

    async def leave(self, room_id: str) -> None:
        """Leaves a room and stops following it; messages of a private or group session still come live."""
        self._forget(room_id)
        self._left.add(room_id)
        try:
            await self.request("leave_room", room_id=room_id)
        except HereaboutsError as error:
            if error.code != "closed":  # left with the connection, and not resumed
                raise

    def follow(self, session: Mapping[str, Any], after_seq: int | None = None) -> None:
        """Delivers the messages of a private or group session from `after_seq` on, gaps filled.

        `session` as REST has it; `after_seq` is its `last_seq` if left out. Sessions that a message came
        from, or that were made or joined since the login, are followed by themselves.
        """
        room_id, last_seq = session["id"], session["last_seq"]
        self._left.discard(room_id)
        self._log.follow(room_id, last_seq if after_seq is None else after_seq)
        if self.state == "open":
            self._log.catch_up(room_id, last_seq)

    def send(self, room_id: str, content: str) -> OutgoingMessage:
        """At once, connected or not; how it goes is told by `outgoing` and by `settled()` of the message."""
        self._typing_sent_at.pop(room_id, None)
        return self._outbox.send(room_id, content)

    def say(self, content: str) -> OutgoingMessage:
        """Says something to whoever is within earshot: as `send`. Its `room_id` is None.

        After a reconnect it waits until `update_location` has said again where one stands.
        """
        return self._outbox.send(None, content)

    def retry(self, client_id: str) -> None:
        """Sends a failed message once more."""
        self._outbox.retry(client_id)

    def discard(self, client_id: str) -> None:
        """Gives a failed message up."""
        self._outbox.discard(client_id)

    def typing(self, room_id: str, is_typing: bool = True) -> None:
        """May be called at every key: no more is sent than the server passes on."""
        now = time.monotonic()
        sent_at = self._typing_sent_at.get(room_id)
        if is_typing and sent_at is not None and now - sent_at < TYPING_SECONDS:
            return
        if (not is_typing and sent_at is None) or room_id in self._unresumed:  # not joined again yet
            return
        self._typing_sent_at.pop(room_id, None)
        if self.notify("typing", room_id=room_id, is_typing=is_typing) and is_typing:
            self._typing_sent_at[room_id] = now

    async def mark_read(self, room_id: str, seq: int) -> Frame:
        """`seq`: at most the room's last; going back has no effect."""
        return await self.request("mark_read", room_id=room_id, seq=seq)

    async def update_location(
        self, x: float, y: float, *, world_id: str = "main", radius: float | None = None
    ) -> Frame:
        """Says where the user stands; but while watching, `nearby_users` within the radius (1 to 50; 10) follows as an event.

        Returns `location_updated {world_id, x, y, land_id}`.
        """
        fields = {"x": x, "y": y, "world_id": world_id} | ({} if radius is None else {"radius": radius})
        return await self.request("update_location", **fields)

    def watch_nearby(self, radius: float = 10.0) -> None:
        """From now on, and after every reconnect until `unwatch_nearby()`, `nearby` is who is in view.

        `nearby_snapshot` and `nearby_update` tell of each change, after `nearby` has it. The radius is 1 to 50.
        """
        self._radius = radius
        self.notify("watch_nearby", radius=radius)

    def unwatch_nearby(self) -> None:
        self._radius = None
        self.nearby = {}
        self.notify("unwatch_nearby")

    # Frames, in the order of the wire. What changes the log is done here and not by those who wait for
    # an answer: they run later, and the next frame may be a message.

    def _deliver(self, frame: Frame) -> None:
        type, room_id = frame["type"], frame.get("room_id", "")
        resume = self._resume
        if type == "message":
            if room_id not in self._log and room_id not in self._left:
                self._log.follow(room_id, frame["seq"] - 1)
            if resume is not None:
                resume.progress.set()
            if room_id in self._log:
                self._log.receive(frame)
            else:
                self.emit(type, frame)
            return
        if type == "speech":
            if resume is not None:
                resume.progress.set()
            self._speech.receive(frame)
            return
        if type == "resumed":
            self._resumed(frame)
        elif type == "speech_resumed":
            self._speech_resumed(frame)
        elif type == "location_updated":
            self._placed, self._displaced = True, False
            self._outbox.flush(SPEECH)
        elif type == "error" and resume is not None and frame.get("ref") == resume.ref:
            resume.answered(frame.get("room_id"), as_error(frame))
            return
        elif type == "joined_room":
            self._left.discard(room_id)
            self._log.follow(room_id, frame["last_seq"])
            self._log.catch_up(room_id, frame["last_seq"])
        elif type == "session_created":
            self._log.follow(frame["session"]["id"], frame["session"]["last_seq"])
        elif type == "message_deleted":
            self._log.deleted(room_id, frame["seq"])
        elif type in ("left_room", "room_closed"):
            self._forget(room_id)
        elif type in ("nearby_snapshot", "nearby_update"):
            if self._radius is None:
                return  # it was on its way
            self._look(frame)
        self.emit(type, frame)

    def _look(self, frame: Frame) -> None:
        if frame["type"] == "nearby_snapshot":
            self.nearby = {user["user_id"]: user for user in frame["users"]}
            return
        for user_id in frame["left"]:
            self.nearby.pop(user_id, None)
        for user in frame["entered"]:
            self.nearby[user["user_id"]] = user
        for user_id, x, y in frame["moved"]:
            if (known := self.nearby.get(user_id)) is not None:
                known["x"], known["y"] = x, y

    def _tell(self, message: Message) -> None:
        if message.get("deleted"):  # from history
            place = {name: message[name] for name in ("room_id", "id", "seq")}
            self.emit("message_deleted", {"type": "message_deleted", **place})
        else:
            self.emit("message", {"type": "message", **message})

    def _forget(self, room_id: str) -> None:
        self._log.forget(room_id)
        if (reading := self._reading.pop(room_id, None)) is not None:
            reading.cancel()
        self._unresumed.discard(room_id)
        self._outbox.flush(room_id)  # what waited for its resume: the server says what becomes of it

    def _may_send(self, lane: str) -> bool:
        """Before its resume a room is not joined, and the server would refuse the message for good; so it would
        what is said by one who does not stand anywhere yet."""
        if self._connection is None or lane in self._unresumed:
            return False
        return lane != SPEECH or not self._displaced

    # Reconnecting

    def _opened(self, frame: Frame) -> None:
        self.user_id = frame["user_id"]
        self._log.hold()
        self._speech.hold()
        self._unresumed = {*self._log.rooms, SPEECH}
        super()._opened(frame)
        if self._radius is not None:
            self.notify("watch_nearby", radius=self._radius)

    def _drop(self) -> None:
        self._outbox.stop()
        self._displaced = self._placed
        self._resume = None
        self._reading.clear()  # ended with the connection
        super()._drop()

    async def _prepare(self) -> None:
        self._outbox.flush()  # to rooms that need no resume
        while self._unresumed:
            rooms = list(self._unresumed)
            pauses = [0.0]
            for start in range(0, len(rooms), RESUME_ROOMS):
                pauses += await self._resume_rooms(rooms[start : start + RESUME_ROOMS])
            if self._unresumed:
                await asyncio.sleep(max(pauses))
        while self._reading:
            await asyncio.wait(self._reading.values())
        self._ready.set()
        self.emit("synced", {})

    async def _resume_rooms(self, rooms: list[str]) -> list[float]:
        """In how many seconds to ask again for those that were refused for the moment."""
        wanted = [room_id for room_id in rooms if room_id in self._unresumed]
        asked = {room_id: self._log.settled(room_id) for room_id in wanted if room_id != SPEECH}
        speech = SPEECH in wanted
        if not asked and not speech:
            return []  # left meanwhile
        resume = self._resume = _Resume(f"resume-{next(self._refs)}", asked, speech)
        positions = [{"room_id": room_id, "after_seq": seq} for room_id, seq in asked.items()]
        also = {"speech_after": self._speech.last} if speech else {}
        self.notify("resume", rooms=positions, ref=resume.ref, **also)
        while resume.waiting:
            resume.progress.clear()
            try:
                async with asyncio.timeout(RESUME_SECONDS):
                    await resume.progress.wait()
            except TimeoutError:
                self.restart()
                await asyncio.Event().wait()  # this task ends with the connection
        self._resume = None
        for room_id, error in resume.refused.items():
            if not error.transient and room_id == SPEECH:  # what was missed is not to be had: from now on
                self._speech_resumed({"complete": True, "last_id": None})
            elif not error.transient and room_id in self._log:
                self._lose(room_id, error)
        return [_pause(error) for error in resume.refused.values() if error.transient]

    def _resumed(self, frame: Frame) -> None:
        room_id, last_seq = frame["room_id"], frame["last_seq"]
        if room_id in self._log:  # else left meanwhile
            if self._resume is not None and last_seq < self._resume.asked.get(room_id, 0):
                self._log.go_back(room_id, last_seq)
            if frame["complete"]:
                self._log.cover(room_id, last_seq)
            else:
                self._read_history(room_id, last_seq)
            for id in frame["deleted"]:
                self.emit("message_deleted", {"type": "message_deleted", "room_id": room_id, "id": id})
        if self._resume is not None:
            self._resume.answered(room_id)
        self._unresumed.discard(room_id)
        self._outbox.flush(room_id)

    def _speech_resumed(self, frame: Frame) -> None:
        if frame["complete"]:
            self._speech.begin(frame["last_id"] or "0")
            self._speech.release()
        else:
            self._keep_reading(SPEECH, self._fill_speech())
        if self._resume is not None:
            self._resume.answered(SPEECH)
        self._unresumed.discard(SPEECH)
        self._outbox.flush(SPEECH)

    def _lose(self, room_id: str, error: HereaboutsError) -> None:
        self._forget(room_id)
        self.emit("room_lost", {"room_id": room_id, "error": error})

    def _read_history(self, room_id: str, last_seq: int = 0) -> None:
        """Fills a gap of a room that is held back, up to `last_seq` and what is held."""
        upto = max(last_seq, self._log.highest(room_id))
        self._keep_reading(room_id, self._fill(room_id, upto))

    def _keep_reading(self, room_id: str, reading: Coroutine[Any, Any, None]) -> None:
        task = self._reading[room_id] = self._keep(reading)

        def ended(_: asyncio.Task[None]) -> None:
            if self._reading.get(room_id) is task:
                del self._reading[room_id]

        task.add_done_callback(ended)

    async def _fill(self, room_id: str, upto: int) -> None:
        after: int | None = self._log.seq(room_id)
        while after is not None:
            try:
                page = await self._api.messages(room_id, after=after, limit=PAGE)
            except HereaboutsError as error:
                if not error.transient:  # gone, or no longer ours to read
                    self._lose(room_id, error)
                    return
                await asyncio.sleep(_pause(error))
            else:
                self._log.advance(room_id, page["messages"])
                after = page.get("next_after")
        self._log.cover(room_id, upto)

    async def _fill_speech(self) -> None:
        """Reads what was missed, the newest first, down to where we were."""
        before: str | None = None
        while before is None or before > (self._speech.last or ""):
            try:
                page = await self._api.speech(before=before, limit=PAGE)
            except HereaboutsError as error:
                if not error.transient:
                    break
                await asyncio.sleep(_pause(error))
                continue
            for speech in page["speech"]:
                self._speech.receive(speech)
            before = page.get("next_before")
            if before is None:
                break
        self._speech.release()


def _pause(error: HereaboutsError) -> float:
    return RETRY_SECONDS if error.retry_after is None else error.retry_after
