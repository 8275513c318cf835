"""The order of messages, as plain values: live ones, replayed ones and history, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from client.room_log import Message, RoomLog


class Followed:
    """A room that is followed, what it has delivered, and how often it asked for history."""

    def __init__(self, seq: int = 0) -> None:
        self.seen: list[int] = []
        self.gaps = 0
        self.log = RoomLog(self._deliver, self._gap)
        self.log.follow("room", seq)

    def _deliver(self, message: Message) -> None:
        self.seen.append(message["seq"])

    def _gap(self, room_id: str) -> None:
        assert room_id == "room"
        self.gaps += 1

    def receive(self, *seqs: int) -> list[int]:
        for seq in seqs:
            self.log.receive(message(seq))
        return self.seen

    def history(self, *seqs: int) -> list[int]:
        self.log.advance("room", [message(seq) for seq in seqs])
        return self.seen

    def cover(self, upto: int) -> list[int]:
        self.log.cover("room", upto)
        return self.seen


def message(seq: int) -> dict[str, Any]:
    return {"id": f"id-{seq}", "room_id": "room", "seq": seq, "content": str(seq)}


def test_what_comes_in_order_is_told_at_once_and_once() -> None:
    room = Followed(4)
    assert room.receive(5, 6, 6, 5, 4, 7) == [5, 6, 7]
    assert room.gaps == 0
    assert room.log.seq("room") == 7


def test_following_again_keeps_the_place() -> None:
    room = Followed(4)
    room.receive(5)
    room.log.follow("room", 9)
    assert room.receive(6) == [5, 6]


def test_what_skips_ahead_waits_for_history() -> None:
    """History is asked for once, whatever else comes meanwhile."""
    room = Followed()
    assert room.receive(1, 4, 5, 7) == [1]
    assert (room.gaps, room.log.highest("room")) == (1, 7)
    assert room.history(2, 3, 4) == [1, 2, 3, 4]
    assert room.history(5, 6, 7) == [1, 2, 3, 4, 5, 6, 7]
    assert room.cover(7) == [1, 2, 3, 4, 5, 6, 7]
    assert room.receive(8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert room.gaps == 1


def test_a_gap_in_history_is_a_message_that_is_no_more() -> None:
    """Retention has purged 2 and 3, and 6 before it was read."""
    room = Followed()
    room.receive(1, 5, 7)
    room.history(4, 5)
    assert room.cover(7) == [1, 4, 5, 7]
    assert room.gaps == 1


def test_a_gap_that_opens_while_history_is_read_is_read_next() -> None:
    room = Followed()
    room.receive(3)
    room.history(1, 2, 3)
    room.receive(6)
    assert room.cover(3) == [1, 2, 3]
    assert room.gaps == 2


def test_a_resume_holds_back_what_is_live_and_covers_what_is_gone() -> None:
    """9 is live and comes first; of what was missed 6 was deleted; nothing is asked for."""
    room = Followed(4)
    room.log.hold()
    assert room.receive(9, 5, 7) == [5]
    assert room.receive(8) == [5]
    assert room.cover(8) == [5, 7, 8, 9]
    assert room.gaps == 0


def test_a_resume_that_was_cut_off_is_done_again_from_what_was_delivered() -> None:
    """What was held back is not told before its turn by the next connection either."""
    room = Followed(4)
    room.log.hold()
    room.receive(5, 9)
    assert room.log.seq("room") == 5
    room.log.hold()
    assert room.receive(6, 7, 8) == [5, 6, 7, 8]
    assert room.cover(8) == [5, 6, 7, 8]
    assert room.receive(9) == [5, 6, 7, 8, 9]
    assert room.gaps == 0


def test_what_is_deleted_before_its_turn_is_not_told() -> None:
    """Whether it is held back or still to come; nor is it missed."""
    room = Followed()
    room.log.hold()
    room.receive(3)
    room.log.deleted("room", 3)
    room.log.deleted("room", 4)
    room.log.deleted("elsewhere", 1)
    assert room.receive(4, 5, 1, 2) == [1, 2, 5]
    assert room.cover(5) == [1, 2, 5]
    assert room.gaps == 0


def test_catching_up_asks_only_where_something_is_missing() -> None:
    room = Followed(4)
    room.log.catch_up("room", 4)
    assert room.gaps == 0
    room.log.catch_up("room", 6)
    room.log.catch_up("room", 6)
    assert room.gaps == 1


def test_a_server_that_was_restored_from_a_backup_counts_on_from_there() -> None:
    room = Followed(10)
    room.log.hold()
    room.log.go_back("room", 7)
    room.cover(7)
    assert room.receive(8) == [8]


def test_a_listener_may_leave_the_room() -> None:
    """Nothing more of it is told, wherever it came from."""
    seen: list[int] = []

    def deliver(message: Message) -> None:
        seen.append(message["seq"])
        log.forget("room")

    log = RoomLog(deliver, lambda room_id: None)
    steps: list[Callable[[], None]] = [
        lambda: log.receive(message(1)),
        lambda: log.cover("room", 9),
        lambda: log.advance("room", [message(1), message(2)]),
    ]
    for step in steps:
        log.follow("room", 0)
        log.hold()
        for seq in (2, 3):
            log.receive(message(seq))
        step()
        assert "room" not in log
    assert seen == [1, 2, 1]


@given(st.permutations(range(1, 13)), st.integers(0, 12), st.sets(st.integers(1, 12)))
def test_any_order_with_a_replay_is_told_in_order_and_once(
    live: list[int], last_seq: int, deleted: set[int]
) -> None:
    """Live ones above `last_seq` come mixed into the replay of those up to it; some are deleted before."""
    room = Followed()
    room.log.hold()
    replay = iter([seq for seq in range(1, last_seq + 1) if seq not in deleted])
    for seq in live:
        if seq > last_seq:
            room.receive(seq)
        elif (replayed := next(replay, None)) is not None:
            room.receive(replayed)
    room.receive(*replay)
    room.cover(last_seq)
    assert room.seen == [seq for seq in range(1, 13) if seq > last_seq or seq not in deleted]
    assert room.gaps == 0
