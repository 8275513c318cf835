"""The log of security-relevant events: each is driven and read; the document's table names the same ones.

Those of commands are driven where the commands are: tests/journeys/test_bans.py and test_rotation.py.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClosedError

from server.clock import Clock
from server.security import EVENTS, REFUSALS_AT_ONCE, SecurityLog
from tests.harness import PASSWORD, MovableClock, Person, Server
from tests.server.test_bans import ban, unban

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
ADDRESS = "127.0.0.1"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What `hereabouts.security` has said, as fields."""
    found: list[dict[str, Any]] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append({**json.loads(record.getMessage()), "level": record.levelname})

    structlog.configure(processors=[structlog.stdlib.filter_by_level, structlog.processors.JSONRenderer()])
    logger, reader = logging.getLogger("hereabouts.security"), Reader()
    logger.addHandler(reader)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(reader)
    logger.setLevel(logging.NOTSET)


def taken(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """The lines of an event, without what is the same in all."""
    assert all(line["level"] == "INFO" for line in lines)
    found = [
        {name: value for name, value in line.items() if name not in ("event", "level")}
        for line in lines
        if line["event"] == event
    ]
    lines[:] = [line for line in lines if line["event"] != event]
    return found


async def test_a_login_from_its_beginning_to_its_end(server: Server, lines: list[dict[str, Any]]) -> None:
    """Made, used, changed and ended: by whom and from where."""
    ann = await server.person("somebody")
    (up,) = taken(lines, "signed_up")
    assert up == {"user_id": ann.id, "login_id": up["login_id"], "address": ADDRESS}
    body = {"username": "Somebody", "password": PASSWORD}
    _, pair = await server.call("POST", "/auth/login", body)
    (signed_in,) = taken(lines, "signed_in")
    assert signed_in == {"user_id": ann.id, "login_id": signed_in["login_id"], "address": ADDRESS}
    assert signed_in["login_id"] != up["login_id"]
    await ann.refused("forbidden", "POST", "/auth/password", {"old": "wrong horse", "new": "battery staple"})
    assert taken(lines, "password_change_refused") == [{"user_id": ann.id, "address": ADDRESS}]
    await ann.ok("POST", "/auth/password", {"old": PASSWORD, "new": "battery staple"})
    changed = {"user_id": ann.id, "address": ADDRESS, "logins_ended": 1}
    assert taken(lines, "password_changed") == [changed]
    await Person(server, pair).refused("unauthorized", "GET", "/auth/me")
    refused = {"address": ADDRESS, "over": "REST", "reason": "the token has been revoked"}
    assert taken(lines, "token_refused") == [refused]
    await ann.ok("POST", "/auth/logout")
    gone = {"user_id": ann.id, "login_id": up["login_id"], "address": ADDRESS}
    assert taken(lines, "signed_out") == [gone]
    bob = await server.person()
    await bob.ok("DELETE", "/auth/me")
    assert taken(lines, "account_deleted") == [{"user_id": bob.id, "address": ADDRESS}]
    assert {line["event"] for line in lines} == {"signed_up"}


async def test_refused_sign_ins(new_server: Callable[..., Server], lines: list[dict[str, Any]]) -> None:
    """Whose account it was, if it was one's; never what was typed."""
    async with new_server(
        rate_limits=True, account_login_burst=1, address_login_burst=4, login_burst=7.0, login_rate=0.001
    ) as server:
        server.clock.hold()
        ann = await server.person("somebody")
        for name in ("somebody", "my secret passphrase"):
            await server.refused("unauthorized", "POST", "/auth/login", {"username": name, "password": "x"})
        expected = [{"address": ADDRESS, "user_id": user_id} for user_id in (ann.id, None)]
        assert taken(lines, "sign_in_refused") == expected
        again = {"username": "somebody", "password": PASSWORD}
        await server.refused("rate_limited", "POST", "/auth/login", again)
        assert taken(lines, "sign_in_throttled") == [{"address": ADDRESS, "by": "account"}]
        for number in range(3):
            await server.call("POST", "/auth/login", {"username": f"name-{number}", "password": "x"})
        assert taken(lines, "sign_in_throttled") == [{"address": ADDRESS, "by": "address"}]
        await server.refused("rate_limited", "POST", "/auth/login", again)
        assert taken(lines, "sign_in_throttled") == [{"address": ADDRESS, "by": "address"}]
        assert "passphrase" not in str(lines)


async def test_refresh_tokens(server: Server, lines: list[dict[str, Any]]) -> None:
    """One that comes again after its time ends a login, one that nobody knows does nothing."""
    ann = await server.person()
    (login,) = taken(lines, "signed_up")
    used = {"refresh_token": ann.pair["refresh_token"]}
    await server.call("POST", "/auth/refresh", used)
    server.clock.advance(11)
    await server.refused("unauthorized", "POST", "/auth/refresh", used)
    assert taken(lines, "refresh_reused") == [{"login_id": login["login_id"], "address": ADDRESS}]
    await server.refused("unauthorized", "POST", "/auth/refresh", {"refresh_token": "x"})
    assert taken(lines, "refresh_refused") == [{"address": ADDRESS}]
    assert lines == []


async def test_the_doors_of_a_socket(new_server: Callable[..., Server], lines: list[dict[str, Any]]) -> None:
    """A bad token, a foreign page, too many of one user and of one address."""
    async with new_server(rate_limits=True, connections_per_user=1, connections_per_address=2) as server:
        ann, bob, cat = await server.people(3)
        await (await server.connect(token="x")).ended()
        bad = {"address": ADDRESS, "over": "socket", "reason": "the token is not valid"}
        assert taken(lines, "token_refused") == [bad]
        await (await server.connect()).ended()
        assert taken(lines, "token_refused")[0]["reason"] == "a token is needed"
        foreign = "https://elsewhere.example"
        with pytest.raises(HTTPClientError):
            await server.connect(token=ann.token, headers={"Origin": foreign})
        await server.fetch("GET", "/auth/me", token=ann.token, headers={"Origin": foreign + "/" + "x" * 1000})
        first, second = taken(lines, "origin_refused")
        assert first == {"address": ADDRESS, "origin": foreign}
        assert len(second["origin"]) == 200
        await ann.chat()
        await (await server.connect(token=ann.token)).ended()
        assert taken(lines, "connections_limited") == [{"address": ADDRESS, "by": "user", "user_id": ann.id}]
        await bob.chat()
        await (await server.connect(token=cat.token)).ended()
        assert taken(lines, "connections_limited") == [{"address": ADDRESS, "by": "address"}]
        assert lines == []


async def test_bans(server: Server, lines: list[dict[str, Any]]) -> None:
    """When the server learns of one, and every way that the banned user tries."""
    ann = await server.person()
    lines.clear()
    await ann.chat()
    await ann.signal()
    await ban(server, ann.id)
    assert taken(lines, "account_banned") == [{"user_id": ann.id, "sockets": 2}]
    await ann.refused("forbidden", "GET", "/auth/me")
    await (await server.connect(token=ann.token)).ended()
    await server.refused("forbidden", "POST", "/auth/login", {"username": ann.name, "password": PASSWORD})
    await server.refused("forbidden", "POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]})
    assert taken(lines, "banned_refused") == [
        {"address": ADDRESS, "user_id": ann.id, "over": over}
        for over in ("REST", "socket", "sign-in", "refresh")
    ]
    await unban(server, ann.id)
    assert taken(lines, "account_unbanned") == [{"user_id": ann.id}]
    assert lines == []


async def test_rates(new_server: Callable[..., Server], lines: list[dict[str, Any]]) -> None:
    """An address over its rate, and a flood."""
    async with new_server(
        rate_limits=True,
        rest_rate=0.001,
        rest_burst=3.0,
        request_rate=0.001,
        request_burst=1.0,
        flood_refusals=5,
    ) as server:
        (ann,) = await server.people(1)
        socket = await server.connect(token=ann.token)
        connected = await socket.next("connected")
        with suppress(WebSocketClosedError):
            for _ in range(20):
                await socket.send(type="ping")
        await socket.ended()
        flood = {"address": ADDRESS, "user_id": ann.id, "connection_id": connected["connection_id"]}
        assert taken(lines, "flooding") == [flood]
        for _ in range(3):
            await server.call("GET", "/chat/stats")
        assert taken(lines, "requests_limited") == [{"address": ADDRESS}]
        await (await server.connect(token=ann.token)).ended()
        assert taken(lines, "requests_limited") == [{"address": ADDRESS}]
        assert lines == []


def test_refusals_do_not_fill_the_disk(lines: list[dict[str, Any]]) -> None:
    """So many of a kind and an address, then one in ten seconds; what is no refusal is always told."""
    clock = MovableClock()
    log = SecurityLog(clock)
    for number in range(1000):
        log.refused("token_refused", "198.51.100.1", over="REST", reason="x")
        log.tell("signed_in", user_id=str(number))
    assert len(taken(lines, "token_refused")) == REFUSALS_AT_ONCE
    assert len(taken(lines, "signed_in")) == 1000
    log.refused("token_refused", "198.51.100.2", over="REST", reason="x")
    log.refused("origin_refused", "198.51.100.1", origin="x")
    assert len(lines) == 2
    clock.advance(10.5)
    log.refused("token_refused", "198.51.100.1", over="REST", reason="x")
    assert len(lines) == 3


def test_an_event_that_is_not_in_the_table_cannot_be_told() -> None:
    """So that the table is all there is."""
    with pytest.raises(AssertionError):
        SecurityLog(Clock()).tell("something_else")


def test_the_document_has_the_table_of_events() -> None:
    """Each with when it is told, in the same words."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| .+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert dict(row for row in rows if row[0] in EVENTS) == EVENTS
