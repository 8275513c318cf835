"""Access tokens and tickets: what is accepted, over REST and on a socket, and when a socket ends."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from tests.harness import TOKEN_SECRET, Person, Server

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def forged(
    person: Person, *, key: Any = TOKEN_SECRET, alg: str = "HS256", typ: str = "at+jwt", **claims: Any
) -> str:
    """The person's own token with something changed; a claim of None is left out."""
    payload = jwt.decode(person.token, options={"verify_signature": False})
    payload = {name: value for name, value in {**payload, **claims}.items() if value is not None}
    return jwt.encode(payload, key if alg != "none" else "", algorithm=alg, headers={"typ": typ})


def raw(header: bytes, payload: bytes = b"{}") -> str:
    parts = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, b"signature"))
    return ".".join(parts)


def bad_tokens(person: Person) -> dict[str, str]:
    now = int(time.time())
    return {
        "expired": forged(person, exp=now - 1),
        "no expiry": forged(person, exp=None),
        "expiry of a wrong type": forged(person, exp="9999999999"),
        "not yet": forged(person, nbf=now + 60),
        "foreign key": forged(person, key=b"another secret, also of 32 bytes or more"),
        "foreign algorithm": forged(person, alg="HS512"),
        "RSA": forged(person, key=RSA_KEY, alg="RS256"),
        "no algorithm": forged(person, alg="none"),
        "wrong type": forged(person, typ="JWT"),
        "wrong issuer": forged(person, iss="elsewhere"),
        "wrong audience": forged(person, aud="elsewhere"),
        "no audience": forged(person, aud=None),
        "no subject": forged(person, sub=None),
        "no login": forged(person, sid=None),
        "subject of a wrong type": forged(person, sub=7),
        "login of a wrong type": forged(person, sid=["x"]),
        "another signature": person.token[:-2] + ("AA" if person.token[-2:] != "AA" else "BB"),
        "another payload": ".".join(
            (person.token.split(".")[0], forged(person, sub="x").split(".")[1], person.token.split(".")[2])
        ),
        "no token": "x",
        "two dots": "..",
        "deep header": raw(b"[" * 2500),
        "no object": raw(b"[]"),
        "no UTF-8": raw(b"\xff"),
        "type of a wrong type": raw(json.dumps({"alg": "HS256", "typ": ["at+jwt"]}).encode()),
    }


async def test_no_bad_token_opens_anything(server: Server) -> None:
    """Over REST 401; by any way to a socket 4001 with a reason, after a complete handshake."""
    ann = await server.person()
    for name, token in bad_tokens(ann).items():
        sentence = await server.refused("unauthorized", "GET", "/auth/me", token=token)
        expected = "the token has expired" if name == "expired" else "the token is not valid"
        assert sentence == expected, name
        socket = await server.connect(token=token)
        assert await socket.ended() == (4001, expected), name
        assert socket.events == []
    await ann.ok("GET", "/auth/me")


async def test_a_header_that_is_no_bearer_token_is_refused(server: Server) -> None:
    """RFC 6750: the answer says how to authenticate."""
    for header in ("", "Bearer", "Bearer ", "Basic YTpi", "Token x", "bearer"):
        response = await server.fetch("GET", "/auth/me", headers={"Authorization": header})
        assert response.code == 401, header
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert json.loads(response.body)["error"]["code"] == "unauthorized"


async def test_an_optional_token_still_has_to_be_good(server: Server) -> None:
    """Who sends a bad one is told, rather than taken for a stranger."""
    ann = await server.person()
    assert await server.call("GET", "/ws/online-users") == (200, {"count": 0})
    await server.refused("unauthorized", "GET", "/ws/online-users", token="x")
    assert (await ann.ok("GET", "/ws/online-users"))["users"] == []


async def test_a_token_lives_fifteen_minutes(server: Server) -> None:
    """To the second, by the server's clock."""
    server.clock.hold()
    ann = await server.person()
    server.clock.advance(899)
    await ann.ok("GET", "/auth/me")
    server.clock.advance(2)
    assert await ann.refused("unauthorized", "GET", "/auth/me") == "the token has expired"


async def test_the_life_of_a_token_is_a_setting(new_server: Callable[..., Server]) -> None:
    """And told in `expires_in`."""
    async with new_server(token_seconds=60) as server:
        ann = await server.person()
        assert ann.pair["expires_in"] == 60
        server.clock.advance(61)
        await ann.refused("unauthorized", "GET", "/auth/me")


# The ways of a token to a socket


@pytest.mark.parametrize("path", ["/ws/connect", "/webrtc/signal"])
async def test_a_socket_takes_the_first_token_that_it_finds(server: Server, path: str) -> None:
    """Header, subprotocol pair, ticket, query: a bad one in front is not passed over."""
    people = [await server.person() for _ in range(4)]
    ticket = (await people[2].ok("POST", "/auth/ticket"))["ticket"]
    ways: list[dict[str, Any]] = [
        {"token": people[0].token},
        {"subprotocols": ["bearer", people[1].token]},
        {"query": f"?ticket={ticket}"},
        {"query": f"?token={people[3].token}"},
    ]
    bad: list[dict[str, Any]] = [
        {"token": "x"},
        {"subprotocols": ["bearer", "x"]},
        {"query": f"?ticket=x&token={people[3].token}"},
    ]
    for first in range(len(ways)):
        later = {key: value for other in reversed(ways[first:]) for key, value in other.items()}
        socket = await server.connect(path, **later)
        assert (await socket.next("connected"))["user_id"] == people[first].id
        if first < len(bad):
            refused = await server.connect(path, **{**later, **bad[first]})
            assert (await refused.ended())[0] == 4001


async def test_the_subprotocol_pair_is_answered_with_bearer(server: Server) -> None:
    """A browser gives up on a server that selects none of what it offered; the token is not sent back."""
    ann = await server.person()
    socket = await server.connect(subprotocols=["bearer", ann.token])
    await socket.next("connected")
    assert socket.connection.selected_subprotocol == "bearer"


async def test_without_a_good_token_a_socket_closes_with_the_reason(server: Server) -> None:
    """4001, on both sockets."""
    missing, bad = "a token is needed", "the token is not valid"
    unknown = "the ticket is unknown, used or expired"
    reasons = {
        "": missing,
        "?ticket=": missing,
        "?token=": missing,
        "?ticket=nobody": unknown,
        "?ticket=$ne": unknown,
        "?ticket=%ff": unknown,
        "?token=a%00b": bad,
        f"?token={quote('🐎')}": bad,
        "?token=%ff": bad,
    }
    for query, reason in reasons.items():
        for path in ("/ws/connect", "/webrtc/signal"):
            socket = await server.connect(path, query=query)
            assert await socket.ended() == (4001, reason), query


async def test_a_revoked_token_opens_no_socket(server: Server) -> None:
    """With a reason of its own."""
    ann = await server.person()
    ticket = (await ann.ok("POST", "/auth/ticket"))["ticket"]
    await ann.ok("POST", "/auth/logout")
    for way in ({"token": ann.token}, {"query": f"?ticket={ticket}"}):
        socket = await server.connect(**way)  # type: ignore[arg-type]
        assert await socket.ended() == (4001, "the token has been revoked")


# Tickets


async def test_a_ticket_opens_one_socket(server: Server) -> None:
    """Single use, on either socket."""
    ann = await server.person()
    status, answer = await ann.call("POST", "/auth/ticket")
    assert (status, answer) == (200, {"ticket": answer["ticket"], "expires_in": 30})
    socket = await server.connect("/webrtc/signal", query=f"?ticket={answer['ticket']}")
    assert (await socket.next("connected"))["user_id"] == ann.id
    again = await server.connect(query=f"?ticket={answer['ticket']}")
    assert (await again.ended())[0] == 4001


async def test_a_ticket_lives_thirty_seconds(server: Server) -> None:
    """Or less, where the token that it stands for does."""
    server.clock.hold()
    ann = await server.person()
    young, old = [(await ann.ok("POST", "/auth/ticket"))["ticket"] for _ in range(2)]
    server.clock.advance(29)
    socket = await server.connect(query=f"?ticket={young}")
    await socket.next("connected")
    server.clock.advance(2)
    socket = await server.connect(query=f"?ticket={old}")
    assert (await socket.ended())[0] == 4001
    server.clock.advance(859)  # ten seconds before the token's end
    last = (await ann.ok("POST", "/auth/ticket"))["ticket"]
    server.clock.advance(15)
    socket = await server.connect(query=f"?ticket={last}")
    assert (await socket.ended())[0] == 4001


async def test_a_ticket_is_no_token_and_takes_one_to_get(server: Server) -> None:
    """It opens sockets, nothing else."""
    ann = await server.person()
    ticket = (await ann.ok("POST", "/auth/ticket"))["ticket"]
    await server.refused("unauthorized", "GET", "/auth/me", token=ticket)
    await server.refused("unauthorized", "POST", "/auth/ticket")
    socket = await server.connect(query=f"?token={ticket}")
    assert (await socket.ended())[0] == 4001


# Running out, and renewing


@pytest.mark.parametrize("path", ["/ws/connect", "/webrtc/signal"])
async def test_a_socket_ends_with_its_token(new_server: Callable[..., Server], path: str) -> None:
    """Unless a fresh one came before: then with that one."""
    async with new_server(token_seconds=20) as server:
        ann = await server.person()
        renewed, left = [await server.connect(path, token=ann.token) for _ in range(2)]
        await renewed.next("connected")
        server.clock.advance(10)
        pair = await ann.ok("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]})
        answer = await renewed.ask("token_renewed", type="renew_token", access_token=pair["access_token"])
        assert answer.keys() == {"type", "ref", "expires_at"}
        server.clock.advance(11)
        assert await left.ended() == (4001, "the token has expired")
        await renewed.ask("pong", type="ping")
        server.clock.advance(10)
        assert await renewed.ended() == (4001, "the token has expired")


async def test_a_bad_renewal_is_an_error_and_changes_nothing(server: Server) -> None:
    """Another's token, a forged one, a ticket: the connection goes on under the token that it has."""
    ann, bob = await server.person(), await server.person()
    ticket = (await ann.ok("POST", "/auth/ticket"))["ticket"]
    socket = await ann.chat()
    for token in (bob.token, ticket, *bad_tokens(ann).values()):
        await socket.refused("unauthorized", type="renew_token", access_token=token)
    for token in ("", None, 1, {"$gt": ""}, "x" * 4097):
        await socket.refused("invalid_message", type="renew_token", access_token=token)
    await socket.quiet()
    await ann.ok("POST", "/auth/logout")
    assert await socket.ended() == (4003, "logged out")


async def test_a_renewed_socket_belongs_to_the_login_of_its_new_token(server: Server) -> None:
    """So that signing out there closes it, and signing out here does not."""
    ann = await server.person()
    status, pair = await server.call(
        "POST", "/auth/login", {"username": ann.name, "password": "correct horse"}
    )
    other = Person(server, pair)
    socket = await ann.chat()
    await socket.ask("token_renewed", type="renew_token", access_token=other.token)
    await ann.ok("POST", "/auth/logout")
    await socket.ask("pong", type="ping")
    await other.ok("POST", "/auth/logout")
    assert await socket.ended() == (4003, "logged out")


async def test_an_ordinary_request_to_a_socket_is_no_upgrade(server: Server) -> None:
    """A browser that opens the URL is told so."""
    response = await server.fetch("GET", "/ws/connect")
    assert response.code == 400
    with pytest.raises(HTTPClientError):
        await websocket_connect(HTTPRequest(server.api.replace("http", "ws") + "/ws/none"))
