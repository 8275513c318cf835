"""Server-to-client WebSocket frames (RFC 6455 §5.2): unmasked, unfragmented, uncompressed.

An event becomes a frame once and the same bytes go to everybody, so this is not the protocol's
per-connection writer's work. Compression stays off: it would have to be redone for each
recipient, and mixing secrets with what others send under one compressor leaks them.
"""

from __future__ import annotations

import struct

TEXT = 0x81  # FIN and opcode 1
PING = 0x89
_TWO_BYTES = struct.Struct("!BBH")
_EIGHT_BYTES = struct.Struct("!BBQ")


def text_frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 65_536:
        return _TWO_BYTES.pack(TEXT, 126, size) + payload
    return _EIGHT_BYTES.pack(TEXT, 127, size) + payload


PING_FRAME = bytes((PING, 0))
