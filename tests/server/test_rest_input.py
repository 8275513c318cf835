"""What a REST call takes and refuses, whichever call it is: bodies, parameters, paths, methods, rates."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from unittest.mock import patch

import pytest

from tests.harness import Server

PATH = "/auth/me"
LONGEST = 65_536


async def test_a_body_that_is_no_json_object_is_refused(server: Server) -> None:
    """In the contract's shape, and nothing has changed."""
    (ann,) = await server.people(1)
    before = await ann.ok("GET", PATH)
    for body in (
        b"",
        b" ",
        b"{",
        b'{"invisible": true',
        b'{"invisible": true} x',
        b'{"invisible": true}{"invisible": true}',
        b"{'invisible': true}",
        b'{"invisible": True}',
        b'{"invisible": true,}',
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"invisible": true}'.decode().encode("utf-16"),
        b'{"display_name": "\xff"}',
        b'{"display_name": "\xed\xa0\x80"}',
        b'{"display_name": "\\ud800"}',
        b'{"display_name": "a\\ud800b"}',
        b'{"display_name": "\\udc00"}',
        b'{"display_name": "\\ud800\\u0041"}',
        b'{"\\ud800": 1}',
        b'{"display_name": "a\nb"}',
        b'{"display_name": NaN}',
        b'{"$set": {"invisible": true}}',
        b'{"invisible.x": true}',
        b'{"__proto__": {}}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"display_name": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ):
        assert await ann.refused("invalid_message", "PATCH", PATH, body), body[:50]
    assert await ann.ok("GET", PATH) == before
    assert await ann.ok("PATCH", PATH, b'{"display_name": "\\ud83d\\udc4b"}') == {
        **before,
        "display_name": "👋",
    }


async def test_a_body_has_64_kib_at_most(server: Server) -> None:
    """That much is read; a byte more is too large, whatever is in it, with a token or without."""
    (ann,) = await server.people(1)
    body = b'{"display_name": "whole"}'
    whole = body + b" " * (LONGEST - len(body))
    assert (await ann.ok("PATCH", PATH, whole))["display_name"] == "whole"
    for long in (whole + b" ", b"x" * (LONGEST + 1), b"[" * (LONGEST * 8)):
        await ann.refused("too_large", "PATCH", PATH, long)
    await server.refused("too_large", "POST", "/auth/login", whole + b" ")
    assert (await ann.ok("GET", PATH))["display_name"] == "whole"


async def exchange(
    server: Server, path: str, *pieces: bytes, headers: str
) -> tuple[str, dict[str, str], bytes]:
    """Writes a request whole before it reads a byte, as simple clients do; the answer, up to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    writer.write(f"POST /api/v1{path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("path", ["/auth/login", "/nothing"])
@pytest.mark.parametrize("how", ["length", "chunked", "expect"])
async def test_a_body_of_megabytes_is_refused_in_words(how: str, path: str, server: Server) -> None:
    """Whatever it is sent in; the client that writes on gets to read them. Then the connection ends."""
    piece = b"x" * 65_536
    if how == "chunked":
        pieces = [b"10000\r\n" + piece + b"\r\n"] * 48 + [b"0\r\n\r\n"]
        answer = await exchange(server, path, *pieces, headers="Transfer-Encoding: chunked")
    elif how == "length":
        answer = await exchange(server, path, *[piece] * 48, headers=f"Content-Length: {48 * len(piece)}")
    else:
        headers = f"Content-Length: {48 * len(piece)}\r\nExpect: 100-continue"
        answer = await exchange(server, path, headers=headers)
    status, fields, body = answer
    assert status.startswith("HTTP/1.1 413 ")
    assert fields["Connection"] == "close"
    assert json.loads(body)["error"]["code"] == "too_large"
    assert (await server.call("GET", "/chat/stats"))[0] == 200


async def test_a_body_without_an_end_is_not_read_for_ever(server: Server) -> None:
    """Who writes on after the refusal is hung up on."""
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with pytest.raises(ConnectionError):
        await exchange(server, "/auth/login", *[piece] * 1000, headers="Transfer-Encoding: chunked")
    assert server.app.node.requests_under_way == 0


async def test_a_client_that_goes_while_it_writes_leaves_nothing_behind(server: Server) -> None:
    """The stop waits for requests under way, and this one will never be over."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    writer.write(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)
    assert server.app.node.requests_under_way == 0


async def test_a_call_that_takes_no_body_refuses_one(server: Server) -> None:
    """None, an empty one and an empty object are the same."""
    (ann,) = await server.people(1)
    for body in (None, b"", b"{}", b" { } "):
        await ann.ok("POST", "/auth/ticket", body)
    for body in (b'{"x": 1}', b"[]", b"null", b"x", b"{}{}"):
        for method, path in (("POST", "/auth/ticket"), ("GET", PATH), ("DELETE", PATH)):
            await ann.refused("invalid_message", method, path, body)
    await ann.ok("GET", PATH)


async def test_parameters_are_those_of_the_call_once_each(server: Server) -> None:
    """Unknown, doubled or undecodable ones are refused, on calls that take some and calls that take none."""
    (ann,) = await server.people(1)
    for path in (
        "/auth/me?x=1",
        "/auth/me?",
        "/users?username=a&username=b",
        "/users?username=a&x=1",
        "/users?username[$ne]=a",
        "/users?username=%ff",
        "/users?username=%ed%a0%80",
        "/users",
        "/chat/sessions?limit=5",
        "/ws/online-users?page=1",
        "/chat/stats?x=1",
        "/lands?x=null&y=0&radius=5",
        "/lands/none?x=1",
    ):
        if path == "/auth/me?":
            await ann.ok("GET", path)  # an empty query is none
        else:
            await ann.refused("invalid_message", "GET", path)


async def test_what_is_no_route_is_not_found(server: Server) -> None:
    """In the same shape; with an id in a path that no id can be, too."""
    (ann,) = await server.people(1)
    for path in ("/", "/nothing", "/auth", "/auth/me/", "/users/", "/users/a/b", "/chat/sessions//messages"):
        await ann.refused("not_found", "GET", path)
    for path in ("/api/v2/auth/me", "/nothing", "/static/none"):
        assert (await server.fetch("GET", server.origin + path)).code == 404, path


async def test_files_are_those_below_static(server: Server) -> None:
    """Whichever way one tries to climb out."""
    for path in (
        "/static/../run.py",
        "/static/%2e%2e/run.py",
        "/static/%2e%2e%2frun.py",
        "/static//etc/passwd",
        "/static/%00",
    ):
        response = await server.fetch("GET", server.origin + path)
        assert response.code in (403, 404), path
        assert json.loads(response.body).keys() == {"error"}


async def test_a_method_that_a_path_lacks_is_refused_with_those_it_has(server: Server) -> None:
    """405, before any token is asked for."""
    for method in ("PUT", "POST", "HEAD"):
        response = await server.fetch(method, PATH, b"{}" if method != "HEAD" else None)
        assert response.code == 405
        assert set(response.headers["Allow"].split(", ")) == {"GET", "PATCH", "DELETE"}
    response = await server.fetch("PUT", PATH, b"{}")
    assert json.loads(response.body)["error"].keys() == {"code", "message"}


async def test_answers_are_json_that_nobody_keeps(server: Server) -> None:
    """And say nothing of what serves them; the type of the request's body does not matter."""
    (ann,) = await server.people(1)
    for content_type in (
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        headers = {"Content-Type": content_type}
        response = await server.fetch(
            "PATCH", PATH, b'{"invisible": false}', token=ann.token, headers=headers
        )
        assert response.code == 200, content_type
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in response.headers


async def test_every_answer_names_its_request(server: Server) -> None:
    """Refusals too, so that an operator finds the lines of the one that somebody complains of."""
    responses = [await server.fetch("GET", path) for path in ("/chat/stats", PATH, "/nothing")]
    ids = {response.headers["X-Request-Id"] for response in responses}
    assert len(ids) == 3


@pytest.mark.logs("^hereabouts ERROR event='uncaught_exception'", "^hereabouts WARNING event='server_error'")
async def test_the_lines_of_a_failure_have_the_id_of_the_request(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """As a field of its own, whoever writes them."""
    with patch.object(server.store, "ping", side_effect=RuntimeError("a bug")):
        response = await server.fetch("GET", f"{server.origin}/readyz")
    assert response.code == 500
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 2
    for line in lines:
        assert f"request_id='{response.headers['X-Request-Id']}'" in line


async def test_too_many_requests_of_an_address_wait(new_server: Callable[..., Server]) -> None:
    """429 with the seconds to wait, twice; after them it goes on."""
    async with new_server(rate_limits=True, rest_rate=0.1, rest_burst=3.0) as server:
        for _ in range(3):
            assert (await server.fetch("GET", "/chat/stats")).code == 200
        response = await server.fetch("GET", "/chat/stats")
        assert response.code == 429
        error = json.loads(response.body)["error"]
        assert error.keys() == {"code", "message", "retry_after"}
        assert error["code"] == "rate_limited"
        assert 0 < error["retry_after"] <= 10
        assert 1 <= int(response.headers["Retry-After"]) <= 10
        server.clock.advance(error["retry_after"])
        assert (await server.fetch("GET", "/chat/stats")).code == 200


async def test_sign_ins_of_an_address_wait_for_themselves(new_server: Callable[..., Server]) -> None:
    """Each costs a hash; other calls go on meanwhile."""
    async with new_server(rate_limits=True, login_rate=0.1, login_burst=1.0) as server:
        ann = await server.person()
        await server.refused("rate_limited", "POST", "/auth/login", {"username": "x", "password": "y"})
        await server.refused(
            "rate_limited", "POST", "/auth/register", {"username": "abc", "password": "k7-horse"}
        )
        await ann.refused("rate_limited", "POST", "/auth/password", {"old": "x", "new": "k7-horse"})
        await ann.ok("GET", PATH)


@pytest.mark.parametrize("trusted", [True, False])
async def test_behind_a_proxy_addresses_are_the_callers(
    trusted: bool, new_server: Callable[..., Server]
) -> None:
    """Where the proxy is trusted; otherwise the header is anybody's claim."""
    proxies = ("127.0.0.1", "192.0.2.1") if trusted else ()
    async with new_server(
        rate_limits=True, rest_rate=0.01, rest_burst=1.0, trusted_proxies=proxies
    ) as server:
        codes = []
        for hops in (
            "198.51.100.1",
            "198.51.100.2",
            "198.51.100.9, 198.51.100.1, 192.0.2.1",
            "198.51.100.3, 192.0.2.1",
        ):
            response = await server.fetch("GET", "/chat/stats", headers={"X-Forwarded-For": hops})
            codes.append(response.code)
        assert codes == ([200, 200, 429, 200] if trusted else [200, 429, 429, 429])
