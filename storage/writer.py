"""The one way in for messages: gives each its `seq` and commits together what arrives together.

A lone message is committed at once; what arrives during a commit waits, and makes up the next one.
So one acknowledged write is shared by all that came within its time. Telling anybody of a message is
the business of `on_committed`, which the server sets; reading is `messages`'.

What holds, whatever fails: the `seq` of a room rise from 1 by one; `on_committed` gets each message once,
in that order, after it is written at majority and journal; no client id is written twice. The unique
indexes decide the second and the fourth, not this process: somebody else may write as well.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from storage.cipher import DataKeys, SessionCipher
from storage.driver import Database
from storage.errors import SessionGone, StorageError, Unavailable
from storage.heads import Heads
from storage.messages import Messages, to_document
from storage.records import Message, NewMessage
from storage.trail import Trail

log = logging.getLogger("hereabouts.storage.writer")

# Each try writes something, or finds that somebody else did: only busy rivals use many of them up.
_TRIES = 20
_RIVAL_PAUSE_SECONDS = 0.01
# How often to look after what may have been written, and at how many rooms at once: others wait meanwhile.
_LOOK_AGAIN_SECONDS = 1.0
_ROOMS_A_LOOK = 50
# How often, during a commit, to look for those who have waited for their time.
_SWEEP_SECONDS = 0.1
# What heads and read marks wait for company; a reader who needs them does not wait (`settle`).
_TRAIL_SECONDS = 0.05
# Where messages came while others were being written, more are on their way: those who send when
# they have heard what was said. Waiting this long for them, as long as a commit takes at best, makes one
# commit and one delivery of what would be two, each of which costs nearly the same for one message
# and for ten. PostgreSQL's commit_delay is the same idea. A lone message does not wait.
_GATHER_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Commit:
    """A message as it was written; `repeated` if that was before, under the same client id."""

    message: Message
    repeated: bool


@dataclass(slots=True)
class _Waiting:
    """A submitted message, and those who wait to hear of it."""

    message: NewMessage
    future: asyncio.Future[Commit]
    deadline: float
    open: bool = True
    # The same client id again while the first was waiting: hears what the first hears.
    repeats: list[_Waiting] = field(default_factory=list)

    def resolve(self, commit: Commit) -> None:
        self.open = False
        # A caller who gave up cancelled the future, but the message is written all the same.
        if not self.future.done():
            self.future.set_result(commit)
        for repeat in self.repeats:
            repeat.resolve(Commit(commit.message, repeated=True))

    def fail(self, error: Exception) -> None:
        if not self.open:
            return
        self.open = False
        if not self.future.done():
            self.future.set_exception(error)
        for repeat in self.repeats:
            repeat.fail(error)


class MessageWriter:
    on_committed: Callable[[Message], None]

    def __init__(self, database: Database, keys: DataKeys, messages: Messages, *, commit_limit: int) -> None:
        self._database = database
        self._keys = keys
        self._messages = messages
        self._commit_limit = commit_limit
        self._heads = Heads(database, messages, self._tell)
        self._trail = Trail(database)
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._between_rounds = asyncio.Event()
        self._closed = False
        self.on_committed = lambda message: None
        self._idle.set()
        self._between_rounds.set()
        self._loop = asyncio.get_running_loop()
        self._looked_at = 0.0
        self._task = self._loop.create_task(self._run())
        self._trail_task: asyncio.Task[None] | None = None

    def submit(self, message: NewMessage) -> asyncio.Future[Commit]:
        """Resolves once the message is written. Raises, through the future, Unavailable or SessionGone: the
        former after the database's timeout, whatever the message waits for."""
        future: asyncio.Future[Commit] = self._loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("the writer is closed"))
            return future
        self._queue.append(_Waiting(message, future, self._loop.time() + self._database.timeout))
        self._idle.clear()
        self._arrived.set()
        return future

    @property
    def pending(self) -> int:
        """How many wait for the commit that is under way."""
        return len(self._queue)

    def published(self, session_id: str) -> int | None:
        """`head`, if it is known without asking the database."""
        return self._heads.published(session_id)

    async def head(self, session_id: str) -> int:
        """The `seq` of the room's newest message that `on_committed` was called with (or that was there
        before); 0 in an empty room. Raises SessionGone, Unavailable."""
        return await self._heads.head(session_id)

    def forget(self, session_id: str) -> None:
        """A deleted session."""
        self._heads.forget(session_id)
        self._trail.forget(session_id)

    async def settle(self) -> None:
        """Heads and read marks of all that is committed are written. Raises Unavailable."""
        await self._trail.settle()

    async def round_over(self) -> None:
        """Returns when the commit under way at the call, if any, has ended."""
        await self._between_rounds.wait()

    async def drain(self) -> None:
        """Returns when all that was submitted has its outcome and is settled. Raises Unavailable."""
        await self._idle.wait()
        await self.settle()

    async def close(self, *, until: float | None = None) -> None:
        """Drains, until then at most (the loop's time)."""
        self._closed = True
        try:
            async with asyncio.timeout_at(until):
                await self.drain()
        except (TimeoutError, Unavailable) as error:
            # They are found again from the messages themselves; only read marks stay behind.
            log.warning("closing with heads and read marks unwritten: %s", error)
        for task in (self._task, self._trail_task):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    # The rounds, one after the other

    async def _run(self) -> None:
        while True:
            if batch := self._take():
                with self._busy(batch):
                    await self._round(batch)
                if self._queue:
                    await asyncio.sleep(_GATHER_SECONDS)
            else:
                self._idle.set()
                await self._wait()
            self._leave_trail()
            if self._heads.doubted and self._loop.time() >= self._looked_at + _LOOK_AGAIN_SECONDS:
                with self._busy(()):
                    await self._look_again()
                self._looked_at = self._loop.time()

    def _take(self) -> list[_Waiting]:
        """The next batch, in the order of submission."""
        now = self._loop.time()
        batch: list[_Waiting] = []
        first: dict[tuple[str, str, str], _Waiting] = {}
        while self._queue and len(batch) < self._commit_limit:
            waiting = self._queue.popleft()
            message = waiting.message
            if not waiting.open:
                continue
            if waiting.deadline < now:
                waiting.fail(Unavailable("the message waited too long to be written, and was not"))
            elif message.client_id is None:
                batch.append(waiting)
            else:
                leader = first.setdefault((message.session_id, message.sender_id, message.client_id), waiting)
                (batch if leader is waiting else leader.repeats).append(waiting)
        return batch

    async def _wait(self) -> None:
        """Until something arrives, or it is time to look into what is in doubt."""
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS if self._heads.doubted else None):
                await self._arrived.wait()

    async def _look_again(self) -> None:
        """Also when others keep us busy: a room in doubt may be one that nobody writes to any more."""
        try:
            async with asyncio.timeout(self._database.timeout):
                await self._heads.ready(islice(self._heads.doubted, _ROOMS_A_LOOK))
        except (TimeoutError, Unavailable) as error:
            log.info("still in doubt about the outcome of a commit: %s", error)
        except Exception:
            log.exception("looking into the outcome of a commit failed in an unexpected way")

    @contextmanager
    def _busy(self, batch: Sequence[_Waiting]) -> Iterator[None]:
        """Sees to it that nobody waits past their time, in the batch or behind it."""
        self._between_rounds.clear()
        self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep, batch)
        try:
            yield
        finally:
            self._sweeper.cancel()
            self._between_rounds.set()

    def _sweep(self, batch: Sequence[_Waiting]) -> None:
        """Lets those go who have waited for their time, though their message may still be written."""
        now = self._loop.time()
        for waiting in (*batch, *self._queue):
            if waiting.deadline < now:
                waiting.fail(Unavailable("the database missed its deadline (messages.commit)"))
        self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep, batch)

    async def _round(self, batch: Sequence[_Waiting]) -> None:
        """Gives every message of the batch its outcome, within one deadline."""
        error = Unavailable("others kept writing to the same rooms: the message was not written")
        try:
            async with asyncio.timeout(self._database.timeout):
                for _ in range(_TRIES):
                    await self._try([waiting for waiting in batch if waiting.open])
                    if not any(waiting.open for waiting in batch):
                        return
                    await asyncio.sleep(random.uniform(0, _RIVAL_PAUSE_SECONDS))
        except TimeoutError:
            error = Unavailable("the database missed its deadline (messages.commit)")
        except Unavailable as unavailable:
            error = unavailable
        except asyncio.CancelledError:
            self._fail(batch, Unavailable("the writer was stopped"))
            raise
        except Exception as unexpected:
            log.exception("a commit failed in an unexpected way")
            error = Unavailable(f"the commit failed ({type(unexpected).__name__})")
        self._fail(batch, error)

    async def _try(self, batch: Sequence[_Waiting]) -> None:
        """Commits the batch as far as nothing is in the way, and clears the way for what is left."""
        ciphers = await self._keys.load({waiting.message.session_id for waiting in batch})
        rooms = {room for room, cipher in ciphers.items() if isinstance(cipher, SessionCipher)}
        await self._heads.ready(rooms)
        batch, messages, documents = self._numbered(batch, ciphers)
        if not batch:
            return
        try:
            written = await self._insert(documents)
        except BaseException:
            self._heads.doubt(rooms)
            raise
        for waiting, message in zip(batch[:written], messages, strict=False):
            self._heads.publish(message)
            waiting.resolve(Commit(message, repeated=False))
        if written < len(batch):
            await self._make_way(batch[written:])

    def _numbered(
        self, batch: Sequence[_Waiting], ciphers: dict[str, SessionCipher | StorageError]
    ) -> tuple[list[_Waiting], list[Message], list[dict[str, Any]]]:
        """Numbers and encrypts. What cannot be written at all fails alone, and takes no number."""
        fit, messages, documents = [], [], []
        heads: dict[str, int] = {}
        for waiting in batch:
            new = waiting.message
            cipher = ciphers[new.session_id]
            head = heads.get(new.session_id, self._heads.published(new.session_id))
            if isinstance(cipher, StorageError):
                waiting.fail(cipher)
                continue
            if head is None:
                waiting.fail(SessionGone(new.session_id))
                continue
            try:
                body = cipher.seal(new.id, new.sender_id, new.content)
                (new.client_id or "").encode()
            except UnicodeEncodeError as error:
                waiting.fail(error)
                continue
            heads[new.session_id] = seq = head + 1
            fit.append(waiting)
            messages.append(_written(new, seq))
            documents.append(to_document(new, seq, body))
        return fit, messages, documents

    async def _insert(self, documents: Sequence[dict[str, Any]]) -> int:
        return await self._database.insert("messages", documents, name="messages.commit")

    async def _make_way(self, rest: Sequence[_Waiting]) -> None:
        """The first of the rest met a duplicate: of its client id, or of a `seq` that somebody else took.

        Which of the two is not asked. All of the rest that was sent before is found at once, rather than
        at one failed commit each; and the room is read on from where this node knows it.
        """
        originals = await self._messages.originals([waiting.message for waiting in rest])
        behind = {
            original.session_id
            for original in originals
            if original.seq > (self._heads.published(original.session_id) or 0)
        }
        for session_id in {rest[0].message.session_id, *behind}:
            await self._heads.look_again(session_id)
        by_id = {original.id: original for original in originals}
        by_client = {
            (original.session_id, original.sender_id, original.client_id): original for original in originals
        }
        for waiting in rest:
            new = waiting.message
            if own := by_id.get(new.id):
                waiting.resolve(Commit(own, repeated=False))
            elif new.client_id is not None and (
                original := by_client.get((new.session_id, new.sender_id, new.client_id))
            ):
                waiting.resolve(Commit(original, repeated=True))

    def _fail(self, batch: Iterable[_Waiting], error: Unavailable) -> None:
        for waiting in batch:
            # One exception object each: a traceback grows with everyone who raises it.
            waiting.fail(Unavailable(str(error)))

    # What a commit is followed by

    def _tell(self, message: Message) -> None:
        self._trail.add(message)
        try:
            self.on_committed(message)
        except Exception:
            log.exception("on_committed failed for message %s", message.id)

    def _leave_trail(self) -> None:
        if self._trail.pending and (self._trail_task is None or self._trail_task.done()):
            self._trail_task = self._loop.create_task(self._write_trail())

    async def _write_trail(self) -> None:
        pause = _TRAIL_SECONDS
        while self._trail.pending:
            await asyncio.sleep(pause)
            try:
                await self._trail.settle()
            except Unavailable as error:
                log.info("heads and read marks are written later: %s", error)
                pause = _LOOK_AGAIN_SECONDS


def _written(new: NewMessage, seq: int) -> Message:
    return Message(
        id=new.id,
        session_id=new.session_id,
        seq=seq,
        sender_id=new.sender_id,
        content=new.content,
        created_at=new.created_at,
        client_id=new.client_id,
    )
