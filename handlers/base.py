"""What every handler has: the node, a request id, the caller's address and token, the origin rule, error bodies."""

from __future__ import annotations

import random
from typing import Any, Final
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler

from server.codec import encode
from server.errors import STATUS, ApiError, unauthorized
from server.ids import new_id
from server.logs import log
from server.node import Node

CODES: Final = {status: code for code, status in reversed(STATUS.items())}

# How far apart the clients of a stopping server are sent: they come back one after another.
RESTART_SPREAD_SECONDS: Final = 10.0


class Base(RequestHandler):
    """Tornado's handler, with ours in front."""

    node: Node

    def initialize(self, node: Node) -> None:
        self.node = node
        self.request_id = new_id()
        self.set_default_headers()

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        if hasattr(self, "request_id"):  # Tornado calls this first, before `initialize`
            self.set_header("X-Request-Id", self.request_id)

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
            return urlsplit(origin).netloc.lower() == self.request.host.lower() != ""
        except ValueError:
            return False  # no origin at all, such as `http://[`

    def bearer(self, header: str) -> str:
        """The token of an `Authorization` header (RFC 6750 §2.1)."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("expected `Authorization: Bearer <token>`")
        return token.strip()

    @property
    def address(self) -> str:
        """The caller's: the last hop before the proxies that are trusted (X-Forwarded-For, right to left)."""
        trusted = self.node.settings.trusted_proxies
        address = self.request.remote_ip or ""
        if address not in trusted:
            return address
        hops = [
            hop.strip() for hop in self.request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()
        ]
        return next((hop for hop in reversed(hops) if hop not in trusted), address)

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

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses (a bad method, a bad path): same body, its own status."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = self._reason
        if isinstance(error, HTTPError) and error.log_message and status_code < 500:
            message = error.log_message % error.args if error.args else error.log_message
        code = CODES.get(status_code, "invalid_message" if status_code < 500 else "unavailable")
        self.finish_json({"error": {"code": code, "message": message}})
