"""The values that go in and out of storage.

Plain frozen records: no BSON type, no ObjectId and no ciphertext leaves this package through
them. Every time is an integer: milliseconds since the Unix epoch, UTC. Every id is an opaque
string made by the caller (`server.ids`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SessionKind = Literal["land", "private", "group"]
Access = Literal["open", "invited"]


@dataclass(frozen=True, slots=True)
class User:
    """A person. An erased account keeps its id alone: every name and secret is None."""

    id: str
    username: str | None
    display_name: str | None
    password_hash: str | None  # None too where an identity provider vouches for the person
    created_at: int
    subject: str | None = None  # the identity provider's `sub`, where there is one
    invisible: bool = False
    share_location: bool = True
    last_seen: int | None = None

    @property
    def erased(self) -> bool:
        return self.username is None


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in of one person: the family that its refresh tokens belong to."""

    id: str
    user_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Land:
    """A half-open rectangle `[x, x + width) × [y, y + height)` of a world."""

    id: str
    world_id: str
    name: str
    x: float
    y: float
    width: float
    height: float
    owner_id: str | None  # None once the owner's account is erased
    access: Access
    invited: frozenset[str]
    created_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """A chat room that lasts. A land's session has the land's own id."""

    id: str
    kind: SessionKind
    name: str | None
    members: tuple[str, ...]  # empty for a land
    maker_id: str | None
    created_at: int
    last_seq: int
    active_at: int  # its newest message's time, or its own creation: what lists are sorted by


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is about to be written; `seq` is decided by the writer."""

    id: str
    session_id: str
    kind: SessionKind
    sender_id: str
    content: str
    created_at: int
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as stored. `content` is None once it is deleted."""

    id: str
    session_id: str
    seq: int
    sender_id: str
    content: str | None
    created_at: int
    client_id: str | None = None

    @property
    def deleted(self) -> bool:
        return self.content is None


@dataclass(frozen=True, slots=True)
class Speech:
    """Something said aloud, and who could hear it. `content` is None where it cannot be read any more."""

    id: str  # before it is written: the least that it may get
    sender_id: str
    listeners: tuple[str, ...]  # the sender among them, in an order that says nothing
    content: str | None
    place: tuple[float, float] | None  # where it was said, as others may know it
    created_at: int
    client_id: str | None = None
