"""What an operator asks: alive, ready, metrics, counts; and how old messages go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from server.clock import DAY_MS
from server.services.retention import purge
from tests.harness import Server

STATISTICS = ["/chat/stats", "/ws/stats", "/webrtc/active-calls"]


async def test_a_running_server_is_alive_and_ready(server: Server) -> None:
    """Outside the base path, without a token."""
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        assert await server.call("GET", server.origin + path) == (200, {"status": status})


async def test_a_server_that_stops_is_alive_and_not_ready(server: Server) -> None:
    """So that a balancer sends nobody to it."""
    server.app.node.ready = False
    await server.refused("unavailable", "GET", server.origin + "/readyz")
    assert (await server.call("GET", server.origin + "/healthz"))[0] == 200
    server.app.node.ready = True


@pytest.mark.parametrize(
    ("setting", "headers", "status"),
    [
        ("loopback", {}, 200),
        ("loopback", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("loopback", {"Forwarded": "for=127.0.0.1"}, 404),
        ("everyone", {"X-Forwarded-For": "192.0.2.1"}, 200),
        ("off", {}, 404),
    ],
)
async def test_metrics_are_for_this_machine_unless_set_otherwise(
    setting: str, headers: dict[str, str], status: int, new_server: Callable[..., Server]
) -> None:
    """A request that a proxy passes on is not from this machine."""
    async with new_server(metrics=setting) as server:
        response = await server.fetch("GET", server.origin + "/metrics", headers=headers)
        assert response.code == status
        assert (b"hereabouts_rest_seconds" in response.body) == (status == 200)


async def test_the_counts_are_open(server: Server) -> None:
    """Numbers alone, without a token."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    await ann.chat(room)
    await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "x"})
    assert [await server.call("GET", path) for path in STATISTICS] == [
        (200, {"sessions": 1, "messages": 1, "messages_today": 1}),
        (200, {"connections": 1, "users": 1, "rooms": 1}),
        (200, {"ringing": 0, "active": 0}),
    ]


async def test_a_setting_closes_the_counts(new_server: Callable[..., Server]) -> None:
    """They are as absent."""
    async with new_server(statistics=False) as server:
        for path in STATISTICS:
            await server.refused("not_found", "GET", path)


@pytest.mark.parametrize(
    ("days", "land_days", "left"), [(0, -1, (1, 1)), (1, -1, (0, 0)), (1, 0, (0, 1)), (0, 1, (1, 0))]
)
async def test_messages_past_their_time_go(
    days: int, land_days: int, left: tuple[int, int], new_server: Callable[..., Server]
) -> None:
    """0 keeps them; lands may differ; what is not past its time stays."""
    async with new_server(retention_days=days, land_retention_days=land_days) as server:
        ann, bob = await server.people(2)
        rooms = [await ann.private(bob), await ann.land()]
        store, recent = server.store, server.app.node.recent
        forget = partial(purge, server.settings, store.messages, store.speech, recent, server.clock)
        for room in rooms:
            await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "x"})
        assert await forget() == 0
        server.clock.advance(DAY_MS / 1000 + 1)
        await forget()
        ann.token = server.app.node.tokens.issue(ann.id, "later")  # the old one has run out
        pages = [await ann.ok("GET", f"/chat/sessions/{room}/messages") for room in rooms]
        assert tuple(len(page["messages"]) for page in pages) == left


async def test_metrics_tell_what_the_server_does(server: Server) -> None:
    """Connections, rooms, messages, deliveries, queues, storage, lag; nobody's id, name or words among them."""
    ann, bob = await server.people(2)
    land = await ann.land()
    hers = await ann.chat(land)
    await bob.chat(land)
    await hers.ask("message_ack", type="send_message", room_id=land, content="a secret of mine")
    await hers.next("message")
    text = (await server.fetch("GET", server.origin + "/metrics")).body.decode()
    for line in (
        "hereabouts_chat_connections 2.0",
        "hereabouts_users 2.0",
        "hereabouts_rooms 1.0",
        'hereabouts_messages_total{kind="land"} 1.0',
        'hereabouts_requests_total{outcome="ok",type="send_message"} 1.0',
        "hereabouts_writer_pending 0.0",
        "hereabouts_outbox_bytes 0.0",
        'hereabouts_storage_seconds_count{operation="messages.commit"} 1.0',
        'hereabouts_rest_seconds_count{method="POST",route="/lands",status="201"} 1.0',
        "hereabouts_ready 1.0",
    ):
        assert line in text.splitlines(), line
    # Bob's arrival to Ann, then the message to both.
    assert "hereabouts_deliveries_total 3.0" in text
    assert "hereabouts_loop_lag_seconds_count" in text
    for private in (ann.id, ann.name, ann.token, land, "a secret of mine"):
        assert private not in text
