"""The frame parser under atheris, which looks for inputs that reach new branches of it: a program of its own.

    python -m tests.fuzz.parse_frames -max_total_time=60 [-runs=N] [a folder that keeps what it found]

An input is how to cut the bytes, and the bytes. Whatever they are: nothing but a `Violation` is raised, the same comes
of them however they are cut, and no message is longer than it may be.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["handlers.frame_parser"]):
    from handlers.frame_parser import FrameParser, Violation, close_code

from server.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

LIMIT = 300  # so that short inputs reach it

Outcome = tuple[list[tuple[int, str | bytes]], int | None]


def outcome(pieces: list[bytes]) -> Outcome:
    """What is found in them, fragments that end nothing aside, and the code of the violation if there is one."""
    parser = FrameParser(LIMIT)
    found: list[tuple[int, str | bytes]] = []
    fed = 0
    try:
        for piece in pieces:
            parser.feed(piece)
            fed += len(piece)
            while (frame := parser.next()) is not None:
                opcode, payload = frame
                if opcode == CLOSE:
                    assert isinstance(payload, bytes)
                    close_code(payload)
                if opcode != CONTINUATION:
                    found.append(frame)
            assert 0 <= parser.pending <= min(fed, LIMIT + 14)
    except Violation as violation:
        assert violation.code in (1002, 1007, 1009) and violation.reason
        return found, violation.code
    return found, None


def test_one_input(data: bytes) -> None:
    size, data = (data[0] % 16 + 1, data[1:]) if data else (1, b"")
    whole = outcome([data])
    assert outcome([data[at : at + size] for at in range(0, len(data), size)]) == whole
    for opcode, payload in whole[0]:
        assert isinstance(payload, str if opcode == TEXT else bytes)
        assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
        length = len(payload.encode() if isinstance(payload, str) else payload)
        assert length <= (LIMIT if opcode in (TEXT, BINARY) else 125)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
