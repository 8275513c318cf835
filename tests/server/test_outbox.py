"""The bounded buffer of one connection, as plain values."""

from __future__ import annotations

import pytest

from server.outbox import Outbox, Overflow


def test_frames_leave_in_the_order_they_came_as_one_piece() -> None:
    """One write takes everything that waits."""
    outbox = Outbox(100)
    for frame in (b"a", b"b", b"c"):
        outbox.push(frame)
    assert outbox.size == 3
    assert outbox.take() == b"abc"
    assert (outbox.size, outbox.take()) == (0, b"")


def test_a_newer_frame_takes_the_place_of_the_older_with_its_key() -> None:
    """The newest state is learned no later than the older one would have been; other keys stay."""
    outbox = Outbox(100)
    outbox.push(b"old", key="k")
    outbox.push(b"x")
    outbox.push(b"other", key="l")
    outbox.push(b"newest", key="k")
    assert outbox.size == len(b"newestxother")
    assert outbox.take() == b"newestxother"


def test_what_has_left_is_not_replaced() -> None:
    """After a write the same key is a new frame."""
    outbox = Outbox(100)
    outbox.push(b"x")
    outbox.push(b"first", key="k")
    outbox.take()
    outbox.push(b"y")
    outbox.push(b"second", key="k")
    assert outbox.take() == b"ysecond"


def test_more_than_the_limit_overflows_and_exactly_the_limit_does_not() -> None:
    """The bound is in bytes."""
    outbox = Outbox(4)
    outbox.push(b"1234")
    with pytest.raises(Overflow):
        outbox.push(b"5")


def test_a_longer_replacement_can_overflow_and_a_shorter_one_makes_room() -> None:
    """A replaced frame counts no more."""
    outbox = Outbox(4)
    outbox.push(b"123", key="k")
    outbox.push(b"1", key="k")
    outbox.push(b"234")
    with pytest.raises(Overflow):
        outbox.push(b"12", key="k")
