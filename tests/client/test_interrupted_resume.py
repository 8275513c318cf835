"""A resume that is cut short is begun again from where it began."""

from __future__ import annotations

from typing import Any

from client.room_log import RoomLog


def message(seq: int) -> dict[str, Any]:
    return {"room_id": "land", "id": f"m{seq}", "seq": seq, "content": str(seq)}


def test_a_replay_that_is_cut_short_moves_no_place_to_resume_from() -> None:
    """Deletions come at its end: who resumed from the middle would be taken for one who has heard of them."""
    told: list[int] = []
    log = RoomLog(lambda each: told.append(each["seq"]), lambda room_id: None)
    log.follow("land", 5)
    log.receive(message(6))
    log.hold()
    assert log.settled("land") == 6
    log.receive(message(7))
    log.hold()  # another connection, before `resumed` came
    assert (log.settled("land"), log.seq("land")) == (6, 7)
    for seq in (7, 8):
        log.receive(message(seq))
    log.cover("land", 8)
    log.hold()
    assert log.settled("land") == 8
    assert told == [6, 7, 8]
