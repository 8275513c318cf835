"""The straight way of a commit: inserts on a connection that the event loop itself writes and reads.

For the driver each call is two changes of threads and some five hundred calls of functions, and all who have said
something wait for the commit. So where nothing is out of the ordinary it goes without: as one message of
MongoDB's wire protocol (OP_MSG), over a connection of the driver's own, authenticated and all, that is
taken out of its pool and kept. Everything else (finding the primary, TLS and its checks, elections, errors) stays
with the driver.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import bson
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from storage.errors import DUPLICATE_KEY

log = logging.getLogger("hereabouts.storage.link")

# Length, request, response to, opcode, flags; then sections: a document, or documents with their size and name.
_HEADER: Final = struct.Struct("<iiiiI")
_SIZE: Final = struct.Struct("<i")
_OP_MSG: Final = 2013
_DOCUMENT: Final = b"\x00"
_DOCUMENTS: Final = b"\x01"
_NAME: Final = b"documents\x00"
# A larger batch gains nothing here, and the driver knows how much the server takes at once.
_MOST_BYTES: Final = 1_000_000
_RECEIVE_BYTES: Final = 65_536
# Between two tries to get a connection: meanwhile the driver finds out what is the matter.
_AGAIN_SECONDS: Final = 1.0
# A smaller pool would miss the connection that is kept.
_LEAST_POOL: Final = 10


class Link:
    """One insert at a time, from the loop that made it."""

    def __init__(
        self, client: MongoClient[Any], database: str, write_concern: WriteConcern, *, timeout: float
    ) -> None:
        self._client = client
        self._common = {
            "$db": database,
            "ordered": True,
            "writeConcern": write_concern.document,
            "maxTimeMS": int(timeout * 1000),
        }
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._kept = ExitStack()  # the connection that the socket is of
        self._connecting: asyncio.Task[None] | None = None
        self._connect_at = 0.0
        self._closed = False
        self._received = bytearray()
        self._reply: asyncio.Future[Mapping[str, Any]] | None = None

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def insert(self, collection: str, documents: Sequence[Mapping[str, Any]]) -> int | None:
        """How many of them, from the first on, are written: of the next one, if there is one, a unique index has a
        duplicate. None where it is for the driver to insert them, of which all or some may be written already.
        """
        if self._socket is None:
            self._connect_soon()
            return None
        message = self._message(collection, documents)
        if len(message) > _MOST_BYTES:
            return None
        self._reply = coming = self._loop.create_future()
        try:
            await self._send(message, coming)
            reply = await coming
        except OSError as error:
            log.info("the connection of commits is lost: %s", type(error).__name__)
            self._drop()
            return None
        except BaseException:
            self._drop()  # the reply may still come
            raise
        finally:
            self._reply = None
        failed = reply.get("writeErrors")
        if (
            reply.get("ok") != 1
            or "writeConcernError" in reply
            or (failed and failed[0]["code"] != DUPLICATE_KEY)
        ):
            self._drop()  # most likely it is the primary's no more
            return None
        return int(reply["n"])

    async def close(self, within: float) -> None:
        self._closed = True
        if self._connecting is not None and not self._connecting.done():
            await asyncio.wait([self._connecting], timeout=within)
            self._connecting.cancel()
        self._drop()

    def _message(self, collection: str, documents: Sequence[Mapping[str, Any]]) -> bytes:
        command = _DOCUMENT + bson.encode({"insert": collection, **self._common})
        encoded = b"".join(map(bson.encode, documents))
        size = _SIZE.pack(_SIZE.size + len(_NAME) + len(encoded))
        body = command + _DOCUMENTS + size + _NAME + encoded
        return _HEADER.pack(_HEADER.size + len(body), 1, 0, _OP_MSG, 0) + body

    async def _send(self, message: bytes, reply: asyncio.Future[Any]) -> None:
        """Most often at once. (The loop's own way of it knows no TLS.)"""
        rest = memoryview(message)
        while rest and self._socket is not None:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                writable = asyncio.Event()
                self._loop.add_writer(self._socket, writable.set)
                waiting = self._loop.create_task(writable.wait())
                try:
                    # The reply has come before all is sent only where the connection is lost.
                    await asyncio.wait((waiting, reply), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                    if self._socket is not None:
                        self._loop.remove_writer(self._socket)

    # The connection

    def _connect_soon(self) -> None:
        now = self._loop.time()
        under_way = self._connecting is not None and not self._connecting.done()
        if not self._closed and not under_way and now >= self._connect_at:
            self._connect_at = now + _AGAIN_SECONDS
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            bare = await asyncio.to_thread(self._check_out)
        except PyMongoError as error:
            log.info("no connection for commits: %s", type(error).__name__)
            return
        if bare is None:
            self._connect_at = float("inf")
        elif self._closed:
            self._kept.close()
        else:
            self._received.clear()
            self._socket = bare
            self._loop.add_reader(bare, self._readable)

    def _check_out(self) -> socket.socket | None:
        """Waits for the driver, in a thread. None if none of its connections can be kept."""
        most = self._client.options.pool_options.max_pool_size
        if most is not None and most < _LEAST_POOL:
            return None
        with ExitStack() as stack:
            connection = stack.enter_context(self._client._conn_for_writes(None, "insert"))
            bare = connection.conn.sock
            if not isinstance(bare, socket.socket):  # with PyOpenSSL
                return None
            bare.setblocking(False)
            # In whatever state it is then, nobody else may have it.
            stack.callback(connection.close_conn, "error")
            self._kept = stack.pop_all()
        return bare

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None
            self._kept.close()

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
            if isinstance(self._socket, ssl.SSLSocket) and (more := self._socket.pending()):
                data += self._socket.recv(more)  # decrypted already: the loop would not tell of it
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        self._received += data
        try:
            reply = self._next_reply()
            if reply is None and data:
                return
            if reply is None or self._reply is None:
                raise ConnectionResetError("closed, or a reply that nobody asked for")
        except (OSError, BSONError) as error:
            self._drop()
            if self._reply is not None and not self._reply.done():
                self._reply.set_exception(ConnectionResetError(str(error)))
            return
        if not self._reply.done():
            self._reply.set_result(reply)

    def _next_reply(self) -> Mapping[str, Any] | None:
        """The document of a reply, once all of it is there."""
        received = self._received
        if len(received) < _HEADER.size or len(received) < (size := _SIZE.unpack_from(received)[0]):
            return None
        _, _, _, opcode, flags = _HEADER.unpack_from(received)
        start = _HEADER.size + len(_DOCUMENT)
        if opcode != _OP_MSG or flags or received[_HEADER.size : start] != _DOCUMENT or size != len(received):
            raise ConnectionResetError("a reply of another kind")
        reply: dict[str, Any] = bson.decode(bytes(received[start:size]))
        received.clear()
        return reply
