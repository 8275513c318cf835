"""Which pages of which sites a browser may call from: one rule for sockets and REST."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tornado.httpclient import HTTPClientError

from tests.harness import Server

FRIEND = "https://game.example:8443"
FOREIGN = (
    "https://elsewhere.example",
    "https://game.example",
    "http://game.example:8443",
    "https://game.example:8443.elsewhere.example",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "null",
    "x",
    "http://[",
    "http://user@{host}",
    "http://{host}.elsewhere.example",
    "http://x{host}",
    "http://{host}@elsewhere.example",
    "http://elsewhere.example#{host}",
    "http://{host}x",
    "ftp://{host}",
    "//{host}",
    "{host}",
    "file://",
    "https://xgame.example:8443",
    "https://game.example:8443@elsewhere.example",
    "https://game.example:84430",
    "https://game.example:8443 https://elsewhere.example",
    "https://elsewhere.example, https://game.example:8443",
    "https://GAME.example:8443.",
    "*",
    "https://*",
)


async def test_a_foreign_page_may_neither_call_nor_connect(new_server: Callable[..., Server]) -> None:
    """403, with or without a token, and nothing that would let the page read the answer."""
    async with new_server(allowed_origins=(FRIEND,)) as server:
        ann = await server.person()
        for template in FOREIGN:
            origin = template.format(host=server.origin.removeprefix("http://"))
            for method in ("GET", "OPTIONS"):
                response = await server.fetch(method, "/auth/me", token=ann.token, headers={"Origin": origin})
                assert response.code == 403, origin
                assert "Access-Control-Allow-Origin" not in response.headers
            for path in ("/ws/connect", "/webrtc/signal"):
                with pytest.raises(HTTPClientError) as refused:
                    await server.connect(path, token=ann.token, headers={"Origin": origin})
                assert refused.value.code == 403, origin
        body = {"username": "somebody", "password": "correct horse"}
        response = await server.fetch("POST", "/auth/register", body, headers={"Origin": FOREIGN[0]})
        assert response.code == 403
        await ann.refused("not_found", "GET", "/users?username=somebody")


async def test_own_pages_and_those_on_the_list_may(new_server: Callable[..., Server]) -> None:
    """On both sockets and over REST, errors included: a page has to be able to read those."""
    async with new_server(allowed_origins=(FRIEND,)) as server:
        ann = await server.person()
        for origin in (server.origin, FRIEND):
            response = await server.fetch("GET", "/auth/me", token=ann.token, headers={"Origin": origin})
            refused = await server.fetch("GET", "/auth/me", headers={"Origin": origin})
            assert (response.code, refused.code) == (200, 401)
            for answer in (response, refused):
                assert answer.headers["Access-Control-Allow-Origin"] == origin
                assert "Origin" in answer.headers["Vary"]
                assert "Access-Control-Allow-Credentials" not in answer.headers
            for path in ("/ws/connect", "/webrtc/signal"):
                socket = await server.connect(path, token=ann.token, headers={"Origin": origin})
                await socket.next("connected")


async def test_a_page_without_tls_is_not_ones_own_with_it(new_server: Callable[..., Server]) -> None:
    """Where the server is reached by https, a page of the same name by http may be anybody's on the way."""
    async with new_server(trusted_proxies=("127.0.0.1",)) as server:
        ann = await server.person()
        here = server.origin.partition("://")[2]
        for forwarded, scheme, status in (
            ("https", "https", 200),
            ("https", "http", 403),
            ("http", "http", 200),
        ):
            headers = {"Origin": f"{scheme}://{here}", "X-Forwarded-Proto": forwarded}
            response = await server.fetch("GET", "/auth/me", token=ann.token, headers=headers)
            assert response.code == status, (forwarded, scheme)
            if status == 200:
                socket = await server.connect(token=ann.token, headers=headers)
                await socket.next("connected")
            else:
                with pytest.raises(HTTPClientError) as refused:
                    await server.connect(token=ann.token, headers=headers)
                assert refused.value.code == 403


async def test_what_is_no_browser_needs_no_origin(server: Server) -> None:
    """A game's own client, a bot, curl."""
    ann = await server.person()
    response = await server.fetch("GET", "/auth/me", token=ann.token)
    assert response.code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    await ann.chat()


async def test_a_preflight_names_the_methods_and_headers(new_server: Callable[..., Server]) -> None:
    """Before its call a browser asks; no token comes with the question."""
    async with new_server(allowed_origins=(FRIEND,)) as server:
        headers = {"Origin": FRIEND, "Access-Control-Request-Method": "PATCH"}
        response = await server.fetch("OPTIONS", "/auth/me", headers=headers)
        assert response.code == 204
        assert response.body == b""
        assert response.headers["Access-Control-Allow-Origin"] == FRIEND
        methods = set(response.headers["Access-Control-Allow-Methods"].split(", "))
        assert methods == {"GET", "PATCH", "DELETE"}
        allowed = {name.lower() for name in response.headers["Access-Control-Allow-Headers"].split(", ")}
        assert {"authorization", "content-type"} <= allowed
