"""Server-to-client WebSocket frames (RFC 6455 §5.2): unmasked, unfragmented, uncompressed.

An event becomes a frame once and the same bytes go to everybody, so this is not the protocol's
per-connection writer's work. Compression stays off: it would have to be redone for each
recipient, and mixing secrets with what others send under one compressor leaks them.
"""

from __future__ import annotations

import struct

FIN = 0x80
# Opcodes
CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA
_TWO_BYTES = struct.Struct("!BBH")
_EIGHT_BYTES = struct.Struct("!BBQ")


# Of texts that fit one byte of length, as most do.
_SHORT = [bytes((FIN | TEXT, size)) for size in range(126)]


def text_frame(payload: bytes) -> bytes:
    size = len(payload)
    return _SHORT[size] + payload if size < 126 else frame(TEXT, payload)


def frame(opcode: int, payload: bytes) -> bytes:
    """Final, its length in the shortest form, as it has to be."""
    first = FIN | opcode
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return _TWO_BYTES.pack(first, 126, size) + payload
    return _EIGHT_BYTES.pack(first, 127, size) + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Without a code it is empty: the answer to an empty one (RFC 6455 §5.5.1, §7.1.5)."""
    if code is None:
        return frame(CLOSE, b"")
    # A control frame holds 125 bytes (§5.5); a reason that is cut is still UTF-8 (§5.5.1).
    cut = reason.encode()[:123].decode(errors="ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + cut)


PING_FRAME = frame(PING, b"")
