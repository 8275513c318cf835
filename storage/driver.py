"""The edge with motor: one connected database, and how an operation on it is run.

Owns deadlines, the translation of driver exceptions and the measuring of latency. What is stored
where belongs to the repositories, the only callers. Motor has no precise types: `Any` stays here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, TypeVar

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from motor.frameworks.asyncio import max_workers
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from storage.errors import DUPLICATE_KEY, Unavailable
from storage.link import Link

T = TypeVar("T")
Document = Mapping[str, Any]
Collection = Any
Transaction = Any
Observe = Callable[[str, float], None]

_MAJORITY = WriteConcern("majority", j=True)
# A date is only ever a TTL index's food: it comes back as a number that no year is too far for.
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)

# The driver's own deadline comes first; ours also covers what waits for a thread of its pool.
_GUARD_SECONDS = 0.25
# Threads of the driver's pool that nothing but the commits of the two writers may take.
_WRITERS_THREADS = 2
# By itself the driver waits for its answer for ever.
_GOODBYE_SECONDS = 1.0


def to_date(milliseconds: int) -> DatetimeMS:
    return DatetimeMS(milliseconds)


def from_date(date: DatetimeMS) -> int:
    return int(date)


def describe(error: BaseException) -> str:
    """What may be told of a driver's exception: its text can hold values, its name and code not."""
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__}, code {code}"


class Database:
    """One database, read at majority and written at majority and journal, from the primary alone."""

    def __init__(self, uri: str, name: str, *, timeout: float, observe: Observe | None = None) -> None:
        """Connects in the background. Raises what the driver raises of a URI that makes no sense."""
        milliseconds = int(timeout * 1000)
        self.timeout = timeout
        self.observe = observe
        self._client: Any = AsyncIOMotorClient(
            uri,
            io_loop=asyncio.get_running_loop(),
            appname="hereabouts",
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            retryWrites=True,
            retryReads=True,
        )
        self._db: Any = self._client.get_database(
            name,
            codec_options=_CODEC,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=_MAJORITY,
        )
        # The driver runs each call in a thread: were all of them stuck, what waits for one could
        # not be given up, and would still run long after its caller has gone.
        self._slots = asyncio.Semaphore(max(1, max_workers - _WRITERS_THREADS))

        self._endings: set[asyncio.Future[None]] = set()
        self.link = Link(self._client.delegate, name, _MAJORITY, timeout=timeout)

    def __getitem__(self, collection: str) -> Collection:
        return self._db[collection]

    async def command(self, command: str) -> dict[str, Any]:
        async with self.operation("command"):
            answer: dict[str, Any] = await self._client.admin.command(command)
        return answer

    async def touch(self, operation: str) -> None:
        """Writes a little thing, which proves more than reading one. Raises Unavailable."""
        async with self.operation(operation):
            await self._db["meta"].update_one({"_id": "ping"}, {"$inc": {"count": 1}}, upsert=True)

    async def close(self) -> None:
        """Tells the database goodbye: not for long, as it may not answer, and not on this thread."""
        await asyncio.gather(*self._endings, return_exceptions=True)
        await self.link.close(within=_GOODBYE_SECONDS)

        def say_goodbye() -> None:
            with pymongo.timeout(_GOODBYE_SECONDS):
                self._client.close()

        await asyncio.to_thread(say_goodbye)

    @asynccontextmanager
    async def operation(self, name: str, *, measured: bool = True) -> AsyncIterator[None]:
        """What is awaited inside has one deadline, is measured unless told otherwise, and raises no driver exception.

        Raises Unavailable. A repository that has an answer to `DuplicateKeyError` catches it inside.
        Not to be nested: an operation that waits for another one's slot may wait for ever.
        """
        started = perf_counter()
        try:
            async with asyncio.timeout(self.timeout + _GUARD_SECONDS), self._slots:
                yield
        except TimeoutError as error:
            raise Unavailable(f"the database missed its deadline ({name})") from error
        except PyMongoError as error:
            raise Unavailable(f"the database failed ({name}: {describe(error)})") from error
        finally:
            if measured:
                self._measured(name, started)

    @asynccontextmanager
    async def commit(self, name: str) -> AsyncIterator[None]:
        """`operation` for the writers: on a thread kept free for each, and bulk errors pass."""
        started = perf_counter()
        try:
            yield
        finally:
            self._measured(name, started)

    async def insert(self, collection: str, documents: Sequence[Document], *, name: str) -> int:
        """A `commit`, in order, without the driver where it can be: how many of them, from the first on, are written;
        the next one, if any, is a duplicate. Raises Unavailable when that is not known.
        """
        try:
            async with self.commit(name):
                written = await self.link.insert(collection, documents)
                if written is None:
                    await self._db[collection].insert_many(documents, ordered=True)
                    written = len(documents)
        except BulkWriteError as error:
            details = error.details or {}
            failed = (details.get("writeErrors") or [{}])[0]
            if details.get("writeConcernErrors") or failed.get("code") != DUPLICATE_KEY:
                raise Unavailable(f"the database failed ({name}: {describe(error)})") from error
            return int(failed["index"])
        except PyMongoError as error:
            raise Unavailable(f"the database failed ({name}: {describe(error)})") from error
        return written

    async def transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs `body` (again, if others were in the way) so that all of its writes happen or none."""
        session = await self._client.start_session()
        try:
            result: T = await session.with_transaction(
                body,
                read_concern=ReadConcern("snapshot"),
                write_concern=_MAJORITY,
                read_preference=ReadPreference.PRIMARY,
            )
            return result
        finally:
            # One that was given up is aborted, which takes its time again: nobody waits for that.
            ending = asyncio.ensure_future(session.end_session())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def _measured(self, name: str, started: float) -> None:
        if self.observe is not None:
            self.observe(name, perf_counter() - started)


def duplicated(error: Any) -> Sequence[str]:
    """The names of the fields whose unique index refused a write."""
    return tuple((error.details or {}).get("keyPattern", {}))
