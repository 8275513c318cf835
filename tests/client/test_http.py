"""JSON over HTTP: every failure is a HereaboutsError."""

from __future__ import annotations

import pytest
from tornado.testing import bind_unused_port

from client.errors import HereaboutsError
from client.http import Http
from tests.http_answers import REFUSALS, answer_of, answering


async def failure(url: str, timeout: float = 10.0) -> HereaboutsError:
    http = Http(url)
    with pytest.raises(HereaboutsError) as raised:
        await http.send("GET", "/path", timeout=timeout)
    http.close()
    return raised.value


@pytest.mark.parametrize(("head", "body", "expected"), REFUSALS.values(), ids=REFUSALS)
async def test_an_answer_that_refuses(head: str, body: str, expected: tuple[object, ...]) -> None:
    """With the server's words, or what its status says."""
    async with answering(answer_of(head, body)) as url:
        error = await failure(url)
        assert (error.code, error.status, error.retry_after, error.transient) == expected


@pytest.mark.parametrize("answer", [b"", answer_of("200 OK", "{", length=9)], ids=["at once", "in its body"])
async def test_an_answer_that_is_cut_off(answer: bytes) -> None:
    async with answering(answer) as url:
        assert (await failure(url)).code == "network"


@pytest.mark.parametrize("answer", [b"", answer_of("200 OK", "{", length=9)], ids=["none", "half of one"])
async def test_a_server_that_does_not_answer(answer: bytes) -> None:
    async with answering(answer, hangs=True) as url:
        assert (await failure(url, timeout=0.2)).code == "timeout"


async def test_a_server_that_is_not_there() -> None:
    listening, port = bind_unused_port()
    listening.close()
    assert (await failure(f"http://127.0.0.1:{port}")).code == "network"
