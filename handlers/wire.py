"""The WebSocket wire (RFC 6455): a socket that we read and write ourselves.

After the handshake (`handlers.handshake`) a `Wire` stands between the socket (its transport) and whoever
speaks on it (its `Peer`). Meaning is not known here.

Reading: every complete frame of a read is served before the next read, a few a turn of the loop, each
after the one before it is done with. So a client is read no faster than it is served, and one that
floods does not keep the others waiting. Writing: frames gather in the outbox during a turn and
leave in one write at its end; while the socket takes no more they stay there, bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Protocol

from tornado.iostream import IOStream

from handlers.frame_parser import FrameParser, Violation, close_code
from handlers.transport import OVER, RECEIVE_BYTES, transport_of
from server.errors import TOO_SLOW, Close
from server.frames import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame
from server.outbox import Batch, Outbox, Overflow

# Frames of one connection served in a turn of the loop: some 20 µs each, then the others have their turn.
FRAMES_A_TURN: Final = 32
# A peer that does not answer a close frame, or does not read it, is cut off after so long.
CLOSE_SECONDS: Final = 5.0
# And one who was never let in after so many bytes: a client's first requests may come with its handshake.
UNWELCOME_BYTES: Final = 65_536
# Of several pings that wait for their answer, the newest is answered (§5.5.3).
_PONG_KEY: Final = object()


class Peer(Protocol):
    """A port: what is at our end of a wire."""

    def heard(self) -> None:
        """Bytes came: the other side is alive."""

    def received(self, message: str | bytes) -> asyncio.Future[None] | None:
        """A text or binary message. The next one comes when the future is done, if there is one. Never raises."""

    def control_received(self) -> None:
        """A ping, which the wire answers, or a pong. May close the wire."""

    def ended(self, code: int | None) -> None:
        """Once: nothing more comes or goes. `code` is that of the close frame, if there was one."""


class Wires:
    """What the wires of a process share: which are open, and which have something to write.

    Each of the latter is written once, at the end of the loop's turn. Most often all that is said in a turn is one
    batch, for many: it is queued with none of them, and written to one after the other at the end. Only when
    something else is to follow it within the turn does each get it into its outbox.
    """

    def __init__(
        self,
        *,
        message_bytes: int,
        buffer_bytes: int,
        on_close: Callable[[int], None] = lambda code: None,
    ) -> None:
        """The bounds of one message and of what waits for one reader. `on_close` gets the code of each close of ours."""
        self.message_bytes = message_bytes
        self.buffer_bytes = buffer_bytes
        self.on_close = on_close
        self.open: set[Wire] = set()
        self.loop = asyncio.get_running_loop()
        self._waiting: list[Wire] = []
        self._batch: Batch | None = None  # the turn's first, while it is in nobody's outbox
        self._readers: Sequence[Wire] = ()  # of that
        self._settled = False  # it is in their outboxes, and may still grow: what follows is queued after it
        self._ending = False  # the end of the turn is asked for

    def share(self, batch: Batch, readers: Sequence[Wire]) -> None:
        """Queues a batch for all of them. It may still grow until the end of the turn."""
        self.settle()
        if self._settled:
            for wire in readers:
                wire.queue(batch)
        else:
            self._batch, self._readers = batch, readers
            self._await_end()

    def settle(self) -> None:
        """Something else follows in this turn: the batch that was shared now waits in each outbox."""
        if self._batch is not None:
            self._settled = True
            batch, readers = self._take()
            for wire in readers:
                wire.queue(batch)

    def gather(self, wire: Wire) -> None:
        self._waiting.append(wire)
        self._await_end()

    def _await_end(self) -> None:
        if not self._ending:
            self._ending = True
            self.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._ending = self._settled = False
        if self._batch is not None:
            batch, readers = self._take()
            data = batch.seal()
            for wire in readers:
                if not wire.write(data):
                    wire.queue(batch)
        waiting, self._waiting = self._waiting, []
        for wire in waiting:
            wire.flush()

    def _take(self) -> tuple[Batch, Sequence[Wire]]:
        batch, readers = self._batch, self._readers
        assert batch is not None
        self._batch, self._readers = None, ()
        return batch, readers


class Wire:
    """One WebSocket, server side. Made by the handshake; nothing is read before `start` or `close`.

    Whoever speaks on it sets `peer` first.
    """

    __slots__ = (
        "_agreed",
        "_behind",
        "_closing",
        "_deaf",
        "_ended",
        "_outbox",
        "_parser",
        "_queued",
        "_serving",
        "_started",
        "_timer",
        "_transport",
        "_unwelcome",
        "_wires",
        "peer",
    )

    def __init__(self, stream: IOStream, wires: Wires) -> None:
        self._wires = wires
        self._parser = FrameParser(wires.message_bytes)
        self._outbox = Outbox(wires.buffer_bytes)
        self.peer: Peer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._queued = False  # for the end of this turn
        self._behind = False  # the socket has not taken the last write yet
        self._started = False  # we read
        self._serving = False  # a message is being served, or frames wait for their turn
        self._ended = False  # the other side sends no more: what it has sent is served
        self._closing = False  # our close frame is sent or queued: nothing may follow it (§5.5.1)
        self._unwelcome: int | None = None  # closed before it was started: bytes that have come since
        self._agreed = False  # the other side's close frame has come
        self._deaf = False  # what comes is not looked at any more (§7.1.7)
        self._transport, early = transport_of(stream, self)
        self._parser.feed(early)
        wires.open.add(self)

    def start(self) -> None:
        """From now on messages are served, those that came before included."""
        if not self._started:
            self._started = True
            self._transport.resume()
            if self._parser.pending:
                self._serve()

    def respond(self, response: bytes) -> None:
        """The bytes that end the handshake, before any frame."""
        self._behind = not self._transport.write(response)

    @property
    def is_open(self) -> bool:
        return not self._closing

    @property
    def backlog(self) -> int:
        """Bytes that wait for the other side to read."""
        return self._outbox.size + self._transport.unsent

    @property
    def behind(self) -> bool:
        return self._behind

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._unwelcome is not None:
            self._unwelcome += len(data)
            if self._unwelcome > UNWELCOME_BYTES:
                self.connection_lost()
        if self._deaf:
            return
        if self.peer is not None:
            self.peer.heard()
        self._parser.feed(data)
        if not self._serving:
            self._serve()
        elif self._parser.pending >= RECEIVE_BYTES:
            self._transport.pause()

    def eof_received(self) -> None:
        self._ended = True
        if not self._serving or self._deaf:
            self._end()

    def _serve(self) -> None:
        """What has been fed: to its end, to a message that takes time, or to the end of our turn."""
        for _ in range(FRAMES_A_TURN):
            try:
                found = self._parser.next()
                if found is None:
                    self._served_all()
                    return
                opcode, payload = found
                if opcode == CLOSE:
                    assert isinstance(payload, bytes)
                    self._agree(close_code(payload))
                    return
            except Violation as violation:
                self._deaf = True
                self._close(violation.code, violation.reason)
                self._transport.resume()
                return
            if self.peer is None:
                continue  # we are closing, and wait for the other side's close frame
            if opcode in (TEXT, BINARY):
                later = self.peer.received(payload)
                if later is not None:
                    self._serving = True
                    later.add_done_callback(self._go_on)
                    return
                continue
            self.peer.control_received()
            if opcode == PING:
                assert isinstance(payload, bytes)
                self.send(frame(PONG, payload), _PONG_KEY)
        self._serving = True
        self._wires.loop.call_soon(self._go_on)

    def _go_on(self, served: asyncio.Future[None] | None = None) -> None:
        self._serving = False
        if not self._deaf:
            self._serve()

    def _served_all(self) -> None:
        if self._ended:
            self._end()
        else:
            self._transport.resume()

    def _end(self) -> None:
        """One who sends no more may still read what is queued."""
        self._wires.settle()
        self.flush()
        self.connection_lost()

    # Writing

    def send(self, frame: bytes, key: Hashable | None = None) -> None:
        """Queues a frame; never raises. A full buffer closes the connection. One with a `key` is
        replaced by its newer while the other side is behind."""
        if self._closing:
            return
        self._wires.settle()
        try:
            # Only what a reader is behind with may be replaced: within a turn, all goes out.
            self._outbox.push(frame, key if self._behind else None)
        except Overflow:
            if self._behind:
                self.close(TOO_SLOW)
                return
            # A turn that has more to say than the bound is no slowness of the reader's.
            self.flush()
            self._outbox.push(frame)
        self._gather()

    def queue(self, batch: Batch) -> None:
        """Queues a batch that others get too, and that may grow until the end of the turn."""
        if self._closing:
            return
        self._outbox.share(batch)
        self._gather()

    def write(self, data: bytes) -> bool:
        """Writes what many get, at the end of the turn. False if something has to go before it."""
        if self._queued or self._behind:
            return False
        if not self._closing:
            self._behind = not self._transport.write(data)
        return True

    def flush(self) -> None:
        """Writes what is queued, or asks whether it is too much while the other side is behind."""
        self._queued = False
        if not self._behind:
            data = self._outbox.take()
            if data and not self._transport.write(data):
                self._behind = True
            elif self._closing:
                self._close_sent()
        elif not self._closing:
            try:
                self._outbox.check()
            except Overflow:
                self.close(TOO_SLOW)

    def _gather(self) -> None:
        if not self._queued:
            self._queued = True
            self._wires.gather(self)

    def drained(self) -> None:
        self._behind = False
        self.flush()

    # The end (§7)

    def close(self, close: Close) -> None:
        """Says why, after what is queued, and waits a while for the other side to agree."""
        if close is TOO_SLOW and not self._closing:
            self._wires.settle()
            self._outbox.clear()
        self._close(close.code, close.reason)

    def _close(self, code: int | None, reason: str = "") -> None:
        if self._closing:
            return
        self._wires.settle()
        self._outbox.end(close_frame(code, reason))
        self._closing = True
        if not self._started:
            self._unwelcome = 0
        if code is not None and not self._agreed:
            self._wires.on_close(code)
        self._timer = self._wires.loop.call_later(CLOSE_SECONDS, self.connection_lost)
        self._tell_peer(code)
        self._gather()
        self.start()  # to hear of the other side's agreement

    def _agree(self, code: int | None) -> None:
        """The other side's close frame: ours follows, with the same code, if it was not first (§5.5.1)."""
        self._agreed = self._deaf = True
        if self._closing and not self._queued and not self._behind:
            self._close_sent()
        else:
            self._close(code)

    def _close_sent(self) -> None:
        """Of two who agree the server hangs up (§7.1.1). One whom we do not listen to any more is left to."""
        if self._agreed:
            self.connection_lost()
        elif self._deaf:
            # A reset, because of bytes not read, could take the close frame along.
            self._transport.end_writing()

    def connection_lost(self) -> None:
        """The connection is over, whoever ended it."""
        if self not in self._wires.open:
            return
        self._wires.open.remove(self)
        self._closing = self._deaf = True
        if self._timer is not None:
            self._timer.cancel()
        self._outbox.clear()
        self._transport.close()
        self._transport = OVER
        self._tell_peer(None)

    abort = connection_lost

    def _tell_peer(self, code: int | None) -> None:
        """Once, and not now: it may be in the middle of a delivery to this very wire."""
        peer, self.peer = self.peer, None
        if peer is not None:
            self._wires.loop.call_soon(peer.ended, code)
