"""Judges a history: nothing acknowledged is lost, nothing is doubled or made up, and all see one order.

Pure: records in, violations out. It believes nobody: what a client saw is held against the store, what is
stored against what was sent, and pages of history against the database's own documents. What each
kind of violation means is in `KINDS`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.torture.history import (
    Acknowledged,
    Closed,
    Connected,
    Deleted,
    DeletionAsked,
    Disconnected,
    Failed,
    Joined,
    Left,
    Opened,
    Record,
    Resumed,
    Room,
    Seen,
    Sent,
    Stored,
)

KINDS: Final = {
    "lost": "acknowledged, and not in the store",
    "changed": "stored or seen otherwise than it was sent, acknowledged or stored",
    "doubled": "the same message twice, in the store or in a view",
    "phantom": "nobody who is named as its sender has sent it",
    "gap": "the numbers of a room in the store do not run from 1 without a gap",
    "missed": "a client was owed a message and has not seen it",
    "disorder": "a client saw messages in another order than the store's",
    "sender_order": "a sender's messages are not stored in the order in which they were sent",
    "incomplete": "told that it had missed nothing, or nothing, after a reconnect that lost something",
    "leaked": "a client saw a message of a room that it is not in",
    "deletion": "deleted and not asked for, or told wrongly, or not told to one who had seen it",
    "unsettled": "sent, and in the end neither acknowledged nor failed",
    "stuck": "a client that is not connected in the end, when nothing stands in its way",
}


@dataclass(frozen=True, slots=True)
class Violation:
    kind: str
    sentence: str
    evidence: tuple[Record, ...]


def check(records: Iterable[Record]) -> list[Violation]:
    """Every violation in a history that has ended: its clients were open and settled, and the store was read."""
    case = _Case(records)
    return [
        *case.stored(),
        *case.sent(),
        *case.acknowledged(),
        *case.sender_order(),
        *case.views(),
        *case.reconnects(),
        *case.deletions(),
    ]


@dataclass(slots=True)
class _Window:
    """A time in which a client is owed all of a room above `base`. What it saw is in the order of its seeing."""

    joined: Record | None
    base: int
    seen: list[Seen] = field(default_factory=list)
    # (how many had been seen, the event): what a reconnect claimed, and when.
    resumed: list[tuple[int, Resumed]] = field(default_factory=list)
    open: bool = True


class _Case:
    """A history, by what the questions ask for."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.rooms: dict[str, Room] = {}
        self.users: dict[str, str] = {}  # client → user
        self.sends: dict[str, list[Sent]] = defaultdict(list)  # client → in order
        self.sent_as: dict[tuple[str, str, str], Sent] = {}  # (room, user, client id)
        self.acks: list[Acknowledged] = []
        self.settled: set[tuple[str, str]] = set()  # (client, client id)
        self.store: dict[str, dict[str, list[Stored]]] = {
            "rest": defaultdict(list),
            "database": defaultdict(list),
        }
        self.windows: dict[tuple[str, str], list[_Window]] = defaultdict(list)  # (client, room)
        self.last_connected: dict[str, tuple[Connected, bool]] = {}  # and whether it is a reconnect
        self.away: dict[str, Record] = {}  # client → what began its not being connected
        self.resumed_since: dict[str, set[str]] = defaultdict(set)  # client → rooms since then
        self.joined_since: dict[str, set[str]] = defaultdict(set)
        self.asked: dict[str, DeletionAsked] = {}  # message id
        self.told: dict[tuple[str, str], Deleted] = {}  # (client, message id)
        self.strays: list[Seen] = []
        for record in records:
            self._take(record)
        self.truth = self.store["rest"]  # what people read; the database has no contents
        self.by_seq: dict[str, dict[int, Stored]] = {
            room: {each.seq: each for each in stored} for room, stored in self.truth.items()
        }

    def _take(self, record: Record) -> None:
        match record:
            case Seen(client=client, room=room):
                if window := self._window(client, room):
                    window.seen.append(record)
                else:
                    self.strays.append(record)
            case Sent(client=client, room=room, client_id=client_id):
                self.sends[client].append(record)
                self.sent_as[room, self.users[client], client_id] = record
            case Acknowledged(client=client, client_id=client_id):
                self.acks.append(record)
                self.settled.add((client, client_id))
            case Failed(client=client, client_id=client_id):
                self.settled.add((client, client_id))
            case Stored(source=source, room=room):
                self.store[source][room].append(record)
            case Room(room=room):
                self.rooms[room] = record
            case Opened(client=client, user=user):
                self.users[client] = user
                self.away[client] = record
                for each in self.rooms.values():
                    if user in each.members:
                        self.windows[client, each.room].append(_Window(None, 0))
            case Joined(client=client, room=room, last_seq=last_seq):
                self._join(record, client, room, last_seq)
            case Left(client=client, room=room):
                if window := self._window(client, room):
                    window.open = False
            case Closed(client=client):
                for (owner, _), windows in self.windows.items():
                    if owner == client:
                        windows[-1].open = False
                self.last_connected.pop(client, None)
                self.away.pop(client, None)
            case Connected(client=client):
                again = client in self.last_connected
                self.last_connected[client] = (record, again)
                self.resumed_since[client].clear()
                self.joined_since[client].clear()
                self.away.pop(client, None)
            case Disconnected(client=client):
                self.away[client] = record
            case Resumed(client=client, room=room):
                self.resumed_since[client].add(room)
                if window := self._window(client, room):
                    window.resumed.append((len(window.seen), record))
            case DeletionAsked(id=id):
                self.asked[id] = record
            case Deleted(client=client, id=id):
                self.told[client, id] = record

    def _join(self, record: Joined, client: str, room: str, last_seq: int) -> None:
        self.joined_since[client].add(room)
        window = self._window(client, room)
        if window is None:
            self.windows[client, room].append(_Window(record, last_seq))
        elif window.joined is None and not window.seen:
            # Of a session that is a member's anyway: a new device begins where the session is.
            window.joined, window.base = record, last_seq

    def _window(self, client: str, room: str) -> _Window | None:
        windows = self.windows.get((client, room))
        return windows[-1] if windows and windows[-1].open else None

    # The store

    def stored(self) -> Iterator[Violation]:
        for source, rooms in self.store.items():
            for stored in rooms.values():
                yield from self._numbers(source, stored)
                yield from self._once(source, stored)
        if self.store["rest"] and self.store["database"]:
            yield from self._agreement()
        for rooms in self.store.values():
            for stored in rooms.values():
                for each in stored:
                    yield from self._sent_by(each, each.sender, f"{each.room} has stored")

    def _numbers(self, source: str, stored: Sequence[Stored]) -> Iterator[Violation]:
        seqs = sorted(each.seq for each in stored)
        distinct = sorted(set(seqs))
        for expected, seq in enumerate(distinct, 1):
            if seq != expected:
                yield Violation(
                    "gap",
                    f"room {stored[0].room} ({source}): number {expected} is not there, {seq} is",
                    tuple(each for each in stored if each.seq in (seq, distinct[expected - 2])),
                )
                return  # every further number would be reported

    def _once(self, source: str, stored: Sequence[Stored]) -> Iterator[Violation]:
        first: dict[tuple[str, object], Stored] = {}
        for each in stored:
            keys: list[tuple[str, object]] = [("number", each.seq), ("id", each.id)]
            if each.client_id is not None:
                keys.append(("client id", (each.sender, each.client_id)))
            for key in keys:
                before = first.setdefault(key, each)
                if before is not each:
                    what, value = key
                    yield Violation(
                        "doubled",
                        f"room {each.room} ({source}): two messages have the {what} {value}",
                        (before, each),
                    )

    def _agreement(self) -> Iterator[Violation]:
        for room in self.store["rest"].keys() | self.store["database"].keys():
            pages = {(each.seq, each.id): each for each in self.store["rest"].get(room, ())}
            database = {(each.seq, each.id): each for each in self.store["database"].get(room, ())}
            for key in sorted(pages.keys() ^ database.keys()):
                where, absent = ("history", "the database") if key in pages else ("the database", "history")
                yield Violation(
                    "changed",
                    f"room {room}: {key[0]} is in {where} and not in {absent}",
                    (pages.get(key) or database[key],),
                )
            for key in sorted(pages.keys() & database.keys()):
                if (pages[key].content is None) != (database[key].content is None):
                    yield Violation(
                        "changed",
                        f"room {room}: {key[0]} is deleted in history or in the database, and not in the other",
                        (pages[key], database[key]),
                    )

    def _sent_by(self, message: Stored | Seen, sender: str | None, where: str) -> Iterator[Violation]:
        sent = self.sent_as.get((message.room, sender or "", message.client_id or ""))
        if isinstance(message, Stored) and message.content is None and sender is None:
            return  # history tells nothing more of a deleted one
        if sent is None:
            yield Violation("phantom", f"{where} a message that its sender has not sent", (message,))
        elif isinstance(message, Stored) and (message.source == "database" or message.content is None):
            return
        elif message.content != sent.content:
            yield Violation("changed", f"{where} another content than was sent", (message, sent))

    # What was sent and acknowledged

    def sent(self) -> Iterator[Violation]:
        for client, sends in self.sends.items():
            for sent in sends:
                if (client, sent.client_id) not in self.settled:
                    yield Violation(
                        "unsettled", f"{client} does not know what became of {sent.client_id}", (sent,)
                    )

    def acknowledged(self) -> Iterator[Violation]:
        sent_by = {(client, sent.client_id): sent for client, sends in self.sends.items() for sent in sends}
        first: dict[tuple[str, str], Acknowledged] = {}
        for ack in self.acks:
            key = (ack.client, ack.client_id)
            sent = sent_by.get(key)
            if sent is None:
                yield Violation("phantom", f"{ack.client} got an answer to what it did not send", (ack,))
                continue
            before = first.setdefault(key, ack)
            if (before.id, before.seq) != (ack.id, ack.seq):
                yield Violation(
                    "changed", f"{ack.client_id} was acknowledged twice, differently", (before, ack)
                )
                continue
            stored = self.by_seq.get(sent.room, {}).get(ack.seq)
            if stored is None or stored.id != ack.id:
                elsewhere = [each for each in self.truth.get(sent.room, ()) if each.id == ack.id]
                kind, what = ("changed", "at another number") if elsewhere else ("lost", "not at all")
                yield Violation(
                    kind,
                    f"{ack.client_id} was acknowledged as {ack.seq} of room {sent.room}, where it is {what}",
                    (sent, ack, *elsewhere, *([stored] if stored else [])),
                )
            elif stored.content is not None and stored.content != sent.content:
                yield Violation(
                    "changed", f"{ack.client_id} was acknowledged, and says something else", (sent, stored)
                )

    def sender_order(self) -> Iterator[Violation]:
        # Of deleted ones, too, the database knows who sent them.
        seq_of = {
            (each.room, each.sender, each.client_id): each.seq
            for stored in (*self.truth.values(), *self.store["database"].values())
            for each in stored
        }
        for client, sends in self.sends.items():
            last: dict[str, tuple[Sent, int]] = {}
            for sent in sends:
                seq = seq_of.get((sent.room, self.users[client], sent.client_id))
                if seq is None:
                    continue
                if sent.room in last and last[sent.room][1] > seq:
                    before, its = last[sent.room]
                    yield Violation(
                        "sender_order",
                        f"{client} sent {before.client_id} before {sent.client_id}, stored as {its} and {seq}",
                        (before, sent),
                    )
                last[sent.room] = (sent, seq)

    # What was seen

    def views(self) -> Iterator[Violation]:
        for seen in self.strays:
            yield Violation("leaked", f"{seen.client} is not in room {seen.room}", (seen,))
        for (client, room), windows in self.windows.items():
            stored = self.by_seq.get(room, {})
            for window in windows:
                yield from self._contents(client, window, stored)
                yield from self._order(client, window)
                yield from self._completeness(client, room, window, stored)

    def _contents(self, client: str, window: _Window, stored: dict[int, Stored]) -> Iterator[Violation]:
        for seen in window.seen:
            yield from self._sent_by(seen, seen.sender, f"{client} saw in {seen.room}")
            there = stored.get(seen.seq)
            if there is None or there.id != seen.id:
                yield Violation(
                    "phantom",
                    f"{client} saw {seen.seq} of room {seen.room}, which is not stored",
                    (seen, *([there] if there else [])),
                )
            elif there.content is not None and there.content != seen.content:
                yield Violation(
                    "changed", f"{client} saw {seen.seq} otherwise than it is stored", (seen, there)
                )

    def _order(self, client: str, window: _Window) -> Iterator[Violation]:
        """A view is in the store's order if its numbers rise, since each is the stored one (`_contents`)."""
        first: dict[int, Seen] = {}
        newest: Seen | None = None
        for seen in window.seen:
            if before := first.get(seen.seq):
                yield Violation("doubled", f"{client} saw {seen.seq} of {seen.room} twice", (before, seen))
                continue
            first[seen.seq] = seen
            if newest is not None and seen.seq < newest.seq:
                yield Violation(
                    "disorder",
                    f"{client} saw {seen.seq} of room {seen.room} after {newest.seq}",
                    (newest, seen),
                )
            elif seen.seq <= window.base:
                yield Violation(
                    "disorder",
                    f"{client} saw {seen.seq} of room {seen.room}, which it joined at {window.base}",
                    (*([window.joined] if window.joined else []), seen),
                )
            if newest is None or seen.seq > newest.seq:
                newest = seen

    def _completeness(
        self, client: str, room: str, window: _Window, stored: dict[int, Stored]
    ) -> Iterator[Violation]:
        """All that is stored and not deleted, from the base to the end, save what it was told that it misses."""
        owed = sorted(seq for seq, each in stored.items() if seq > window.base and each.content is not None)
        seen: set[int] = set()
        excused: set[int] = set()
        checked = place = 0  # how many of `owed` were asked about, and of `window.seen` were taken
        for so_far, resumed in window.resumed:
            seen.update(each.seq for each in window.seen[place:so_far])
            place = so_far
            if not resumed.complete:
                excused.update(range(max(seen, default=window.base) + 1, resumed.last_seq + 1))
                continue
            up_to = max(checked, bisect_right(owed, resumed.last_seq))
            absent = {*owed[checked:up_to]} - seen - excused
            checked = up_to
            if absent:
                yield Violation(
                    "incomplete",
                    f"{client} resumed room {room} up to {resumed.last_seq} without {_some(absent)}",
                    (resumed, *(stored[seq] for seq in sorted(absent)[:3])),
                )
        seen.update(each.seq for each in window.seen[place:])
        # To one who is in the room to the end, all is owed; to one who left, all up to the last it saw.
        end = len(owed) if window.open else bisect_right(owed, max(seen, default=window.base))
        absent = {*owed[:end]} - seen - excused
        if absent:
            yield Violation(
                "missed",
                f"{client} has not seen {_some(absent)} of room {room}",
                tuple(stored[seq] for seq in sorted(absent)[:3]),
            )

    def reconnects(self) -> Iterator[Violation]:
        """The last connection of each client lasts to the end, and has resumed every room of its."""
        for client, record in self.away.items():
            yield Violation("stuck", f"{client} is not connected in the end", (record,))
        for client, (connected, again) in self.last_connected.items():
            if not again or client in self.away:
                continue
            for (owner, room), windows in self.windows.items():
                told = room in self.resumed_since[client] or room in self.joined_since[client]
                if owner == client and windows[-1].open and not told:
                    yield Violation(
                        "incomplete",
                        f"{client} reconnected and was told nothing of room {room}",
                        (connected,),
                    )

    # What was deleted

    def deletions(self) -> Iterator[Violation]:
        gone = {each.id: each for stored in self.truth.values() for each in stored if each.content is None}
        for id, each in gone.items():
            if id not in self.asked:
                yield Violation("deletion", f"{each.seq} of room {each.room} was deleted by nobody", (each,))
        for (client, id), told in self.told.items():
            if id not in gone:
                yield Violation("deletion", f"{client} was told that {id} is deleted: it is not", (told,))
        for (client, _), windows in self.windows.items():
            if not windows[-1].open:
                continue
            for seen in windows[-1].seen:
                if seen.id in gone and (client, seen.id) not in self.told:
                    yield Violation(
                        "deletion",
                        f"{client} has seen {seen.seq} of room {seen.room} and not heard of its deletion",
                        (seen, gone[seen.id]),
                    )


def _some(seqs: set[int]) -> str:
    ordered = sorted(seqs)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(map(str, ordered[:5])) + more
