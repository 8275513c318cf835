"""Client-to-server WebSocket frames out of bytes as they come (RFC 6455 §5): a plain object without I/O.

It is asked for one message after the other, so whoever serves them sets the pace. What it refuses
is refused as soon as the bytes that show it are there: an overlong message by its header, not
after it has been read.
"""

from __future__ import annotations

import codecs
from typing import Final

# Tornado's, in C where its wheel has it.
from tornado.util import _websocket_mask as unmask

from server.frames import BINARY, CLOSE, CONTINUATION, FIN, PONG, TEXT

RESERVED: Final = 0x70
OPCODE: Final = 0x0F
MASKED: Final = 0x80
LENGTH: Final = 0x7F

PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

# §7.4.1 and the registry it founded: what an endpoint may put on the wire. 3000 to 4999 are free (§7.4.2).
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


class Violation(Exception):
    """The peer broke the protocol: the connection fails with this close code (§7.1.7)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameParser:
    """`feed` bytes, then take what they make with `next` until it has nothing more."""

    __slots__ = ("_at", "_data", "_decoder", "_fragments", "_kept", "_limit", "_needed", "_opcode", "_size")

    def __init__(self, limit: int) -> None:
        """`limit` is the most bytes of one message, however many frames it comes in."""
        self._limit = limit
        self._data = b""  # what is being taken apart, from `_at` on
        self._at = 0
        self._kept: bytearray | None = None  # the beginning of a frame that needs `_needed` bytes to go on
        self._needed = 0
        # Of a message in fragments (§5.4)
        self._opcode = CONTINUATION
        self._fragments: list[str | bytes] | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._size = 0

    @property
    def pending(self) -> int:
        """Bytes that have been fed and not been taken."""
        return len(self._data) - self._at + (len(self._kept) if self._kept is not None else 0)

    def feed(self, data: bytes) -> None:
        if self._kept is not None:
            # Gathered until there is something to gain: a frame in a thousand pieces is not joined a thousand times.
            self._kept += data
            if len(self._kept) < self._needed:
                return
            data = bytes(self._kept)
            self._kept = None
        elif self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data = data
        self._at = 0

    def next(self) -> tuple[int, str | bytes] | None:
        """(opcode, payload) of the next message or control frame; None until more is fed.

        TEXT comes as str, everything else as bytes; a fragment that ends no message as CONTINUATION, so that
        the asker can count what is served. Raises Violation, after which nothing is to be asked.
        """
        data, at = self._data, self._at
        have = len(data) - at
        if not have:  # all is served, and not kept
            self._data, self._at = b"", 0
            return None
        if have < 2:
            self._wait_for(2)
            return None
        first, second = data[at], data[at + 1]
        opcode = first & OPCODE
        length = second & LENGTH
        if first & RESERVED:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set")  # §5.2: no extension was agreed on
        if not second & MASKED:
            raise Violation(PROTOCOL_ERROR, "a client's frames are masked")  # §5.1
        header = 6
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Violation(PROTOCOL_ERROR, "unknown opcode")  # §5.2
            if not first & FIN or length > 125:
                raise Violation(PROTOCOL_ERROR, "a control frame is one of 125 bytes at most")  # §5.5
        else:
            if opcode > BINARY:
                raise Violation(PROTOCOL_ERROR, "unknown opcode")  # §5.2
            # §5.4: fragments of two messages do not mix.
            if (opcode == CONTINUATION) is (self._fragments is None):
                raise Violation(PROTOCOL_ERROR, "a fragment out of place")
            if length > 125:
                header = 8 if length == 126 else 14
                if have < header - 4:
                    self._wait_for(header - 4)
                    return None
                length = int.from_bytes(data[at + 2 : at + header - 4], "big")
                if length < (126 if header == 8 else 65_536):
                    raise Violation(PROTOCOL_ERROR, "a length in a longer form than it needs")  # §5.2
            if length + self._size > self._limit:
                raise Violation(TOO_BIG, f"expected a message of {self._limit} bytes at most")
        end = header + length
        if have < end:
            self._wait_for(end)
            return None
        start = at + header
        payload = unmask(data[start - 4 : start], data[start : at + end])
        self._at = at + end
        if opcode >= CLOSE:
            return opcode, payload
        if first & FIN and opcode != CONTINUATION:
            return opcode, _text(payload) if opcode == TEXT else payload
        return self._join(first, payload, opcode)

    def _wait_for(self, needed: int) -> None:
        """Keeps the beginning of a frame until so many bytes of it are there."""
        if self._at < len(self._data):
            self._kept = bytearray(memoryview(self._data)[self._at :])
            self._needed = needed
        self._data = b""
        self._at = 0

    def _join(self, first: int, payload: bytes, opcode: int) -> tuple[int, str | bytes]:
        """A fragment (§5.4): the whole message, if this was its last. Text is checked as it comes (§8.1)."""
        final = bool(first & FIN)
        if self._fragments is None:
            self._opcode = opcode
            self._fragments = []
            if opcode == TEXT:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._size += len(payload)
        piece: str | bytes = payload
        if self._decoder is not None:
            try:
                piece = self._decoder.decode(payload, final)
            except UnicodeDecodeError:
                raise Violation(INVALID_DATA, "expected UTF-8") from None
        if piece:
            self._fragments.append(piece)
        if not final:
            return CONTINUATION, b""
        whole = "".join(self._fragments) if self._decoder is not None else b"".join(self._fragments)  # type: ignore[arg-type]
        self._fragments = self._decoder = None
        self._size = 0
        return self._opcode, whole


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(INVALID_DATA, "expected UTF-8") from None  # §8.1


def close_code(payload: bytes) -> int | None:
    """The code in a close frame, None if it is empty (§5.5.1). Raises Violation, also for a bad reason."""
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in CLOSE_CODES or 3000 <= code <= 4999):
        raise Violation(PROTOCOL_ERROR, "a close code that may not be sent")
    _text(payload[2:])
    return code
