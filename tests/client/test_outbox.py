"""Messages on their way out, with the test as the server: what is sent when, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from client import outbox
from client.errors import HereaboutsError
from client.outbox import Outbox, OutgoingMessage


class Peer:
    """Holds every request until the test answers it."""

    def __init__(self) -> None:
        self.open = True
        self.requests: list[tuple[dict[str, Any], asyncio.Future[dict[str, Any]]]] = []
        self.changes: list[tuple[str, str]] = []
        self.outbox = Outbox(self._request, lambda room_id: self.open, self._changed)

    async def _request(self, type: str, **fields: Any) -> dict[str, Any]:
        assert type == ("send_message" if "room_id" in fields else "say")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.requests.append((fields, answer))
        return await answer

    def _changed(self, message: OutgoingMessage) -> None:
        self.changes.append((message.content, message.state))

    async def settle(self) -> None:
        """Until nothing is left to do but to wait."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self.outbox.clear()
        await self.settle()

    async def in_flight(self) -> list[str]:
        await self.settle()
        return [fields["content"] for fields, answer in self.requests if not answer.done()]

    def answer(self, seq: int) -> None:
        """To the oldest request that waits."""
        self._oldest().set_result({"message_id": f"id-{seq}", "seq": seq, "created_at": "then"})

    def heard(self, id: str) -> None:
        """The answer to what is said aloud."""
        self._oldest().set_result({"id": id, "created_at": "then"})

    def refuse(self, code: str, retry_after: float | None = None) -> None:
        self._oldest().set_exception(HereaboutsError(code, "no", retry_after=retry_after))

    def _oldest(self) -> asyncio.Future[dict[str, Any]]:
        return next(answer for _, answer in self.requests if not answer.done())


@pytest.fixture
def peer(io_loop: IOLoop) -> Iterator[Peer]:
    peer = Peer()
    yield peer
    io_loop.run_sync(peer.end)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again without a wait."""
    monkeypatch.setattr(outbox, "full_jitter", lambda attempt: 0.0)


async def test_a_room_has_one_message_on_its_way_and_rooms_do_not_wait_for_each_other(peer: Peer) -> None:
    for room, content in (("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")):
        peer.outbox.send(room, content)
    assert await peer.in_flight() == ["a1", "b1"]
    peer.answer(1)
    assert await peer.in_flight() == ["b1", "a2"]
    peer.answer(1)
    peer.answer(2)
    assert await peer.in_flight() == ["b2"]


async def test_what_is_said_aloud_is_in_order_and_waits_for_no_room(peer: Peer) -> None:
    """It has an id and no place in a room."""
    peer.outbox.send("a", "written")
    aloud = [peer.outbox.send(None, content) for content in ("one", "two")]
    assert await peer.in_flight() == ["written", "one"]
    peer.answer(1)
    peer.heard("s-1")
    assert await peer.in_flight() == ["two"]
    assert (aloud[0].room_id, aloud[0].state, aloud[0].id, aloud[0].seq) == (None, "sent", "s-1", None)
    peer.refuse("not_joined")
    await aloud[1].settled()
    peer.outbox.retry(aloud[1].client_id)
    assert await peer.in_flight() == ["two"]


async def test_what_is_acknowledged_is_sent_and_knows_its_place(peer: Peer) -> None:
    message = peer.outbox.send("a", "hello")
    assert (message.state, message.id) == ("sending", None)
    await peer.settle()
    peer.answer(7)
    assert await message.settled() is message
    assert (message.state, message.id, message.seq, message.created_at) == ("sent", "id-7", 7, "then")
    assert peer.changes == [("hello", "sending"), ("hello", "sent")]


@pytest.mark.parametrize("code", ["rate_limited", "unavailable", "timeout"])
async def test_nothing_overtakes_what_is_refused_for_the_moment(
    code: str, peer: Peer, impatient: None
) -> None:
    """It is sent again, as the same message, and what stands behind it waits."""
    peer.outbox.send("a", "first")
    peer.outbox.send("a", "second")
    await peer.settle()
    peer.refuse(code, retry_after=0.001)
    while len(peer.requests) == 1:
        await asyncio.sleep(0.001)
    assert await peer.in_flight() == ["first"]
    assert peer.requests[0][0] == peer.requests[1][0]
    peer.answer(1)
    assert await peer.in_flight() == ["second"]


async def test_what_is_refused_for_good_has_failed_and_the_next_goes_on(peer: Peer) -> None:
    first = peer.outbox.send("a", "first")
    peer.outbox.send("a", "second")
    await peer.settle()
    peer.refuse("not_joined")
    await first.settled()
    assert first.state == "failed"
    assert first.error is not None and first.error.code == "not_joined"
    assert await peer.in_flight() == ["second"]


async def test_what_is_refused_too_often_has_failed(peer: Peer, impatient: None) -> None:
    message = peer.outbox.send("a", "hello")
    for tried in range(1, outbox.MAX_TRIES + 1):
        while len(peer.requests) < tried:
            await asyncio.sleep(0)
        assert message.state == "sending"
        peer.refuse("unavailable")
    await message.settled()
    assert (message.state, len(peer.requests)) == ("failed", outbox.MAX_TRIES)


async def test_what_failed_is_sent_again_on_request_and_settles_again(peer: Peer) -> None:
    """Behind what waits by now, and as the same message: it may have been written."""
    first = peer.outbox.send("a", "first")
    await peer.settle()
    peer.refuse("not_joined")
    await first.settled()
    peer.outbox.send("a", "second")
    peer.outbox.retry(first.client_id)
    peer.outbox.retry(first.client_id)
    assert (first.state, first.error) == ("sending", None)
    assert await peer.in_flight() == ["second"]
    peer.answer(1)
    assert await peer.in_flight() == ["first"]
    assert peer.requests[-1][0]["client_id"] == peer.requests[0][0]["client_id"]
    peer.answer(2)
    await first.settled()
    assert first.state == "sent"


async def test_what_is_given_up_is_not_sent_again(peer: Peer) -> None:
    message = peer.outbox.send("a", "hello")
    await peer.settle()
    peer.refuse("not_joined")
    await message.settled()
    peer.outbox.discard(message.client_id)
    peer.outbox.retry(message.client_id)
    assert await peer.in_flight() == []


async def test_without_a_connection_messages_wait_and_go_out_in_order_after_it(peer: Peer) -> None:
    """The one that was on its way first, under the same client_id."""
    first = peer.outbox.send("a", "first")
    peer.outbox.send("a", "second")
    assert await peer.in_flight() == ["first"]
    peer.open = False
    peer.outbox.stop()
    peer.outbox.send("a", "third")
    peer.outbox.flush()
    assert await peer.in_flight() == []
    peer.open = True
    peer.outbox.flush("a")
    peer.outbox.flush()
    order = []
    for seq in (1, 2, 3):
        order += await peer.in_flight()
        peer.answer(seq)
    await peer.settle()
    assert order == ["first", "second", "third"]
    assert peer.requests[0][0] == peer.requests[1][0]
    assert first.state == "sent"


async def test_whoever_waits_learns_of_the_end_of_the_login(peer: Peer) -> None:
    messages = [peer.outbox.send(room, "hello") for room in ("a", "a", "b")]
    await peer.settle()
    peer.outbox.clear()
    for message in messages:
        await message.settled()
        assert message.state == "failed"
        assert message.error is not None and message.error.code == "closed"
    assert await peer.in_flight() == []
