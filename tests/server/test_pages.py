"""The headers of what a browser loads."""

from __future__ import annotations

import pytest

from tests.harness import Server


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
