"""What a user and an address may ask, over all of their connections; one connection's flood is in test_flood."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tornado.websocket import WebSocketClosedError

from server.dispatch import Dispatcher
from server.protocol import requests
from tests.harness import Person, Server, Socket
from tests.server.test_flood import FLOODING, HARDLY

PINGS = 4  # that cost as much as there is at once
BURST = PINGS / 2


async def come(person: Person, path: str = "/ws/connect", address: str = "198.51.100.1") -> Socket:
    socket = await person.server.connect(path, token=person.token, headers={"X-Forwarded-For": address})
    await socket.next("connected")
    return socket


async def test_every_request_of_both_sockets_costs_something(server: Server) -> None:
    """One table: what has no row there cannot be asked for, and no row is free."""
    node = server.app.node
    dispatchers: list[tuple[Dispatcher, Any]] = [
        (node.chat_dispatcher, requests.ChatRequest),
        (node.signal_dispatcher, requests.SignalRequest),
    ]
    for dispatcher, union in dispatchers:
        assert set(dispatcher._table) == set(union.__args__)
        assert all(row.cost > 0 for row in dispatcher._table.values())


async def test_a_users_connections_share_an_allowance(new_server: Callable[..., Server]) -> None:
    """On both paths, with REST and after reconnecting; another user at the same address has another."""
    async with new_server(
        rate_limits=True, user_request_rate=HARDLY, user_request_burst=BURST, connections_per_user=10
    ) as server:
        ann, bob = await server.people(2)
        chat, signal = await come(ann), await come(ann, "/webrtc/signal")
        for number in range(PINGS):
            await (chat, signal)[number % 2].ask("pong", type="ping")
        for socket in (chat, signal, await come(ann)):
            error = await socket.refused("rate_limited", type="ping")
            assert error["retry_after"] > 0
        status, answer = await ann.call("GET", "/auth/me")
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        assert answer["error"]["retry_after"] > 0
        await (await come(bob)).ask("pong", type="ping")
        await bob.ok("GET", "/chat/stats")


async def test_an_address_shares_an_allowance(new_server: Callable[..., Server]) -> None:
    """Whoever its users are; another address has another."""
    async with new_server(
        rate_limits=True,
        address_request_rate=HARDLY,
        address_request_burst=BURST,
        trusted_proxies=("127.0.0.1",),
    ) as server:
        ann, bob, cat = await server.people(3)
        hers, his = await come(ann), await come(bob)
        for number in range(PINGS):
            await (hers, his)[number % 2].ask("pong", type="ping")
        for socket in (hers, his):
            await socket.refused("rate_limited", type="ping")
        await (await come(cat, address="198.51.100.2")).ask("pong", type="ping")


async def test_what_is_refused_costs_the_others_of_an_address_nothing(
    new_server: Callable[..., Server],
) -> None:
    """A flood from one connection does not use up what is left for its neighbours, and ends itself."""
    async with new_server(
        rate_limits=True,
        request_rate=HARDLY,
        request_burst=1.0,
        address_request_rate=HARDLY,
        address_request_burst=2.0,
        flood_refusals=20,
    ) as server:
        ann, bob = await server.people(2)
        flooder, neighbour = await come(ann), await come(bob)
        with suppress(WebSocketClosedError):
            for _ in range(50):
                await flooder.send(type="ping")
        assert await flooder.ended() == FLOODING
        await neighbour.ask("pong", type="ping")
        await neighbour.ask("pong", type="ping")


async def test_who_flooded_waits_longer_each_time(new_server: Callable[..., Server]) -> None:
    """Coming back at once is no fresh start; on either path. Others of the address come in meanwhile."""
    async with new_server(
        rate_limits=True, request_rate=HARDLY, request_burst=1.0, flood_refusals=5
    ) as server:
        server.clock.hold()
        ann, bob = await server.people(2)
        told = 0.0
        for wait in (1, 2, 4):
            flooder = await come(ann)
            with suppress(WebSocketClosedError):
                for _ in range(20):
                    await flooder.send(type="ping")
            assert await flooder.ended() == FLOODING
            for path in ("/ws/connect", "/webrtc/signal"):
                code, reason = await (await server.connect(path, token=ann.token)).ended()
                assert code == 1013 and reason is not None
                told = float(reason.removeprefix("retry_after="))
                assert 0 < told <= wait
            await (await come(bob)).ask("pong", type="ping")
            server.clock.advance(wait)
        assert told > 2


@pytest.mark.parametrize("opcode", [0x9, 0xA])
async def test_a_flood_of_the_protocols_own_frames_is_one_too(
    new_server: Callable[..., Server], opcode: int
) -> None:
    """Pings and pongs, which no request of ours is behind; a few of them are nothing."""
    async with new_server(
        rate_limits=True, request_rate=HARDLY, request_burst=5.0, flood_refusals=20
    ) as server:
        socket = await (await server.person()).chat()
        protocol = socket.connection.protocol
        assert protocol is not None
        for _ in range(10):
            protocol._write_frame(True, opcode, b"")  # type: ignore[attr-defined]
        await socket.refused("rate_limited", type="ping")
        for _ in range(30):
            protocol._write_frame(True, opcode, b"")  # type: ignore[attr-defined]
        assert await socket.ended() == FLOODING
