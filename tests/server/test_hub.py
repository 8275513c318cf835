"""The hub's books: connections, users, rooms, and who gets a frame."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import cast

import pytest

from server.broker import Audience, ToConnection, ToRoom, ToUsers
from server.errors import LOGGED_OUT, Close
from server.frames import text_frame
from server.hub import Connection, Hub
from server.outbox import Batch


class Kept(Connection):
    """A connection that keeps what it is sent."""

    __slots__ = ("batches", "ended", "frames")

    def __init__(self, id: str, user_id: str, login_id: str = "login") -> None:
        super().__init__(id, user_id, login_id, expires_at=0, now=0)
        self.frames: list[tuple[bytes, Hashable | None]] = []
        self.batches: list[Batch] = []
        self.ended: Close | None = None

    @property
    def backlog(self) -> int:
        return sum(len(frame) for frame, _ in self.frames)

    @property
    def behind(self) -> bool:
        return False

    def send(self, frame: bytes, key: Hashable | None = None) -> None:
        self.frames.append((frame, key))

    def close(self, close: Close) -> None:
        self.ended = close


@pytest.fixture
def counts() -> list[int]:
    return []


@pytest.fixture
def hub(counts: list[int]) -> Hub:
    hub = Hub(counts.append)

    def share(batch: Batch, connections: Collection[Connection]) -> None:
        for connection in connections:
            cast("Kept", connection).batches.append(batch)

    hub.share = share
    return hub


def attached(hub: Hub, *names: str) -> list[Kept]:
    """Connections called `user/number`."""
    connections = [Kept(name, name.partition("/")[0]) for name in names]
    for connection in connections:
        hub.attach(connection)
    return connections


def test_the_first_and_the_last_connection_of_a_user_are_told_apart(hub: Hub) -> None:
    """Presence hangs on these two answers."""
    one, two = Kept("a/1", "a"), Kept("a/2", "a")
    assert hub.attach(one)
    assert not hub.attach(two)
    assert (hub.connection_count, hub.user_count, hub.is_online("a")) == (2, 1, True)
    assert not hub.detach(one)
    assert hub.detach(two)
    assert (hub.connection_count, hub.user_count, hub.is_online("a")) == (0, 0, False)
    assert list(hub) == hub.of_user("a") == []


def test_joins_and_leaves_are_counted_by_user(hub: Hub) -> None:
    """A second connection, joining twice, and leaving an unjoined room are no news."""
    one, two = attached(hub, "a/1", "a/2")
    assert not hub.leave(one, "r")
    assert hub.join(one, "r")
    assert not hub.join(one, "r")
    assert not hub.join(two, "r")
    assert dict(hub.present("r")) == {"a": 2}
    assert not hub.leave(one, "r")
    assert not hub.leave(one, "r")
    assert hub.leave(two, "r")
    assert (dict(hub.present("r")), hub.in_room("r"), hub.room_count) == ({}, [], 0)


def test_the_longest_present_come_first_and_coming_back_starts_anew(hub: Hub) -> None:
    """A second connection keeps the place of the first."""
    a, b, a2 = attached(hub, "a/1", "b/1", "a/2")
    hub.join(a, "r")
    hub.join(b, "r")
    hub.join(a2, "r")
    hub.leave(a, "r")
    assert list(hub.present("r")) == ["a", "b"]
    hub.leave(a2, "r")
    hub.join(a, "r")
    assert list(hub.present("r")) == ["b", "a"]


@pytest.mark.parametrize(
    ("audience", "receivers"),
    [
        (ToRoom("r"), {"a/1", "b/1"}),
        (ToRoom("r", but_user="a"), {"b/1"}),
        (ToRoom("nowhere"), set()),
        (ToUsers(["a", "nobody"]), {"a/1", "a/2"}),
        (ToUsers(["a", "b"], but_connection="a/2"), {"a/1", "b/1"}),
        (ToConnection("a", "a/2"), {"a/2"}),
        (ToConnection("b", "a/2"), set()),
    ],
)
def test_each_connection_of_an_audience_gets_the_same_frame_once(
    hub: Hub, counts: list[int], audience: Audience, receivers: set[str]
) -> None:
    """And nobody else gets it."""
    connections = attached(hub, "a/1", "a/2", "b/1", "c/1")
    hub.join(connections[0], "r")
    hub.join(connections[2], "r")
    hub.deliver(audience, b"{}", "key")
    got = {connection.id: connection.frames for connection in connections if connection.frames}
    assert got == {receiver: [(text_frame(b"{}"), "key")] for receiver in receivers}
    assert sum(counts) == len(receivers)


def test_the_frames_of_a_turn_reach_a_room_as_one_batch(hub: Hub, counts: list[int]) -> None:
    """The same object for everybody, handed to each once; every delivery is counted."""
    a, b, stranger = attached(hub, "a/1", "b/1", "c/1")
    hub.join(a, "r")
    hub.join(b, "r")
    for payload in (b"1", b"2", b"3"):
        hub.deliver(ToRoom("r"), payload, None)
    (batch,) = a.batches
    assert b.batches == [batch] and not stranger.batches and not a.frames
    assert batch.seal() == b"".join(map(text_frame, (b"1", b"2", b"3")))
    assert sum(counts) == 6
    hub.deliver(ToRoom("r"), b"4", None)
    assert len(a.batches) == 2, "what has been written does not grow any more"


def test_who_comes_or_goes_within_a_turn_gets_what_is_said_while_there(hub: Hub) -> None:
    """Nothing from before, nothing from after."""
    a, b, c = attached(hub, "a/1", "b/1", "c/1")
    hub.join(a, "r")
    hub.join(b, "r")
    hub.deliver(ToRoom("r"), b"1", None)
    hub.join(c, "r")
    hub.deliver(ToRoom("r"), b"2", None)
    hub.leave(b, "r")
    hub.deliver(ToRoom("r"), b"3", None)

    def got(connection: Kept) -> bytes:
        return b"".join(batch.seal() for batch in connection.batches)

    one, two, three = map(text_frame, (b"1", b"2", b"3"))
    assert (got(a), got(b), got(c)) == (one + two + three, one + two, two + three)


def test_what_everybody_but_one_user_gets_is_a_batch_only_where_that_user_is_not(hub: Hub) -> None:
    """Else each is asked about alone."""
    a, b = attached(hub, "a/1", "b/1")
    hub.join(a, "r")
    hub.deliver(ToRoom("r", but_user="b"), b"1", None)
    hub.join(b, "r")
    hub.deliver(ToRoom("r", but_user="b"), b"2", None)
    assert (len(a.batches), len(a.frames), len(b.batches), len(b.frames)) == (1, 1, 0, 0)


def test_an_answer_carries_the_ref_of_its_request_even_an_empty_one(hub: Hub) -> None:
    """Without a ref there is none."""
    connection = Kept("a/1", "a")
    connection.answer({"type": "pong"}, "r")
    connection.answer({"type": "pong"}, "")
    connection.answer({"type": "pong"})
    assert [frame for frame, _ in connection.frames] == [
        text_frame(b'{"type":"pong","ref":"r"}'),
        text_frame(b'{"type":"pong","ref":""}'),
        text_frame(b'{"type":"pong"}'),
    ]


def test_a_login_that_ends_takes_its_connections_alone(hub: Hub) -> None:
    """Other logins of the same user stay."""
    mine, other = Kept("a/1", "a", "one"), Kept("a/2", "a", "two")
    hub.attach(mine)
    hub.attach(other)
    hub.close_login("one", LOGGED_OUT)
    assert (mine.ended, other.ended) == (LOGGED_OUT, None)
