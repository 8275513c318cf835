"""The client library's JSON over HTTP, in a real Chromium: every failure is a HereaboutsError."""

from __future__ import annotations

from typing import Any

from tests.browser.client import forgive
from tests.harness import Server
from tests.http_answers import REFUSALS, answer_of, answering

FAILURE = """async ({ url, timeout }) => {
  const { Http } = await import('/static/js/client/http.js');
  const { HereaboutsError } = await import('/static/js/client/errors.js');
  try {
    return { answer: await new Http(url).send('GET', '/path', { timeout }) };
  } catch (error) {
    const { code, status, retryAfter, transient } = error;
    return { ours: error instanceof HereaboutsError, code, status, retryAfter, transient };
  }
}"""
HALF = answer_of("200 OK", "{", length=9)
HALF_REFUSAL = answer_of("503 Busy", "{", length=9)


async def test_every_failure_is_one_of_ours(server: Server, browse) -> None:
    """The server's words, or what its status says; and an answer that does not come, or half of it."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann", bypass_csp=True)  # else no other server may be asked

        async def failure(answer: bytes, *, hangs: bool = False) -> dict[str, Any]:
            async with answering(answer, hangs=hangs) as url:
                error = await visitor.page.evaluate(
                    FAILURE, {"url": url, "timeout": 500 if hangs else 15_000}
                )
            assert error.get("ours"), error
            return error

        for head, body, expected in REFUSALS.values():
            error = await failure(answer_of(head, body))
            assert (
                error["code"],
                error.get("status"),
                error.get("retryAfter"),
                error["transient"],
            ) == expected
        for answer in (b"", HALF, HALF_REFUSAL):
            assert (await failure(answer))["code"] == "network"
            assert (await failure(answer, hangs=True))["code"] == "timeout"
        visitor.complaints = [text for text in visitor.complaints if "Failed to load resource" not in text]
        forgive(visitor)
