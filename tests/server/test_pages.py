"""The headers of what a browser loads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handlers.base import HEADERS
from tests.harness import Server

STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


async def headers(server: Server, path: str, **sent: str) -> dict[str, str]:
    response = await server.fetch("GET", server.origin + path, headers=sent)
    return dict(response.headers.get_all())


@pytest.mark.parametrize("path", ["/", "/api/docs", "/static/js/main.js"])
async def test_a_page_runs_what_is_the_servers_own_and_makes_no_code_out_of_strings(
    path: str, server: Server
) -> None:
    """Its policy begins with nothing at all; nothing inline, nothing evaluated, no policy of Trusted Types."""
    found = await headers(server, path)
    directives = dict(each.split(" ", 1) for each in found["Content-Security-Policy"].split("; "))
    assert STRICT.items() <= directives.items()
    assert not any("unsafe" in each or "*" in each or "blob:" in each for each in directives.values())
    # The style sheet of Swagger UI has its icons inside.
    assert [name for name, value in directives.items() if "data:" in value] == (
        ["img-src"] if path == "/api/docs" else []
    )
    assert found["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_the_demo_may_ask_for_camera_and_microphone_and_the_api_page_for_nothing(
    server: Server,
) -> None:
    """Neither may hand them to another origin."""
    for path, allowed in (("/", ["camera", "display-capture", "microphone"]), ("/api/docs", [])):
        features = dict(
            each.split("=") for each in (await headers(server, path))["Permissions-Policy"].split(", ")
        )
        assert [name for name, who in features.items() if who != "()"] == allowed
        assert {features[name] for name in allowed} <= {"(self)"}
        assert "geolocation" in features


@pytest.mark.parametrize(
    "path",
    ["/", "/api/docs", "/static/none", "/none", "/healthz", "/api/openapi.json", "/api/v1/auth/me",
     "/api/v1/chat/stats", "/api/v1/none"],
)  # fmt: skip
async def test_whatever_is_answered_is_taken_for_what_it_says_it_is(path: str, server: Server) -> None:
    """Errors too: not sniffed, not loaded or framed by other sites, and a page only where it is one."""
    found = await headers(server, path)
    for name, value in HEADERS.items():
        if name != "Content-Security-Policy" or path not in ("/", "/api/docs"):
            assert found[name] == value, name
    assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
    assert "Server" not in found
    assert "Strict-Transport-Security" not in found


async def test_only_who_came_by_tls_is_told_to_come_by_tls(new_server: Callable[..., Server]) -> None:
    """A proxy that is trusted says so; of anybody else it is not believed."""
    async with new_server(trusted_proxies=("127.0.0.1",)) as server:
        for path in ("/", "/none", "/api/v1/chat/stats"):
            secure = await headers(server, path, **{"X-Forwarded-Proto": "https"})
            assert secure["Strict-Transport-Security"] == "max-age=31536000"
            plain = await headers(server, path, **{"X-Forwarded-Proto": "http"})
            assert "Strict-Transport-Security" not in plain
    async with new_server() as server:
        claimed = await headers(server, "/", **{"X-Forwarded-Proto": "https"})
        assert "Strict-Transport-Security" not in claimed


async def connecting(server: Server, host: str) -> str:
    """Where a page that was asked for at this host may connect to."""
    response = await server.fetch("GET", f"{server.origin}/", headers={"Host": host})
    if response.code == 400:
        return "refused"
    policy = response.headers["Content-Security-Policy"].split("; ")
    return next(directive for directive in policy if directive.startswith("connect-src")).strip()


@pytest.mark.parametrize("host", ["localhost:8000", "play.example.org", "127.0.0.1:1", "[::1]:8000"])
async def test_a_page_connects_to_its_own_server_alone(host: str, server: Server) -> None:
    """By the name that the browser knows it by, over HTTP and sockets."""
    assert await connecting(server, host) == f"connect-src 'self' ws://{host} wss://{host}"


@pytest.mark.parametrize(
    "host", ["*", "*.example.org", "x y", "x'y", "x; img-src *", "x,y", "a/b", "a:b", "[::1", "x:123456"]
)
async def test_a_host_that_is_none_is_not_in_the_policy(host: str, server: Server) -> None:
    """Nor does it end the directive and begin another. Some the framework refuses by itself."""
    assert await connecting(server, host) in ("connect-src 'self'", "refused")
