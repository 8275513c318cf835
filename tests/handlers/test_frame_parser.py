"""Frames out of bytes: whatever the cuts, the same messages; whatever is wrong, refused as soon as it shows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.frame_parser import FrameParser, Violation, close_code
from tests.handlers.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    client_frame,
    close_payload,
)

LIMIT = 200_000
SIZES = (0, 1, 124, 125, 126, 127, 65_535, 65_536, 65_537)

Found = tuple[int, str | bytes]


def take_all(parser: FrameParser) -> list[Found]:
    """Everything there is, but for the fragments that end no message."""
    found: list[Found] = []
    while (each := parser.next()) is not None:
        if each[0] == CONTINUATION:
            assert each[1] == b""
        else:
            found.append(each)
    return found


def parsed(*pieces: bytes, limit: int = LIMIT) -> list[Found]:
    """What comes of these pieces, fed and asked for one after the other; nothing may be left of them."""
    parser = FrameParser(limit)
    found: list[Found] = []
    for piece in pieces:
        parser.feed(piece)
        found += take_all(parser)
    assert parser.pending == 0
    return found


def singly(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """In pieces, empty ones where a place is there twice."""
    bounds = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@dataclass
class Conversation:
    """What a client says: its bytes, and what a server has to find in them."""

    data: bytes
    expected: list[Found]


masks = st.binary(min_size=4, max_size=4)
controls = st.tuples(
    st.sampled_from([PING, PONG]), st.binary(max_size=20) | st.sampled_from([b"", b"x" * 125])
)


def filled(size: int, seed: str) -> str:
    """Text of so many bytes, of `seed` as far as it goes."""
    seed = seed or "x"
    text = seed * (size // len(seed.encode()))
    return text + "x" * (size - len(text.encode()))


@st.composite
def payloads(draw: st.DrawFn) -> Found:
    """Short ones of all kinds; long ones of a few letters that come again and again."""
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    if draw(st.integers(0, 3)):
        if opcode == TEXT:
            return opcode, draw(st.text(max_size=60))
        return opcode, draw(st.binary(max_size=200))
    text = filled(draw(st.sampled_from(SIZES)), draw(st.text(max_size=3)))
    return opcode, text if opcode == TEXT else text.encode()


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    data, expected = b"", list[Found]()
    for opcode, payload in draw(st.lists(payloads(), max_size=5)):
        raw = payload.encode() if isinstance(payload, str) else payload
        places = draw(st.lists(st.integers(0, len(raw)), max_size=4))
        fragments = cut(raw, places)
        for number, fragment in enumerate(fragments):
            for kind, control in draw(st.lists(controls, max_size=2)):
                data += client_frame(kind, control, mask=draw(masks))
                expected.append((kind, control))
            data += client_frame(
                CONTINUATION if number else opcode,
                fragment,
                fin=number == len(fragments) - 1,
                mask=draw(masks),
            )
        expected.append((opcode, payload))
    return Conversation(data, expected)


# The same, whatever the cuts


@settings(deadline=None)
@given(conversations(), st.data())
def test_the_same_messages_come_of_whatever_pieces(said: Conversation, data: st.DataObject) -> None:
    """Text, binary, fragments, pings between them; asked for after each piece, and once after all of them."""
    places = data.draw(st.lists(st.integers(0, len(said.data)), max_size=30))
    pieces = cut(said.data, places)
    assert parsed(*pieces) == said.expected
    parser = FrameParser(LIMIT)
    for piece in pieces:
        parser.feed(piece)
    assert take_all(parser) == said.expected
    assert parser.pending == 0


@settings(deadline=None, max_examples=25)
@given(conversations())
def test_the_same_messages_come_of_one_byte_at_a_time_and_of_all_at_once(said: Conversation) -> None:
    """The shortest pieces and the longest."""
    assert parsed(said.data) == said.expected
    assert parsed(*singly(said.data)) == said.expected


@settings(deadline=None)
@given(conversations(), st.data())
def test_what_has_not_been_taken_is_pending(said: Conversation, data: st.DataObject) -> None:
    """Every byte that was fed counts until the frame that it is of has been taken."""
    places = data.draw(st.lists(st.integers(0, len(said.data)), max_size=10))
    parser, fed = FrameParser(LIMIT), 0
    found: list[Found] = []
    for piece in cut(said.data, places):
        before = parser.pending
        parser.feed(piece)
        fed += len(piece)
        assert parser.pending == before + len(piece)
        found += take_all(parser)
        assert parser.pending <= fed
    assert (found, parser.pending) == (said.expected, 0)


@given(st.lists(st.binary(max_size=40), max_size=10))
@example([b"\x81\x84", b"\0\0\0\0", b"\xf0\x9f\x98\x80"])
def test_whatever_comes_is_a_message_or_a_violation(pieces: list[bytes]) -> None:
    """No bytes raise anything else."""
    parser = FrameParser(1000)
    try:
        for piece in pieces:
            parser.feed(piece)
            take_all(parser)
    except Violation as violation:
        assert violation.code in (1002, 1007, 1009) and violation.reason


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_length_of_each_form_is_read(opcode: int, size: int) -> None:
    """At the bounds of 7, 16 and 64 bits."""
    text = filled(size, "ä😀")
    payload = text if opcode == TEXT else text.encode()
    data = client_frame(opcode, text.encode())
    assert parsed(data) == parsed(*singly(data)) == [(opcode, payload)]


def test_one_message_is_given_at_a_time() -> None:
    """Whoever serves them sets the pace; the others stay pending."""
    parser = FrameParser(LIMIT)
    frames = [client_frame(TEXT, each) for each in (b"a", b"b", b"c")]
    parser.feed(b"".join(frames))
    for number, letter in enumerate("abc"):
        assert parser.pending == len(b"".join(frames[number:]))
        assert parser.next() == (TEXT, letter)
    assert parser.pending == 0
    assert parser.next() is None


def test_a_fragment_that_ends_no_message_is_told_of() -> None:
    """So that the asker can count what it has served."""
    parser = FrameParser(LIMIT)
    parser.feed(client_frame(TEXT, b"a", fin=False) + client_frame(CONTINUATION, b"b", fin=False))
    assert [parser.next(), parser.next(), parser.next()] == [(CONTINUATION, b""), (CONTINUATION, b""), None]
    parser.feed(client_frame(CONTINUATION, b"c"))
    assert parser.next() == (TEXT, "abc")


def test_a_letter_may_be_spread_over_fragments() -> None:
    """UTF-8 is that of the message (RFC 6455 §5.6), not of each frame."""
    letter = "😀".encode()
    frames = [
        client_frame(CONTINUATION if at else TEXT, letter[at : at + 1], fin=at == 3)
        for at in range(len(letter))
    ]
    assert parsed(*frames) == parsed(b"".join(frames)) == [(TEXT, "😀")]


# The limit

TEN = 10


def test_a_message_of_exactly_the_limit_passes() -> None:
    """In one frame and in several; control frames between them do not count, nor does what came before."""
    frames = [
        client_frame(BINARY, b"x" * TEN),
        client_frame(BINARY, b"y" * 4, fin=False),
        client_frame(PING, b"p" * 125),
        client_frame(CONTINUATION, b"y" * 6),
        client_frame(TEXT, "é".encode() * 5),
    ]
    found = [(BINARY, b"x" * TEN), (PING, b"p" * 125), (BINARY, b"y" * TEN), (TEXT, "é" * 5)]
    assert parsed(*frames, limit=TEN) == found


# What is refused

START = client_frame(TEXT, b"a", fin=False)
HALF_A_LETTER = "é".encode()[:1]


@pytest.mark.parametrize(
    ("before", "shows", "code"),
    [
        pytest.param(b"", b"\xc1\x80", 1002, id="first reserved bit"),
        pytest.param(b"", b"\xa1\x80", 1002, id="second reserved bit"),
        pytest.param(b"", b"\x91\x80", 1002, id="third reserved bit"),
        pytest.param(b"", b"\xc9\x80", 1002, id="reserved bit of a control frame"),
        pytest.param(START, b"\xc0\x80", 1002, id="reserved bit of a continuation"),
        pytest.param(b"", b"\x81\x05", 1002, id="text without a mask"),
        pytest.param(b"", b"\x81\x7f", 1002, id="long text without a mask"),
        pytest.param(b"", b"\x89\x00", 1002, id="ping without a mask"),
        pytest.param(b"", b"\x88\x00", 1002, id="close without a mask"),
        *(
            pytest.param(b"", bytes((FIN | code, 0x80)), 1002, id=f"opcode {code}")
            for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        ),
        *(
            pytest.param(START, bytes((FIN | code, 0x80)), 1002, id=f"opcode {code} between fragments")
            for code in (3, 7, 11, 15)
        ),
        *(
            pytest.param(b"", bytes((code, 0x80)), 1002, id=f"fragment of control frame {code}")
            for code in (CLOSE, PING, PONG)
        ),
        *(
            pytest.param(
                b"", bytes((FIN | code, 0x80 | size)), 1002, id=f"control frame {code}, length {size}"
            )
            for code in (CLOSE, PING, PONG)
            for size in (126, 127)
        ),
        pytest.param(b"", b"\x80\x80", 1002, id="continuation of nothing"),
        pytest.param(b"", b"\x00\x80", 1002, id="unfinished continuation of nothing"),
        pytest.param(
            START + client_frame(CONTINUATION), b"\x80\x80", 1002, id="continuation of what has ended"
        ),
        pytest.param(client_frame(TEXT), b"\x80\x80", 1002, id="continuation of a whole message"),
        pytest.param(START, b"\x81\x80", 1002, id="text between fragments"),
        pytest.param(START, b"\x82\x80", 1002, id="binary between fragments"),
        pytest.param(START, b"\x01\x80", 1002, id="another start between fragments"),
        pytest.param(b"", b"\x81\xfe\x00\x00", 1002, id="0 in 16 bits"),
        pytest.param(b"", b"\x81\xfe\x00\x7d", 1002, id="125 in 16 bits"),
        pytest.param(b"", b"\x81\xff" + (125).to_bytes(8, "big"), 1002, id="125 in 64 bits"),
        pytest.param(b"", b"\x81\xff" + (65_535).to_bytes(8, "big"), 1002, id="65535 in 64 bits"),
        pytest.param(b"", bytes((FIN | TEXT, 0x80 | TEN + 1)), 1009, id="one byte over the limit"),
        pytest.param(b"", b"\x82\xfe\x00\x7e", 1009, id="over the limit in 16 bits"),
        pytest.param(b"", b"\x82\xff" + (65_536).to_bytes(8, "big"), 1009, id="over the limit in 64 bits"),
        pytest.param(b"", b"\x82\xff" + b"\xff" * 8, 1009, id="the greatest length there is"),
        pytest.param(START, bytes((FIN, 0x80 | TEN)), 1009, id="one byte over with the last fragment"),
        pytest.param(START, bytes((0, 0x80 | TEN)), 1009, id="one byte over with a fragment"),
        pytest.param(b"", client_frame(TEXT, b"\xff"), 1007, id="no UTF-8"),
        pytest.param(b"", client_frame(TEXT, HALF_A_LETTER), 1007, id="half a letter"),
        pytest.param(b"", client_frame(TEXT, b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(b"", client_frame(TEXT, b"\xc0\x80"), 1007, id="an overlong NUL"),
        pytest.param(b"", client_frame(TEXT, b"\xf4\x90\x80\x80"), 1007, id="beyond Unicode"),
        pytest.param(b"", client_frame(TEXT, b"\xff", fin=False), 1007, id="no UTF-8 in a first fragment"),
        pytest.param(START, client_frame(CONTINUATION, b"\xff", fin=False), 1007, id="nor in one between"),
        pytest.param(START, client_frame(CONTINUATION, HALF_A_LETTER), 1007, id="half a letter at the end"),
        pytest.param(
            client_frame(TEXT, HALF_A_LETTER, fin=False),
            client_frame(CONTINUATION, b"a", fin=False),
            1007,
            id="half a letter, then another",
        ),
        pytest.param(
            client_frame(TEXT, HALF_A_LETTER, fin=False),
            client_frame(CONTINUATION),
            1007,
            id="half a letter, then nothing",
        ),
    ],
)
def test_what_is_wrong_is_refused_as_soon_as_it_is_there(before: bytes, shows: bytes, code: int) -> None:
    """By the first two bytes, the length, or the end of a fragment: not one byte earlier or later."""
    parser = FrameParser(TEN)
    parser.feed(before)
    take_all(parser)
    for byte in singly(shows[:-1]):
        parser.feed(byte)
        assert parser.next() is None
    parser.feed(shows[-1:])
    with pytest.raises(Violation) as caught:
        parser.next()
    assert caught.value.code == code
    assert str(caught.value) == caught.value.reason
    at_once = FrameParser(TEN)
    at_once.feed(before + shows + b"\0" * 20)
    with pytest.raises(Violation) as caught:
        take_all(at_once)
    assert caught.value.code == code


def test_what_came_before_a_violation_is_given_first() -> None:
    """Also when all of it is there at once."""
    parser = FrameParser(TEN)
    parser.feed(client_frame(TEXT, b"good") + b"\xff\xff")
    assert parser.next() == (TEXT, "good")
    with pytest.raises(Violation):
        parser.next()


def test_binary_need_not_be_utf_8() -> None:
    """In one frame or in fragments."""
    data = client_frame(BINARY, b"\xff") + client_frame(BINARY, b"\xff", fin=False)
    data += client_frame(CONTINUATION, b"\xfe")
    assert parsed(data) == [(BINARY, b"\xff"), (BINARY, b"\xff\xfe")]


def test_control_frames_stand_between_fragments() -> None:
    """All three, up to 125 bytes; the message goes on after them."""
    data = (
        START + client_frame(PING, b"p" * 125) + client_frame(PONG) + client_frame(CLOSE, close_payload(1000))
    )
    data += client_frame(CONTINUATION, b"b")
    found = [(PING, b"p" * 125), (PONG, b""), (CLOSE, close_payload(1000)), (TEXT, "ab")]
    assert parsed(data) == parsed(*singly(data)) == found


# Close codes


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_a_close_code_that_may_be_sent_is_read(code: int) -> None:
    """Those of the protocol and its registry, those of libraries, ours; with a reason or without."""
    assert close_code(close_payload(code)) == code
    assert close_code(close_payload(code, "wëgen 😀")) == code


def test_an_empty_close_frame_has_no_code() -> None:
    """Which is not an error (RFC 6455 §7.1.5)."""
    assert close_code(b"") is None


@pytest.mark.parametrize(
    "code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535]
)
def test_a_close_code_that_may_not_be_sent_is_refused(code: int) -> None:
    """Reserved, unassigned or out of range: 1002."""
    for reason in ("", "why"):
        with pytest.raises(Violation) as caught:
            close_code(close_payload(code, reason))
        assert caught.value.code == 1002


def test_a_close_frame_of_one_byte_is_refused() -> None:
    """Half a code (RFC 6455 §5.5.1): 1002, though its number would be none either."""
    for byte in (b"\x03", b"\x0f"):
        with pytest.raises(Violation) as caught:
            close_code(byte)
        assert caught.value.code == 1002


def test_a_close_reason_is_utf_8() -> None:
    """1007, as for any text."""
    for reason in (b"\xff", HALF_A_LETTER):
        with pytest.raises(Violation) as caught:
            close_code(close_payload(1000) + reason)
        assert caught.value.code == 1007


def test_what_is_served_is_let_go() -> None:
    """An idle connection does not keep the last 64 KB that it was sent."""
    parser = FrameParser(LIMIT)
    data = client_frame(TEXT, b"x" * 60_000)
    held = sys.getrefcount(data)
    parser.feed(data)
    assert len(take_all(parser)) == 1
    assert sys.getrefcount(data) == held
