"""The door of a socket: what one without a token costs, who has too many, and where the token may stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders

from handlers import wire
from tests.harness import Server, Socket
from tests.server.test_storm import counting

PATHS = ["/ws/connect", "/webrtc/signal"]


def proxied(address: str) -> dict[str, str]:
    """As a proxy on this machine says it."""
    return {"X-Forwarded-For": address}


async def sent_away(socket: Socket) -> bool:
    """Whether this one has to come back later; else it is in."""
    if await socket.first() is not None:
        return False
    code, reason = await socket.ended()
    assert code == 1013 and reason is not None and reason.startswith("retry_after="), (code, reason)
    return True


@pytest.mark.parametrize("path", PATHS)
async def test_a_socket_without_a_good_token_costs_the_database_nothing(server: Server, path: str) -> None:
    """Missing, bad, expired, revoked, by any way; one with a good token is looked up."""
    ann, gone = await server.person(), await server.person()
    await gone.ok("POST", "/auth/logout")
    operations = counting(server)
    ways: list[dict[str, Any]] = [{}]
    for token in ("x", gone.token, ann.token[:-2] + "xx"):
        ways += [{"token": token}, {"subprotocols": ["bearer", token]}, {"query": f"?token={token}"}]
    for way in (*ways, {"query": "?ticket=nobody"}):
        socket = await server.connect(path, **way)
        code, _ = await socket.ended()
        assert code == 4001
    assert operations.total() == 0, operations
    socket = await server.connect(path, token=ann.token)
    await socket.next("connected")
    assert operations.total() > 0


async def test_a_socket_without_a_token_has_seconds_and_bytes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who neither goes nor answers the close is cut, at the end of its time or of its bytes, and holds nothing."""
    wires = server.app._wires.open

    async def stubborn() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
        lines = [
            "GET /api/v1/ws/connect HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        writer.write("\r\n".join([*lines, "\r\n"]).encode())
        assert b" 101 " in await reader.readline()
        return reader, writer

    monkeypatch.setattr(wire, "CLOSE_SECONDS", 0.2)
    reader, writer = await stubborn()
    assert b"a token is needed" in await reader.read()  # to the end of the stream
    assert not wires
    writer.close()

    monkeypatch.setattr(wire, "CLOSE_SECONDS", 1e6)
    reader, writer = await stubborn()
    await reader.readuntil(b"a token is needed")
    assert len(wires) == 1
    # A message of 32 KiB of zeros, masked with zeros, again and again.
    message = b"\x82\xfe\x80\x00" + bytes(4) + bytes(0x8000)
    with pytest.raises(ConnectionError):
        while True:
            writer.write(message)
            await writer.drain()
    assert not wires
    assert not server.app.node.quotas._sockets
    writer.close()


async def test_tokens_in_urls_can_be_switched_off(new_server: Callable[..., Server]) -> None:
    """Tickets, headers and subprotocols go on; a token in the URL is refused unread, whatever it is."""
    async with new_server(token_in_url=False) as server:
        ann = await server.person()
        for path in PATHS:
            for token in (ann.token, "x"):
                socket = await server.connect(path, query=f"?token={token}")
                assert await socket.ended() == (4001, "no token is taken in the URL here: get a ticket")
            ticket = (await ann.ok("POST", "/auth/ticket"))["ticket"]
            ways: list[dict[str, Any]] = [
                {"query": f"?ticket={ticket}"},
                {"subprotocols": ["bearer", ann.token]},
                {"token": ann.token},
            ]
            for way in ways:
                socket = await server.connect(path, **way)
                await socket.next("connected")


async def test_an_address_may_have_so_many_sockets(new_server: Callable[..., Server]) -> None:
    """Of both kinds and of whatever users together; another address has its own, and one that goes makes room."""
    async with new_server(
        rate_limits=True, connections_per_address=3, trusted_proxies=("127.0.0.1",)
    ) as server:
        people = await server.people(6)

        async def come(number: int, address: str, path: str = "/ws/connect") -> Socket:
            return await server.connect(path, token=people[number].token, headers=proxied(address))

        inside = [
            await come(0, "198.51.100.1"),
            await come(1, "198.51.100.1", "/webrtc/signal"),
            await come(2, "198.51.100.1"),
        ]
        for socket in inside:
            await socket.next("connected")
        operations = counting(server)
        assert await sent_away(await come(3, "198.51.100.1"))
        assert operations.total() == 0
        assert not await sent_away(await come(4, "198.51.100.2"))
        # Who is refused for another reason counts no longer than that takes.
        for _ in range(5):
            await (await server.connect(token="x", headers=proxied("198.51.100.2"))).ended()
        await inside[0].close()
        while server.app.node.quotas.is_full("198.51.100.1"):
            await asyncio.sleep(0.01)
        assert not await sent_away(await come(5, "198.51.100.1"))


async def test_a_network_of_ipv6_counts_as_one_address(new_server: Callable[..., Server]) -> None:
    """A household's 2^64 addresses are not as many allowances."""
    async with new_server(
        rate_limits=True, connections_per_address=1, trusted_proxies=("127.0.0.0/8",)
    ) as server:
        people = await server.people(3)
        answers = [
            await sent_away(await server.connect(token=person.token, headers=proxied(address)))
            for person, address in zip(
                people, ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"), strict=True
            )
        ]
        assert answers == [False, True, False]


@pytest.mark.parametrize(
    ("trusted", "second", "away"),
    [
        ((), "198.51.100.2", True),
        (("127.0.0.1",), "198.51.100.2", False),
        (("127.0.0.1",), "198.51.100.2, 198.51.100.1", True),
    ],
)
async def test_who_is_no_trusted_proxy_does_not_choose_an_address(
    new_server: Callable[..., Server], trusted: tuple[str, ...], second: str, away: bool
) -> None:
    """The header is counted for nothing; from a trusted one, what it appended counts and not what it was told."""
    async with new_server(rate_limits=True, connections_per_address=1, trusted_proxies=trusted) as server:
        ann, bob = await server.people(2)
        first = await server.connect(token=ann.token, headers=proxied("198.51.100.1"))
        assert not await sent_away(first)
        assert await sent_away(await server.connect(token=bob.token, headers=proxied(second))) == away


async def test_a_header_that_comes_twice_is_one(new_server: Callable[..., Server]) -> None:
    """A client's own line does not hide the proxy's."""
    async with new_server(
        rate_limits=True, rest_rate=0.001, rest_burst=1.0, trusted_proxies=("127.0.0.1",)
    ) as server:
        codes = []
        for claimed in ("203.0.113.1", "203.0.113.2"):
            headers = HTTPHeaders()
            headers.add("X-Forwarded-For", claimed)
            headers.add("X-Forwarded-For", "198.51.100.1")
            request = HTTPRequest(f"{server.api}/chat/stats", headers=headers)
            codes.append((await server._client.fetch(request, raise_error=False)).code)
        assert codes == [200, 429]


async def test_one_address_does_not_use_up_the_pace_of_all(new_server: Callable[..., Server]) -> None:
    """Its handshakes are counted with its requests: the others find the door open."""
    async with new_server(
        rate_limits=True,
        rest_rate=0.001,
        rest_burst=5.0,
        connect_rate=0.001,
        connect_burst=8.0,
        trusted_proxies=("127.0.0.1",),
    ) as server:
        ann, bob = await server.people(2)
        for number in range(20):
            socket = await server.connect(token="x", headers=proxied("198.51.100.66"))
            code, _ = await socket.ended()
            assert code == (4001 if number < 5 else 1013)
        socket = await server.connect(token=ann.token, headers=proxied("198.51.100.1"))
        assert not await sent_away(socket)
        # Over REST they are the same: the flooder has none left.
        response = await server.fetch("GET", "/chat/stats", headers=proxied("198.51.100.66"))
        assert response.code == 429
