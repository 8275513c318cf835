"""What happened, as the clients saw it, and what was stored in the end: the records that the checker reads.

A history is a list of records in the order in which they were made. `History` also writes each as a line
of JSON to a file, so that a failed run can be looked at and checked again (`read`). Who judges it is
`checker`; who fills it are `people` and `world`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final, TextIO, TypeVar

# Longer contents are kept as their beginning and a digest: an hour's history has millions of them.
_TEXT_KEPT: Final = 24


def shortened(content: str) -> str:
    """A text that is the same for the same content alone, and short."""
    if len(content) <= 2 * _TEXT_KEPT:
        return content
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    return f"{content[:_TEXT_KEPT]}… {len(content)} characters, {digest}"


@dataclass(frozen=True, slots=True)
class Record:
    at: float = field(default_factory=monotonic, kw_only=True)  # seconds


# Who there is


@dataclass(frozen=True, slots=True)
class Room(Record):
    """A room: of its members all the time, or a land, which is of those who joined."""

    room: str
    kind: str
    members: tuple[str, ...] = ()  # user ids; none of a land


@dataclass(frozen=True, slots=True)
class Opened(Record):
    """A client (one device of a user) begins."""

    client: str
    user: str


@dataclass(frozen=True, slots=True)
class Closed(Record):
    """A client ends by itself: it is owed nothing more."""

    client: str


# Its connection


@dataclass(frozen=True, slots=True)
class Connected(Record):
    client: str


@dataclass(frozen=True, slots=True)
class Disconnected(Record):
    client: str
    code: int | None = None
    reason: str = ""


# Its rooms


@dataclass(frozen=True, slots=True)
class Joined(Record):
    """From here on it is owed every message above `last_seq`, until `Left`, whatever the connection does."""

    client: str
    room: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Left(Record):
    client: str
    room: str


@dataclass(frozen=True, slots=True)
class Resumed(Record):
    """After a reconnect. `complete`: all up to `last_seq` has been given to the user by now; if not, it is told."""

    client: str
    room: str
    last_seq: int
    complete: bool


# Its messages


@dataclass(frozen=True, slots=True)
class Sent(Record):
    """The user sends a message: from here on it is the client's."""

    client: str
    room: str
    client_id: str
    content: str


@dataclass(frozen=True, slots=True)
class Acknowledged(Record):
    client: str
    client_id: str
    id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Failed(Record):
    """The user is told that a message is given up; it may have been written all the same."""

    client: str
    client_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Seen(Record):
    """A message is given to the user."""

    client: str
    room: str
    seq: int
    id: str
    sender: str  # a user id
    client_id: str | None
    content: str


@dataclass(frozen=True, slots=True)
class DeletionAsked(Record):
    client: str
    room: str
    id: str


@dataclass(frozen=True, slots=True)
class Deleted(Record):
    """The user is told that a message was deleted."""

    client: str
    room: str
    id: str


# What was done to them


@dataclass(frozen=True, slots=True)
class Fault(Record):
    kind: str
    detail: str = ""
    clients: tuple[str, ...] = ()  # whom it hits; none named: all


@dataclass(frozen=True, slots=True)
class Healed(Record):
    """Ends the fault of this kind; where a process was ended, its start begins."""

    kind: str
    clients: tuple[str, ...] = ()


# What is there in the end


@dataclass(frozen=True, slots=True)
class Stored(Record):
    """A message in the store, as pages of history show it (`rest`) or as the database has it (`database`).

    A deleted one has no content. The database's is encrypted: it is `""` here.
    """

    source: str
    room: str
    seq: int
    id: str
    sender: str | None
    client_id: str | None
    content: str | None


KINDS: Final[dict[str, type[Record]]] = {kind.__name__: kind for kind in Record.__subclasses__()}

R = TypeVar("R", bound=Record)


class History:
    """The records of a run, in order."""

    def __init__(self, file: Path | None = None) -> None:
        self.records: list[Record] = []
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._file: TextIO | None = file.open("w", encoding="utf-8") if file is not None else None

    def add(self, record: Record) -> None:
        self.records.append(record)
        kind = type(record).__name__
        self.counts[kind] += 1
        if self._file is not None:
            line = {"record": kind, **{name: getattr(record, name) for name in _fields(type(record))}}
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def of(self, kind: type[R]) -> list[R]:
        return [record for record in self.records if isinstance(record, kind)]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read(file: Path) -> list[Record]:
    """The records of a history that was written to a file."""
    with file.open(encoding="utf-8") as lines:
        return [_record(json.loads(line)) for line in lines]


def _record(line: dict[str, Any]) -> Record:
    kind: Callable[..., Record] = KINDS[line.pop("record")]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in line.items()}
    return kind(**values)


_FIELDS: dict[type[Record], tuple[str, ...]] = {}


def _fields(kind: type[Record]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(each.name for each in dataclasses.fields(kind))
    return _FIELDS[kind]
