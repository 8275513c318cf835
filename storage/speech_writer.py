"""The one way in for speech: gives each its id and commits together what arrives together.

A lone word is committed at once; what arrives during a commit waits, and makes up the next one. What
holds, whatever fails: ids rise in the order in which `tell` is called; nothing that is stored later comes
below what was told; each speech is told once, after it is written at majority and journal. So one id says
how far somebody has heard, and resuming is exact. No client id of a sender is written twice: a unique index
decides that.

That order is why a commit whose outcome is unknown is repeated, with the same ids, until it is known,
before anything else is written. A room has its `seq`, which a write that arrives late cannot take a second
time; here nothing but its own id is in the way of one. All of this is of one process on the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pymongo.errors import BulkWriteError, PyMongoError

from storage.driver import Database, describe
from storage.errors import DUPLICATE_KEY, StorageError, Unavailable
from storage.records import Speech
from storage.speech import SpeechHistory, Spoken, to_document
from storage.speech_keys import SpeechKeys, day_of

log = logging.getLogger("hereabouts.storage.speech_writer")

Tell = Callable[[Speech], None]

# Between two tries of a commit whose outcome is unknown: an election takes seconds.
_AGAIN_SECONDS = 0.25
# Until what a unique index has refused can be read at majority.
_MAJORITY_SECONDS = 0.01


@dataclass(slots=True)
class _Waiting:
    """What was submitted, and those who wait to hear of it: more than one if it was sent again meanwhile."""

    speech: Speech
    tell: Tell
    askers: list[asyncio.Future[Spoken]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return not all(asker.done() for asker in self.askers)

    def resolve(self, spoken: Spoken) -> None:
        for asker in self.askers:
            if not asker.done():
                asker.set_result(spoken)

    def fail(self, reason: str) -> None:
        for asker in self.askers:
            if not asker.done():
                # One exception object each: a traceback grows with everyone who raises it.
                asker.set_exception(Unavailable(reason))


class SpeechWriter:
    def __init__(
        self, database: Database, keys: SpeechKeys, history: SpeechHistory, *, commit_limit: int
    ) -> None:
        self._database = database
        self._collection = database["speech"]
        self._keys = keys
        self._history = history
        self._commit_limit = commit_limit
        self._queue: deque[_Waiting] = deque()
        self._pending: dict[tuple[str, str], _Waiting] = {}  # by sender and client id, until the outcome
        self._last = ""  # the newest id that was given
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        # The newest id that was told, or was there at the start: what is said from now on is above it.
        self.told = ""

    async def start(self) -> None:
        """To be called once, before anything is submitted. Raises Unavailable."""
        self.told = self._last = await self._history.newest_id()
        self._task = self._loop.create_task(self._run())

    def submit(self, speech: Speech, tell: Tell) -> asyncio.Future[Spoken]:
        """Resolves once it is written. `tell` gets it with its id then, unless it repeats an earlier one.

        Raises, through the future, Unavailable: after the database's timeout it may still be written, and told.
        """
        if self._closed:
            refused: asyncio.Future[Spoken] = self._loop.create_future()
            refused.set_exception(Unavailable("the writer is closed"))
            return refused
        key = _key(speech)
        if key is not None and (first := self._pending.get(key)) is not None:
            return self._asker(first)
        waiting = _Waiting(speech, tell)
        if key is not None:
            self._pending[key] = waiting
        self._queue.append(waiting)
        self._idle.clear()
        self._arrived.set()
        return self._asker(waiting)

    async def find(self, sender_id: str, client_id: str) -> Spoken | None:
        """What somebody has said under a client id, also if that is only on its way. Raises Unavailable."""
        if (waiting := self._pending.get((sender_id, client_id))) is not None:
            return await self._asker(waiting)
        return await self._history.original(sender_id, client_id)

    @property
    def pending(self) -> int:
        """How many wait for the commit that is under way."""
        return len(self._queue)

    async def close(self, *, until: float | None = None) -> None:
        """All that was submitted gets its outcome, until then at most (the loop's time; one timeout from now)."""
        self._closed = True
        if self._task is None:
            return
        if until is None:  # without a database a commit would be repeated for ever
            until = self._loop.time() + self._database.timeout
        try:
            async with asyncio.timeout_at(until):
                await self._idle.wait()
        except TimeoutError:
            log.warning("closing with speech whose outcome is unknown")
        self._task.cancel()
        await asyncio.wait([self._task])

    def _asker(self, waiting: _Waiting) -> asyncio.Future[Spoken]:
        """One more who waits for it, for no longer than the database's timeout."""
        asker: asyncio.Future[Spoken] = self._loop.create_future()
        timer = self._loop.call_later(self._database.timeout, _give_up, asker)
        asker.add_done_callback(lambda _: timer.cancel())
        waiting.askers.append(asker)
        return asker

    async def _run(self) -> None:
        while True:
            while batch := self._take():
                try:
                    await self._commit(batch)
                except asyncio.CancelledError:
                    for waiting in (*batch, *self._queue):
                        waiting.fail("the writer was stopped")
                    raise
                except StorageError as error:
                    for waiting in batch:
                        waiting.fail(str(error))
                except Exception as unexpected:
                    log.exception("a commit of speech failed in an unexpected way")
                    for waiting in batch:
                        waiting.fail(f"the commit failed ({type(unexpected).__name__})")
                finally:
                    self._forget(batch)
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self) -> list[_Waiting]:
        """The next batch, in the order of submission, with its ids."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._commit_limit:
            waiting = self._queue.popleft()
            if not waiting.open:  # it waited too long, and is not written
                self._forget([waiting])
                continue
            # In one millisecond, and after a clock was put back, an id of the clock's is not above the last.
            self._last = max(waiting.speech.id, _next(self._last))
            waiting.speech = replace(waiting.speech, id=self._last)
            batch.append(waiting)
        return batch

    def _forget(self, batch: Sequence[_Waiting]) -> None:
        for waiting in batch:
            key = _key(waiting.speech)
            if key is not None and self._pending.get(key) is waiting:
                del self._pending[key]

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Returns once it is certain of each what became of it, and that is told.

        Raises StorageError if there is no key to write with: then nothing was written.
        """
        speeches = [waiting.speech for waiting in batch]
        ciphers = await self._keys.make({day_of(speech.created_at) for speech in speeches})
        left = {speech.id: to_document(speech, ciphers[day_of(speech.created_at)]) for speech in speeches}
        outcomes: dict[str, Spoken] = {}
        while left:
            try:
                refused = await self._insert(list(left.values()))
                found = (
                    await self._history.originals([s for s in speeches if s.id in refused]) if refused else {}
                )
            except Unavailable as error:
                log.info("the outcome of a commit of speech is unknown, once more: %s", error)
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            for id in list(left):
                if id in found:
                    outcomes[id] = found[id]
                elif id not in refused:
                    outcomes[id] = Spoken(id, left[id]["created_at"], repeated=False)
                else:
                    continue
                del left[id]
            if left:
                await asyncio.sleep(_MAJORITY_SECONDS)
        # From here on nothing waits: in the order of the ids, and all of them before anybody asks for `told`.
        for waiting in batch:
            spoken = outcomes[waiting.speech.id]
            if not spoken.repeated:
                self.told = spoken.id
                try:
                    waiting.tell(waiting.speech)
                except Exception:
                    log.exception("telling speech %s failed", spoken.id)
            waiting.resolve(spoken)

    async def _insert(self, documents: Sequence[dict[str, Any]]) -> set[str]:
        """The ids of those that a unique index refused; all others are written.

        Raises Unavailable when that is not known.
        """
        try:
            async with asyncio.timeout(self._database.timeout), self._database.commit("speech.commit"):
                await self._collection.insert_many(documents, ordered=False)
        except TimeoutError:
            raise Unavailable("the database missed its deadline (speech.commit)") from None
        except BulkWriteError as error:
            details = error.details or {}
            failed = details.get("writeErrors") or []
            if details.get("writeConcernErrors") or any(each["code"] != DUPLICATE_KEY for each in failed):
                raise Unavailable(f"the database failed (speech.commit: {describe(error)})") from error
            return {documents[each["index"]]["_id"] for each in failed}
        except PyMongoError as error:
            raise Unavailable(f"the database failed (speech.commit: {describe(error)})") from error
        return set()


def _key(speech: Speech) -> tuple[str, str] | None:
    return None if speech.client_id is None else (speech.sender_id, speech.client_id)


def _next(id: str) -> str:
    """The id after one, in hexadecimal digits like it."""
    return f"{int(id, 16) + 1:0{len(id)}x}" if id else ""


def _give_up(asker: asyncio.Future[Spoken]) -> None:
    if not asker.done():
        asker.set_exception(Unavailable("the database missed its deadline (speech.commit)"))
