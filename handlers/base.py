"""What every handler has: the node, a request id, the caller's address and token, the origin rule, error bodies."""

from __future__ import annotations

import asyncio
import random
from asyncio import Future
from typing import Any, Final
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler

from server.addresses import caller, is_among
from server.codec import encode
from server.errors import STATUS, ApiError, Banned, unauthorized
from server.ids import new_id
from server.logs import log
from server.node import Node

CODES: Final = {status: code for code, status in reversed(STATUS.items())}

# For whatever is no page: if a browser takes it for one, it may do nothing. Pages have policies of their own.
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# A year of this name alone: what else stands under the domain is for its owner to say.
STRICT_TRANSPORT: Final = "max-age=31536000"

# How far apart the clients of a stopping server are sent: they come back one after another.
RESTART_SPREAD_SECONDS: Final = 10.0

MOST_ORIGIN: Final = 200  # characters of a refused one that are logged: it is whatever its sender likes
# A caller that has not read its answer, or 64 KiB of a file, by then is hung up on: on the slowest of mobile
# networks it would have.
ANSWER_SECONDS: Final = 60.0


class Base(RequestHandler):
    """Tornado's handler, with ours in front."""

    node: Node

    def initialize(self, node: Node) -> None:
        self.node = node
        self.request_id = new_id()
        self.set_request_headers()

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        if hasattr(self, "request_id"):  # Tornado calls this first, before `initialize`
            self.set_request_headers()

    def set_request_headers(self) -> None:
        """Those that depend on the request."""
        self.set_header("X-Request-Id", self.request_id)
        if self.is_secure:  # a browser would ignore it from anywhere else (RFC 6797 §8.1)
            self.set_header("Strict-Transport-Security", STRICT_TRANSPORT)

    def _request_summary(self) -> str:
        # Tornado's has the query string, and that can hold a token.
        return f"{self.request.method} {self.request.path}"

    def log_exception(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        # Tornado's line has the whole request, its query string included.
        if not isinstance(error, HTTPError):
            log.error(
                "uncaught_exception",
                exc_info=error,
                request=self._request_summary(),
                request_id=self.request_id,
            )

    def is_own_origin(self, origin: str) -> bool:
        """Whether a browser's `Origin` is this server's own or on the list."""
        if origin.rstrip("/") in self.node.settings.allowed_origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False  # no origin at all, such as `http://[`
        # A page that came without TLS may be anybody's on the way to a server that has it.
        schemes = ("https",) if self.is_secure else ("http", "https")
        return parts.scheme in schemes and parts.netloc.lower() == self.request.host.lower() != ""

    def note_foreign_origin(self) -> None:
        origin = self.request.headers.get("Origin", "")
        self.node.security.refused("origin_refused", self.address, origin=origin[:MOST_ORIGIN])

    def note_refused_token(self, error: ApiError, *, over: str) -> None:
        if isinstance(error, Banned):
            self.node.security.refused("banned_refused", self.address, user_id=error.user_id, over=over)
        elif error.code == "unauthorized":
            self.node.security.refused("token_refused", self.address, over=over, reason=error.message)

    def bearer(self, header: str) -> str:
        """The token of an `Authorization` header (RFC 6750 §2.1)."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("expected `Authorization: Bearer <token>`")
        return token.strip()

    @property
    def address(self) -> str:
        """The caller's: the last hop before the proxies that are trusted."""
        forwarded_for = self.request.headers.get("X-Forwarded-For", "")
        return caller(self.request.remote_ip or "", forwarded_for, self.node.settings.proxies)

    @property
    def is_secure(self) -> bool:
        """Whether the caller speaks TLS: behind a proxy that is trusted, what that says of its other side."""
        if is_among(self.request.remote_ip or "", self.node.settings.proxies):
            return self.request.headers.get("X-Forwarded-Proto") == "https"
        return self.request.protocol == "https"

    def restart_delay(self) -> float:
        return random.uniform(0.5, RESTART_SPREAD_SECONDS)

    def refuse(self, error: ApiError) -> None:
        """Answers with the contract's error body."""
        self.finish(self.refusal(error))

    def refusal(self, error: ApiError) -> bytes:
        """The error body, and its status and headers set."""
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.retry_after is not None:
            body["retry_after"] = error.retry_after
            self.set_header("Retry-After", str(max(1, round(error.retry_after))))
        if error.code == "unauthorized":
            self.set_header("WWW-Authenticate", "Bearer")
        self.set_status(error.status)
        return self._as_json({"error": body})

    def finish_json(self, body: Any) -> None:
        self.finish(self._as_json(body))

    def _as_json(self, body: Any) -> bytes:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        return encode(body)

    def flush(self, include_footers: bool = False) -> Future[None]:
        """Tornado's, which would wait for ever for one that does not read."""
        written = super().flush(include_footers)
        stream = self.request.connection.stream  # type: ignore[union-attr]
        if stream is not None and stream.writing():
            timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, stream.close)
            written.add_done_callback(lambda written: timer.cancel())
        return written

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses (a bad method, a bad path): same body, its own status."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = self._reason
        if isinstance(error, HTTPError) and error.log_message and status_code < 500:
            message = error.log_message % error.args if error.args else error.log_message
        code = CODES.get(status_code, "invalid_message" if status_code < 500 else "unavailable")
        self.finish_json({"error": {"code": code, "message": message}})
