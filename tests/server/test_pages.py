"""The headers of what a browser loads."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from handlers.base import HEADERS
from handlers.pages import STATIC
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


# Compression


async def plain(server: Server, path: str, **headers: str) -> HTTPResponse:
    """As it came: nothing is decompressed."""
    request = HTTPRequest(server.origin + path, headers=headers, decompress_response=False)
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def size(path: str) -> int:
    return (STATIC / path.removeprefix("/static/")).stat().st_size


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "gzip ; q=1, *;q=0"])
async def test_text_comes_compressed_to_who_takes_it(accepted: str, server: Server) -> None:
    """And is what it was; at the second time too, when it is at hand."""
    path = "/static/js/main.js"
    for _ in range(2):
        response = await plain(server, path, **{"Accept-Encoding": accepted})
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert response.headers["Content-Type"] == "text/javascript"
        assert int(response.headers["Content-Length"]) == len(response.body) < size(path)
        assert gzip.decompress(response.body) == (STATIC / "js/main.js").read_bytes()


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, *;q=0"])
async def test_it_comes_as_it_is_to_who_does_not(accepted: str, server: Server) -> None:
    """Also after others have had it compressed."""
    await plain(server, "/static/js/main.js", **{"Accept-Encoding": "gzip"})
    response = await plain(server, "/static/js/main.js", **{"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.body == (STATIC / "js/main.js").read_bytes()


async def test_each_form_has_a_tag_of_its_own_and_is_not_sent_again(server: Server) -> None:
    tags = set()
    for accepted in ("gzip", "identity", "gzip"):
        response = await plain(server, "/", **{"Accept-Encoding": accepted})
        tags.add(response.headers["ETag"])
        again = {"Accept-Encoding": accepted, "If-None-Match": response.headers["ETag"]}
        assert (await plain(server, "/", **again)).code == 304
        other = {**again, "Accept-Encoding": "identity" if accepted == "gzip" else "gzip"}
        assert (await plain(server, "/", **other)).code == 200
    assert len(tags) == 2


async def test_a_part_is_one_of_the_plain_form_and_pictures_are_left_alone(server: Server) -> None:
    part = await plain(server, "/static/js/main.js", **{"Accept-Encoding": "gzip", "Range": "bytes=3-9"})
    assert part.code == 206 and part.body == (STATIC / "js/main.js").read_bytes()[3:10]
    font = next((STATIC / "vendor").rglob("*.woff2"))
    response = await plain(server, f"/static/{font.relative_to(STATIC)}", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers and "Vary" not in response.headers
    assert response.body == font.read_bytes()


@pytest.mark.parametrize(
    "path", ["/static/js/main.js.gz", "/static/../run.py", "/static/none.js", "/static/js"]
)
async def test_nothing_is_found_compressed_that_is_not_there(path: str, server: Server) -> None:
    await plain(server, "/static/js/main.js", **{"Accept-Encoding": "gzip"})
    assert (await plain(server, path, **{"Accept-Encoding": "gzip"})).code in (403, 404)
