"""The checker finds what is wrong with a history, each kind of it, and nothing in a clean one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.torture.checker import KINDS, Violation, check
from tests.torture.history import (
    Acknowledged,
    Closed,
    Connected,
    Deleted,
    DeletionAsked,
    Disconnected,
    Failed,
    History,
    Joined,
    Left,
    Opened,
    Record,
    Resumed,
    Room,
    Seen,
    Sent,
    Stored,
    read,
    shortened,
)

LAND, PRIVATE = "land", "private"
R = TypeVar("R", bound=Record)


class Story:
    """A server that makes no mistake, and clients of it; `records` is a clean history at any time after `end`."""

    def __init__(self) -> None:
        self.records: list[Record] = [Room(LAND, "land"), Room(PRIVATE, "private", ("ann", "bob"))]
        self.rooms: dict[str, list[Stored]] = {LAND: [], PRIVATE: []}
        self.client_ids: dict[str, str] = {}  # message id → client id
        self.inside: dict[str, dict[str, int]] = {}  # client → room → how far it has seen
        self.online: set[str] = set()
        self.missed: dict[str, list[str]] = {}  # client → ids of what was deleted while it was away
        self.had: set[tuple[str, str]] = set()

    def open(self, client: str) -> None:
        user = client.partition("/")[0]
        self.records += [Opened(client, user), Connected(client)]
        self.online.add(client)
        self.missed[client] = []
        self.inside[client] = {}
        if user in ("ann", "bob"):
            self.join(client, PRIVATE)

    def join(self, client: str, room: str) -> None:
        last_seq = len(self.rooms[room])
        self.records.append(Joined(client, room, last_seq))
        self.inside[client][room] = last_seq

    def leave(self, client: str, room: str) -> None:
        self.records.append(Left(client, room))
        del self.inside[client][room]

    def say(self, client: str, room: str, *, acknowledged: bool = True) -> str:
        stored = self.rooms[room]
        user = client.partition("/")[0]
        seq = len(stored) + 1
        client_id, id = f"{client}-{room}-{seq}", f"{room}-{seq}"
        self.records.append(Sent(client, room, client_id, f"content {seq}"))
        stored.append(Stored("rest", room, seq, id, user, client_id, f"content {seq}"))
        self.client_ids[id] = client_id
        for other in self.online:
            self._catch_up(other, room)
        if acknowledged:
            self.records.append(Acknowledged(client, client_id, id, seq))
        else:
            self.records.append(Failed(client, client_id, "unavailable"))
        return id

    def _catch_up(self, client: str, room: str) -> None:
        if room not in self.inside[client]:
            return
        for each in self.rooms[room][self.inside[client][room] :]:
            if each.content is not None:
                assert each.sender is not None
                self.records.append(
                    Seen(client, room, each.seq, each.id, each.sender, each.client_id, each.content)
                )
                self.had.add((client, each.id))
        self.inside[client][room] = len(self.rooms[room])

    def delete(self, client: str, id: str) -> None:
        room, _, seq = id.rpartition("-")
        stored = self.rooms[room]
        stored[int(seq) - 1] = replace(stored[int(seq) - 1], content=None, sender=None, client_id=None)
        self.records.append(DeletionAsked(client, room, id))
        for other in self.inside:
            if (other, id) in self.had:
                if other in self.online:
                    self.records.append(Deleted(other, room, id))
                else:
                    self.missed[other].append(id)

    def cut(self, client: str) -> None:
        self.records.append(Disconnected(client, 1006))
        self.online.remove(client)

    def back(self, client: str, *, complete: bool = True) -> None:
        self.records.append(Connected(client))
        self.online.add(client)
        for room in self.inside[client]:
            if not complete:
                self.inside[client][room] = len(self.rooms[room])
            self._catch_up(client, room)
            self.records.append(Resumed(client, room, len(self.rooms[room]), complete))
        self.records += [Deleted(client, id.rpartition("-")[0], id) for id in self.missed[client]]
        self.missed[client].clear()

    def end(self) -> list[Record]:
        for client in self.inside.keys() - self.online:
            self.back(client)
        senders = {record.client_id: record.client for record in self.records if isinstance(record, Sent)}
        for stored in self.rooms.values():
            self.records += stored
            for each in stored:
                client_id = self.client_ids[each.id]
                self.records.append(
                    replace(
                        each,
                        source="database",
                        sender=senders[client_id].partition("/")[0],
                        client_id=client_id,
                        content=None if each.content is None else "",
                    )
                )
        return self.records


def story() -> Story:
    """Two devices of Ann's, Bob and Cyd; one reconnect that missed something, one deletion, one failure."""
    story = Story()
    for client in ("ann/1", "ann/2", "bob/1", "cyd/1"):
        story.open(client)
    story.say("ann/1", PRIVATE)
    for client in ("ann/1", "bob/1"):
        story.join(client, LAND)
    for _ in range(3):
        story.say("ann/1", LAND)
        story.say("bob/1", LAND)
    story.join("cyd/1", LAND)
    story.say("cyd/1", LAND)
    story.cut("bob/1")
    story.say("ann/1", LAND)
    gone = story.say("ann/2", PRIVATE)
    story.say("cyd/1", LAND, acknowledged=False)
    story.back("bob/1")
    story.say("bob/1", LAND)
    story.delete("ann/2", gone)
    return story


@pytest.fixture
def clean() -> list[Record]:
    return story().end()


def kinds(records: list[Record]) -> set[str]:
    violations = check(records)
    assert {violation.kind for violation in violations} <= KINDS.keys()
    for violation in violations:
        assert violation.sentence and violation.evidence
    return {violation.kind for violation in violations}


def changed(
    records: list[Record], kind: type[R], fits: Callable[[R], bool], *instead: Callable[[R], Record]
) -> list[Record]:
    """The history with the first record that fits replaced."""
    for place, record in enumerate(records):
        if isinstance(record, kind) and fits(record):
            return [*records[:place], *(make(record) for make in instead), *records[place + 1 :]]
    raise AssertionError(f"no {kind.__name__} fits")


def test_a_clean_history(clean: list[Record]) -> None:
    """Nothing is wrong with clients that come back, a message that failed and was stored, and a deletion."""
    assert check(clean) == []


def test_a_history_comes_back_from_its_file(tmp_path: Path, clean: list[Record]) -> None:
    """What is written to a file is read as the same records."""
    history = History(tmp_path / "history.jsonl")
    for record in clean:
        history.add(record)
    history.close()
    assert read(tmp_path / "history.jsonl") == clean
    assert history.of(Left) == [] and len(history.of(Resumed)) == history.counts["Resumed"] > 0


def test_long_contents_are_kept_short() -> None:
    """Two contents have the same short form if they are the same."""
    assert shortened("hello") == "hello"
    assert shortened("a" * 4000) == shortened("a" * 4000) != shortened("a" * 3999 + "b")
    assert len(shortened("a" * 4000)) < 100


def test_acknowledged_and_not_stored(clean: list[Record]) -> None:
    """A message that was acknowledged and is not in the store is lost."""
    last = len([each for each in clean if isinstance(each, Stored) and each.room == LAND]) // 2
    without = [
        each
        for each in clean
        if not (isinstance(each, Stored | Seen) and each.room == LAND and each.seq == last)
    ]
    assert kinds(without) == {"lost"}


def test_acknowledged_as_another(clean: list[Record]) -> None:
    """The acknowledgement's number and id are the store's."""
    assert kinds(changed(clean, Acknowledged, lambda ack: ack.seq == 2, lambda ack: replace(ack, seq=3))) == {
        "changed"
    }
    assert kinds(
        changed(clean, Acknowledged, lambda ack: ack.seq == 2, lambda ack: replace(ack, id="other"))
    ) == {"lost"}
    twice = changed(
        clean,
        Acknowledged,
        lambda ack: ack.seq == 2,
        lambda ack: ack,
        lambda ack: replace(ack, seq=ack.seq + 1),
    )
    assert kinds(twice) == {"changed"}


def test_acknowledged_and_not_sent(clean: list[Record]) -> None:
    """An acknowledgement answers what its client sent."""
    assert kinds([*clean, Acknowledged("ann/1", "never sent", "land-1", 1)]) == {"phantom"}


def test_stored_with_another_content(clean: list[Record]) -> None:
    """What is stored is what was sent."""
    other = changed(
        clean, Stored, lambda each: each.seq == 3, lambda each: replace(each, content="something else")
    )
    assert kinds(other) == {"changed"}


@pytest.mark.parametrize("source", ["rest", "database"])
def test_stored_twice(clean: list[Record], source: str) -> None:
    """No number, no id, no client id of a sender comes twice in a room, whoever is asked."""

    def its(each: Stored) -> bool:
        return (each.source, each.room, each.seq) == (source, LAND, 3)

    for what, other in (
        ("client id", {"id": "x", "seq": 11}),
        ("number", {"id": "x"}),
        ("id", {"seq": 11}),
    ):
        twice = changed(clean, Stored, its, lambda each: each, partial(replace, **other))
        said = f"({source}): two messages have the {what} "
        assert any(found.kind == "doubled" and said in found.sentence for found in check(twice))


def test_a_gap_in_the_numbers(clean: list[Record]) -> None:
    """The numbers of a room begin with 1 and leave none out."""
    later = [
        replace(each, seq=each.seq + (each.room == LAND and each.seq > 2))
        if isinstance(each, Stored | Seen)
        else each
        for each in clean
    ]
    assert "gap" in kinds(later)
    headless = [
        each
        for each in clean
        if not (isinstance(each, Stored | Seen) and each.room == PRIVATE and each.seq == 1)
    ]
    assert kinds(headless) == {"gap", "lost"}


def test_history_and_database_differ(clean: list[Record]) -> None:
    """Pages show what the database has, deletions included."""

    def its(each: Stored) -> bool:
        return (each.source, each.room, each.seq) == ("database", LAND, 10)

    assert kinds(changed(clean, Stored, its)) == {"changed"}
    assert kinds(changed(clean, Stored, its, lambda each: replace(each, content=None))) == {"changed"}


def test_phantoms(clean: list[Record]) -> None:
    """What is stored or seen was sent, by the one it is said to be of."""
    stranger = changed(clean, Stored, lambda each: each.seq == 3, lambda each: replace(each, sender="bob"))
    assert kinds(stranger) == {"phantom"}
    unheard = changed(
        clean,
        Seen,
        lambda seen: seen.seq == 3,
        lambda seen: seen,
        lambda seen: replace(seen, seq=99, client_id="x", id="x"),
    )
    assert "phantom" in kinds(unheard)
    renamed = changed(clean, Seen, lambda seen: seen.seq == 3, lambda seen: replace(seen, sender="bob"))
    assert kinds(renamed) == {"phantom"}


def test_seen_otherwise_than_stored(clean: list[Record]) -> None:
    """What is seen is what is stored under its number."""
    other = changed(clean, Seen, lambda seen: seen.seq == 3, lambda seen: replace(seen, content="else"))
    assert kinds(other) == {"changed"}


@pytest.mark.parametrize("client", ["ann/1", "bob/1", "cyd/1"])
def test_missed(clean: list[Record], client: str) -> None:
    """Everybody in a room sees all that is stored from their joining on."""
    missed = changed(clean, Seen, lambda seen: (seen.client, seen.seq) == (client, 10))
    assert kinds(missed) == {"missed"}


def test_missed_by_another_device(clean: list[Record]) -> None:
    """A member's devices are owed a session's messages without having joined it."""
    without = [
        each
        for each in clean
        if not (isinstance(each, Joined) and each.room == PRIVATE and each.last_seq == 0)
    ]
    assert check(without) == []
    missed = changed(without, Seen, lambda seen: (seen.client, seen.room) == ("ann/2", PRIVATE))
    assert kinds(missed) == {"missed"}


def test_nothing_is_owed_to_those_who_left() -> None:
    """One who leaves is owed nothing more, and one who closed; what came before is theirs without a gap."""
    tale = Story()
    for client in ("ann/1", "bob/1", "cyd/1"):
        tale.open(client)
        tale.join(client, LAND)
    for _ in range(3):
        tale.say("ann/1", LAND)
    tale.leave("cyd/1", LAND)
    tale.cut("bob/1")
    del tale.inside["bob/1"]
    tale.records.append(Closed("bob/1"))
    tale.say("ann/1", LAND)
    tale.join("cyd/1", LAND)
    tale.say("ann/1", LAND)
    records = tale.end()
    assert check(records) == []
    assert kinds(changed(records, Seen, lambda seen: (seen.client, seen.seq) == ("cyd/1", 2))) == {"missed"}
    assert kinds(changed(records, Seen, lambda seen: (seen.client, seen.seq) == ("bob/1", 2))) == {"missed"}
    assert kinds(changed(records, Seen, lambda seen: (seen.client, seen.seq) == ("cyd/1", 5))) == {"missed"}


def test_seen_twice(clean: list[Record]) -> None:
    """A message comes to a client's user once."""
    twice = changed(clean, Seen, lambda seen: seen.seq == 4, lambda seen: seen, lambda seen: seen)
    assert kinds(twice) == {"doubled"}


def test_seen_in_another_order(clean: list[Record]) -> None:
    """Every view is in the order of the store."""
    views = [
        place
        for place, each in enumerate(clean)
        if isinstance(each, Seen) and each.client == "ann/1" and each.room == LAND
    ]
    first, second = views[2:4]
    swapped = list(clean)
    swapped[first], swapped[second] = clean[second], clean[first]
    assert kinds(swapped) == {"disorder"}


def test_seen_from_before_joining(clean: list[Record]) -> None:
    """Live messages are those after the joining."""
    early = next(each for each in clean if isinstance(each, Seen) and each.room == LAND)
    place = next(
        place for place, each in enumerate(clean) if isinstance(each, Joined) and each.client == "cyd/1"
    )
    assert kinds([*clean[: place + 1], replace(early, client="cyd/1"), *clean[place + 1 :]]) == {"disorder"}


def test_the_order_of_a_sender(clean: list[Record]) -> None:
    """What one client sent to a room is stored in that order; between its rooms there is none."""
    sent = [
        place
        for place, each in enumerate(clean)
        if isinstance(each, Sent) and each.client == "ann/1" and each.room == LAND
    ]
    swapped = list(clean)
    swapped[sent[0]], swapped[sent[1]] = clean[sent[1]], clean[sent[0]]
    assert kinds(swapped) == {"sender_order"}


def test_a_reconnect_that_lies(clean: list[Record]) -> None:
    """`complete` means that all up to `last_seq` has come by then, not later."""
    place = next(place for place, each in enumerate(clean) if isinstance(each, Resumed) and each.room == LAND)
    resumed = clean[place]
    early = next(
        number
        for number in range(place, 0, -1)
        if isinstance(each := clean[number], Seen) and (each.client, each.room) == ("bob/1", LAND)
    )
    moved = [*clean[:early], resumed, clean[early], *clean[early + 1 : place], *clean[place + 1 :]]
    assert kinds(moved) == {"incomplete"}


def test_a_reconnect_that_says_nothing(clean: list[Record]) -> None:
    """After a reconnect every room is told of."""
    assert kinds(changed(clean, Resumed, lambda resumed: resumed.room == LAND)) == {"incomplete"}


def test_a_reconnect_that_says_so() -> None:
    """What was missed is excused where it is told, and no more than that."""
    tale = Story()
    for client in ("ann/1", "bob/1"):
        tale.open(client)
        tale.join(client, LAND)
    tale.say("ann/1", LAND)
    tale.cut("bob/1")
    for _ in range(3):
        tale.say("ann/1", LAND)
    tale.back("bob/1", complete=False)
    tale.say("ann/1", LAND)
    records = tale.end()
    assert check(records) == []
    assert kinds(changed(records, Seen, lambda seen: (seen.client, seen.seq) == ("bob/1", 5))) == {"missed"}


def test_leaks(clean: list[Record]) -> None:
    """Nobody sees what is said in a room that they are not in."""
    private = next(each for each in clean if isinstance(each, Seen) and each.room == PRIVATE)
    assert kinds([*clean, replace(private, client="cyd/1")]) == {"leaked"}


def test_deletions(clean: list[Record]) -> None:
    """Deleted is what was asked for, told of once it is so, and to all who had it."""
    assert kinds(changed(clean, DeletionAsked, lambda _: True)) == {"deletion"}
    assert kinds(changed(clean, Deleted, lambda _: True)) == {"deletion"}
    assert kinds([*clean, Deleted("ann/1", LAND, "land-1")]) == {"deletion"}


def test_unsettled(clean: list[Record]) -> None:
    """A client knows in the end what became of what it sent."""
    assert kinds(changed(clean, Acknowledged, lambda ack: ack.seq == 2)) == {"unsettled"}
    assert kinds(changed(clean, Failed, lambda _: True)) == {"unsettled"}


def test_stuck(clean: list[Record]) -> None:
    """Everybody is connected in the end who has not ended by itself."""
    assert kinds([*clean, Disconnected("bob/1", 1006)]) == {"stuck"}
    assert kinds([*clean, Opened("eve/1", "eve")]) == {"stuck"}
    assert check([*clean, Disconnected("bob/1", 1006), Closed("bob/1")]) == []


# Any clean history, any corruption of it

CLIENTS = ("ann/1", "ann/2", "bob/1", "cyd/1")
STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "say", "say", "cut", "back", "delete"]), st.integers(0, 10_000)),
    min_size=5,
    max_size=60,
)


def told(steps: list[tuple[str, int]]) -> list[Record]:
    tale = Story()
    for client in CLIENTS:
        tale.open(client)
        tale.join(client, LAND)
    said = [(client, tale.say(client, room)) for client, room in (("ann/1", LAND), ("bob/1", PRIVATE))]
    for what, number in steps:
        online, away = sorted(tale.online), sorted(tale.inside.keys() - tale.online)
        if what == "say" and online:
            client = online[number % len(online)]
            said.append(
                (
                    client,
                    tale.say(client, sorted(tale.inside[client])[number // 7 % len(tale.inside[client])]),
                )
            )
        elif what == "cut" and online:
            tale.cut(online[number % len(online)])
        elif what == "back" and away:
            tale.back(away[number % len(away)])
        elif what == "delete" and said and online:
            client, id = said.pop(number % len(said))
            tale.delete(client, id)
    return tale.end()


def _deleted(records: list[Record]) -> set[str]:
    return {each.id for each in records if isinstance(each, DeletionAsked)}


# Each makes a clean history wrong by one record: which kind it takes, which of these, and what stands there instead.
CORRUPTIONS: dict[str, tuple[type[Record], Callable[[list[Record]], Callable[[Record], list[Record]]]]] = {
    # A view need not have what was deleted, so only what is there can be missed.
    "a view lacks one": (
        Seen,
        lambda records: lambda seen: [seen] if getattr(seen, "id", "") in _deleted(records) else [],
    ),
    "a view has one twice": (Seen, lambda records: lambda seen: [seen, seen]),
    "a view has another": (Seen, lambda records: lambda seen: [seen, replace(seen, id="x", seq=9999)]),  # type: ignore[call-arg]
    "a view says otherwise": (Seen, lambda records: lambda seen: [replace(seen, content="x")]),  # type: ignore[call-arg]
    "a view names another": (Seen, lambda records: lambda seen: [replace(seen, sender="eve")]),  # type: ignore[call-arg]
    "the store lacks one": (Stored, lambda records: lambda stored: []),
    "the store has one twice": (Stored, lambda records: lambda stored: [stored, replace(stored, id="x")]),  # type: ignore[call-arg]
    "the store has another number": (Stored, lambda records: lambda stored: [replace(stored, seq=9999)]),  # type: ignore[call-arg]
    "an acknowledgement has another number": (
        Acknowledged,
        lambda records: lambda ack: [replace(ack, seq=9999)],  # type: ignore[call-arg]
    ),
    "an acknowledgement does not come": (Acknowledged, lambda records: lambda ack: []),
    "nobody sent it": (Sent, lambda records: lambda sent: []),
}


@given(
    steps=STEPS,
    corruption=st.sampled_from(sorted(CORRUPTIONS)),
    place=st.integers(0, 10_000),
)
def test_any_corruption_of_any_clean_history(
    steps: list[tuple[str, int]], corruption: str, place: int
) -> None:
    """A story told without mistakes is clean; one record taken out, doubled or altered is found."""
    records = told(steps)
    assert check(records) == []
    kind, making = CORRUPTIONS[corruption]
    corrupt = making(records)
    places = [
        number
        for number, record in enumerate(records)
        if isinstance(record, kind) and corrupt(record) != [record]
    ]
    assume(places)  # else all of them are deleted
    at = places[place % len(places)]
    found: list[Violation] = check([*records[:at], *corrupt(records[at]), *records[at + 1 :]])
    assert found, f"{corruption}: {records[at]}"
