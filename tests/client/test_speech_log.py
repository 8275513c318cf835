"""Speech coming in, by values: in order and once, whatever way it comes by."""

from __future__ import annotations

from typing import Any

from client.speech_log import SpeechLog


def speech(*ids: str) -> list[dict[str, Any]]:
    return [{"id": id, "content": id} for id in ids]


class Ear:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.log = SpeechLog(lambda each: self.told.append(each["id"]))

    def take(self, *ids: str) -> None:
        for each in speech(*ids):
            self.log.receive(each)


def test_at_first_it_begins_where_the_server_says() -> None:
    """What is said meanwhile waits for that word; later ones change nothing."""
    ear = Ear()
    ear.log.hold()
    ear.take("b2", "b1")
    assert ear.told == []
    ear.log.begin("b0")
    ear.log.release()
    ear.log.begin("b9")
    ear.take("b3")
    assert ear.told == ["b1", "b2", "b3"]
    assert ear.log.last == "b3"


def test_what_comes_live_during_a_replay_waits_for_its_end() -> None:
    """And what comes by both ways, or was told before, is told once."""
    ear = Ear()
    ear.log.begin("0")
    ear.take("a1")
    ear.log.hold()
    ear.take("a5", "a2", "a3", "a5", "a1")
    assert (ear.told, ear.log.last) == (["a1"], "a1")
    ear.log.release()
    assert ear.told == ["a1", "a2", "a3", "a5"]


def test_a_replay_that_is_cut_short_comes_again() -> None:
    ear = Ear()
    ear.log.begin("0")
    ear.log.hold()
    ear.take("a1", "a9")
    ear.log.hold()
    ear.take("a1", "a2", "a9")
    ear.log.release()
    assert ear.told == ["a1", "a2", "a9"]


def test_a_listener_who_signs_out_is_told_nothing_more() -> None:
    """Of what is being released."""
    told: list[str] = []

    def listener(each: dict[str, Any]) -> None:
        told.append(each["id"])
        log.clear()

    log = SpeechLog(listener)
    log.begin("0")
    log.hold()
    for each in speech("a1", "a2"):
        log.receive(each)
    log.release()
    assert (told, log.last) == (["a1"], None)
