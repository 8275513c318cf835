"""Messages, and what is said aloud, on their way out: each is `sending` until the server acknowledges it
(`sent`) or refuses it (`failed`), and is sent again under the same `client_id` after a reconnect, so that
it is written once.

Order. A room's messages go out one at a time: the next one starts when the one before it is sent or has
failed. So does what is said aloud; it and the rooms do not wait for each other. With several of a room in
flight no rule on this side would do: the server serves each for itself, so behind one that it refuses for
now (rate_limited, unavailable) it may accept the next, and the first, sent again, would come after it. What
that costs is a round trip a message, in one room, for one sender; the server's rates allow less than that
anyway.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from client.backoff import full_jitter
from client.errors import HereaboutsError

# With the waits of full_jitter a minute and a half of refusals, more or less: by then a database has elected
# another primary or is up again. Being without a connection does not count.
MAX_TRIES: Final = 10
FIRST_WAIT: Final = 2  # the attempt that full_jitter counts from: up to 2 s

SPEECH: Final = ""  # in place of a room's id: what is said aloud

Request = Callable[..., Awaitable[dict[str, Any]]]


@dataclass(slots=True, eq=False)
class OutgoingMessage:
    room_id: str | None  # None: said aloud
    content: str
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: str = "sending"  # sending, sent, failed
    error: HereaboutsError | None = None  # why it failed
    # Once sent:
    id: str | None = None
    seq: int | None = None  # of a message
    created_at: str | None = None
    _settled: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def lane(self) -> str:
        return SPEECH if self.room_id is None else self.room_id

    async def settled(self) -> OutgoingMessage:
        """Waits until it is sent or has failed."""
        await self._settled.wait()
        return self


class Outbox:
    def __init__(
        self,
        request: Request,
        is_open: Callable[[str], bool],
        changed: Callable[[OutgoingMessage], None],
    ) -> None:
        """`request(type, **fields)` sends and returns the answer; `is_open(room_id)` says whether messages may
        go there now (`SPEECH`: whether one may speak), and `flush` when they may again; `changed` is told
        every change of state."""
        self._request = request
        self._is_open = is_open
        self._changed = changed
        self._queues: dict[str, deque[OutgoingMessage]] = {}  # by room; the first is in flight
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, OutgoingMessage] = {}

    def send(self, room_id: str | None, content: str) -> OutgoingMessage:
        """`room_id` None: says it aloud."""
        message = OutgoingMessage(room_id, content)
        self._enqueue(message)
        return message

    def retry(self, client_id: str) -> None:
        """Sends a failed message once more, behind those of its room that wait already."""
        message = self._failed.pop(client_id, None)
        if message is not None:
            message._settled.clear()
            message.state, message.error = "sending", None
            self._enqueue(message)

    def discard(self, client_id: str) -> None:
        """Gives a failed message up."""
        self._failed.pop(client_id, None)

    def flush(self, room_id: str | None = None) -> None:
        """Messages may go out again: to one room, or to all that are open."""
        for id in tuple(self._queues) if room_id is None else (room_id,):
            if id in self._queues and id not in self._senders and self._is_open(id):
                self._senders[id] = asyncio.create_task(self._send_all(id, self._queues[id]))

    def stop(self) -> None:
        """The connection is gone: what is not acknowledged waits for `flush`."""
        for sender in self._senders.values():
            sender.cancel()
        self._senders.clear()

    def clear(self) -> None:
        """Nobody is signed in any more: what waits has failed."""
        self.stop()
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            for message in queue:
                self._settle(message, "failed", HereaboutsError("closed", "signed out before it was sent"))
        self._failed.clear()

    def _enqueue(self, message: OutgoingMessage) -> None:
        self._queues.setdefault(message.lane, deque()).append(message)
        self._changed(message)
        self.flush(message.lane)

    async def _send_all(self, room_id: str, queue: deque[OutgoingMessage]) -> None:
        while queue:
            message = queue[0]
            error = await self._send_one(message)
            queue.popleft()
            self._settle(message, "failed" if error else "sent", error)
        self._queues.pop(room_id, None)
        self._senders.pop(room_id, None)

    async def _send_one(self, message: OutgoingMessage) -> HereaboutsError | None:
        """Until it is acknowledged, or the error for which it was given up."""
        type, fields = "say", {"content": message.content, "client_id": message.client_id}
        if message.room_id is not None:
            type, fields = "send_message", {"room_id": message.room_id, **fields}
        tries = 0
        while True:
            try:
                ack = await self._request(type, **fields)
            except HereaboutsError as error:
                if error.code != "closed":
                    tries += 1
                if not error.transient or tries == MAX_TRIES:
                    return error
                wait = error.retry_after or 0.0
                if error.code != "rate_limited" or not wait:  # a rate is this connection's alone, and exact
                    wait += full_jitter(FIRST_WAIT + tries - 1)
                await asyncio.sleep(wait)
            else:
                message.id = ack["id"] if message.room_id is None else ack["message_id"]
                message.seq, message.created_at = ack.get("seq"), ack["created_at"]
                return None

    def _settle(self, message: OutgoingMessage, state: str, error: HereaboutsError | None) -> None:
        message.state, message.error = state, error
        if error is not None:
            self._failed[message.client_id] = message
        message._settled.set()
        self._changed(message)
