"""JSON over HTTP: every failure is a HereaboutsError."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tornado.testing import bind_unused_port

from client.errors import HereaboutsError
from client.http import Http


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[Http]:
    """A client of a server that gives this answer to everything; None: none at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    http = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield http
    http.close()
    server.close()


async def failure(http: Http) -> HereaboutsError:
    with pytest.raises(HereaboutsError) as raised:
        await http.send("GET", "/path")
    return raised.value


OURS = json.dumps({"error": {"code": "rate_limited", "message": "slowly", "retry_after": 1.5}})


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("429 Too Many", OURS, ("rate_limited", 429, 1.5, True)),
        ("503 Busy\r\nRetry-After: 7", "<html>", ("unavailable", 503, 7.0, True)),
        ("404 What", "[]", ("invalid_message", 404, None, False)),
        ("200 OK", "<html>", ("network", None, None, True)),
    ],
    ids=["ours", "a proxy's", "not an error of ours", "a portal's"],
)
async def test_an_answer_that_refuses(head: str, body: str, expected: tuple[object, ...]) -> None:
    """With the server's words, or what its status says."""
    answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    async with answering(answer.encode()) as http:
        error = await failure(http)
        assert (error.code, error.status, error.retry_after, error.transient) == expected


async def test_an_answer_that_is_cut_off() -> None:
    async with answering(b"") as http:
        assert (await failure(http)).code == "network"


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.http.TIMEOUT", 0.1)
    async with answering(None) as http:
        assert (await failure(http)).code == "timeout"


async def test_a_server_that_is_not_there() -> None:
    listening, port = bind_unused_port()
    listening.close()
    http = Http(f"http://127.0.0.1:{port}")
    assert (await failure(http)).code == "network"
    http.close()
