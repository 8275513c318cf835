"""Frames as another implementation of RFC 6455 reads them."""

from __future__ import annotations

import struct

import pytest

from server.frames import PING_FRAME, text_frame


def read(frame: bytes) -> tuple[int, bytes]:
    """(first byte, payload) of one unmasked frame that has to be all there is (RFC 6455 §5.2)."""
    first, size = frame[0], frame[1]
    assert not size & 0x80, "a server does not mask"
    start = 2
    if size == 126:
        (size,), start = struct.unpack("!H", frame[2:4]), 4
        assert size > 125, "the shortest form is obligatory"
    elif size == 127:
        (size,), start = struct.unpack("!Q", frame[2:10]), 10
        assert size > 65_535
    payload = frame[start:]
    assert len(payload) == size
    return first, payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_text_frame_carries_its_payload_at_every_form_of_length(size: int) -> None:
    """Final, text, in the shortest form."""
    payload = bytes(index % 251 for index in range(size))
    assert read(text_frame(payload)) == (0x81, payload)


def test_a_ping_frame_is_an_empty_ping() -> None:
    """Final, opcode 9."""
    assert read(PING_FRAME) == (0x89, b"")
