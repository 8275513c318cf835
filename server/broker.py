"""From a service that has something to tell, to the hubs whose connections should hear it.

A broker's `publish` encodes an event once and brings it to every node, its own included, where
`deliver` is called with the encoded bytes. On one node that is a plain call: one path serves one
node and many. Services publish here and never write to a connection that is not the asker's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from server.codec import encode


@dataclass(frozen=True, slots=True)
class ToRoom:
    """Every connection that has joined the room, save those of one user."""

    room_id: str
    but_user: str | None = None


@dataclass(frozen=True, slots=True)
class ToUsers:
    """Every connection of these users, save one."""

    user_ids: Collection[str]
    but_connection: str | None = None


@dataclass(frozen=True, slots=True)
class ToConnection:
    """One connection of one user, on whichever node it is."""

    user_id: str
    connection_id: str


Audience = ToRoom | ToUsers | ToConnection
Deliver = Callable[[Audience, bytes, Hashable | None], None]


class Broker(Protocol):
    """A port. Events of one publisher to one room arrive everywhere in the order of the calls."""

    def publish(self, audience: Audience, event: Mapping[str, Any], *, key: Hashable | None = None) -> None:
        """Tells `audience` of `event`; one with a `key` may be replaced by its newer while a reader is behind."""


class LocalBroker:
    """The broker of a single node."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def publish(self, audience: Audience, event: Mapping[str, Any], *, key: Hashable | None = None) -> None:
        self._deliver(audience, encode(event), key)
