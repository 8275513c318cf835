"""A server of HTTP that answers wrongly, for the client libraries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_OURS: Final = json.dumps({"error": {"code": "rate_limited", "message": "slowly", "retry_after": 1.5}})

# Status and headers, body, and what becomes of it: code, status, seconds to wait, whether it may pass.
REFUSALS: Final = {
    "ours": ("429 Too Many", _OURS, ("rate_limited", 429, 1.5, True)),
    "a proxy's": ("503 Busy\r\nRetry-After: 7", "<html>", ("unavailable", 503, 7.0, True)),
    "not an error of ours": ("404 What", "[]", ("invalid_message", 404, None, False)),
    "a portal's": ("200 OK", "<html>", ("network", None, None, True)),
}
# For a page of another origin, which is told no header of itself.
_SHARED: Final = "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n"


def answer_of(head: str, body: str, *, length: int | None = None) -> bytes:
    """`length`: what the headers say of the body, where that is not so."""
    return (
        f"HTTP/1.1 {head}\r\n{_SHARED}Content-Length: {len(body) if length is None else length}\r\n\r\n{body}"
    ).encode()


@asynccontextmanager
async def answering(answer: bytes, *, hangs: bool = False) -> AsyncIterator[str]:
    """The address of a server that gives this answer to everything, then closes; or `hangs`, and says no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if hangs:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
