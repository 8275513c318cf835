"""REST: a table of routes, and the one handler that serves them all.

A `Route` says all there is to say of a call (who may, what comes in, what goes out) and names the
function that does it. The same table makes the OpenAPI document, so neither can stray.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from handlers.bodies import BodyHandler
from server.codec import Decoder, convert
from server.dispatch import SLACK_SECONDS, as_api_error
from server.errors import ApiError, forbidden, invalid, not_found, unauthorized
from server.logs import log
from server.node import Node
from server.services.tokens import Claims

BASE_PATH: Final = "/api/v1"
NO_BODY: Final = re.compile(rb"\s*(\{\s*\}\s*)?")  # libraries send `{}` where there is nothing to send


@dataclass(slots=True)
class Call:
    """One request, its parts checked: what a route's function works on."""

    node: Node
    claims: Claims | None
    address: str
    path: dict[str, str]
    body: Any = None
    query: Any = None

    @property
    def user_id(self) -> str:
        """The caller of a route that needs a token."""
        if self.claims is None:
            raise unauthorized("a token is needed")
        return self.claims.user_id


@dataclass(frozen=True, slots=True)
class Reply:
    """A body with a status other than the route's first."""

    status: int
    body: Any


Serve = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API. `answer` is the shape of its body, None for an empty 204."""

    method: str
    path: str
    serve: Serve
    summary: str
    answer: Any = None
    status: int = 200
    also: tuple[int, ...] = ()  # other statuses of success
    token: Literal["needed", "optional", "none"] = "needed"
    body: Any = None
    query: Any = None
    errors: tuple[str, ...] = ()  # besides those that every call may have
    sign_in: bool = False  # costs a password hash: throttled by address

    @property
    def group(self) -> str:
        return self.path.split("/")[1]


class RestHandler(BodyHandler):
    """All methods of one path."""

    routes: dict[str, tuple[Route, Decoder | None]]
    route: Route | None = None
    _foreign = False

    def initialize(self, node: Node, routes: dict[str, tuple[Route, Decoder | None]]) -> None:  # type: ignore[override]
        super().initialize(node)
        self.routes = routes

    def set_request_headers(self) -> None:
        super().set_request_headers()
        origin = self.request.headers.get("Origin")
        if origin:
            self.set_header("Vary", "Origin")
            if self.is_own_origin(origin):
                self.set_header("Access-Control-Allow-Origin", origin)
                self.set_header("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")

    def prepare(self) -> None:
        origin = self.request.headers.get("Origin")
        self._foreign = bool(origin) and not self.is_own_origin(str(origin))
        super().prepare()

    def compute_etag(self) -> None:
        """None: answers are not cached, and hashing each of them would be for nothing."""

    def is_refused(self) -> bool:
        if super().is_refused():
            return True
        if self._foreign:
            self.note_foreign_origin()
            self.refuse(forbidden("this origin may not call"))
        return self._foreign

    def options(self, **path: str) -> None:
        if self.is_refused():
            return
        self.set_header("Access-Control-Allow-Methods", ", ".join(self.routes))
        self.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
        self.set_header("Access-Control-Max-Age", "600")
        self.set_status(HTTPStatus.NO_CONTENT)

    async def _serve(self, **path: str) -> None:
        if self.is_refused():
            return
        if not self.node.ready:
            # Over a connection that was open already: one who stops takes nothing on.
            self.set_header("Connection", "close")
            self.refuse(ApiError("unavailable", "starting or stopping", retry_after=self.restart_delay()))
            return
        self._started = time.perf_counter()
        self.node.requests_under_way += 1
        try:
            await self._answer(path)
        finally:
            self.node.requests_under_way -= 1

    async def _answer(self, path: dict[str, str]) -> None:
        method = str(self.request.method)
        if method not in self.routes:
            self.set_header("Allow", ", ".join(self.routes))
            self.set_status(HTTPStatus.METHOD_NOT_ALLOWED)
            self.finish_json(
                {"error": {"code": "invalid_message", "message": f"expected {' or '.join(self.routes)}"}}
            )
            return
        route, decoder = self.routes[method]
        self.route = route
        try:
            # Passwords wait for their turn to be hashed, and that may take longer.
            seconds = None if route.sign_in else self.node.settings.storage_timeout + SLACK_SECONDS
            async with asyncio.timeout(seconds):
                claims = await self._identify(route)
                call = Call(self.node, claims, self.address, path, self._body(decoder), self._query(route))
                reply = await route.serve(call)
        except Exception as error:
            self.refuse(
                as_api_error(error, request=f"{route.method} {route.path}", request_id=self.request_id)
            )
            return
        if isinstance(reply, Reply):
            self.set_status(reply.status)
            reply = reply.body
        else:
            self.set_status(route.status)
        if route.answer is None:
            self.finish()
        else:
            self.finish_json(reply)

    get = post = put = patch = delete = head = _serve

    async def _identify(self, route: Route) -> Claims | None:
        node = self.node
        node.quotas.admit(self.address, sign_in=route.sign_in)
        header = self.request.headers.get("Authorization")
        if route.token == "none" or (route.token == "optional" and header is None):
            return None
        if header is None:
            raise unauthorized("a token is needed")
        try:
            claims = await node.accounts.identify(node.tokens.verify(self.bearer(header)))
            # Again: the login may have ended while somebody was looked up.
            node.tokens.check_login(claims)
        except ApiError as error:
            self.note_refused_token(error, over="REST")
            raise
        node.quotas.charge(claims.user_id)
        return claims

    def _body(self, decoder: Decoder | None) -> Any:
        if decoder is None:
            if not NO_BODY.fullmatch(self.body):
                raise invalid("this call takes no body")
            return None
        if not self.body:
            raise invalid("expected a JSON object, got an empty body")
        return decoder.decode(self.body)

    def _query(self, route: Route) -> Any:
        given: dict[str, str] = {}
        for name, values in self.request.query_arguments.items():
            if len(values) > 1:
                raise invalid(f"expected one `{name}`, got {len(values)}")
            try:
                given[name] = values[0].decode()
            except UnicodeDecodeError:
                raise invalid(f"expected `{name}` in UTF-8") from None
        if route.query is None:
            if given:
                raise invalid(f"this call takes no parameters, got `{next(iter(given))}`")
            return None
        return convert(given, route.query)

    def on_finish(self) -> None:
        if self.route is None:
            return
        seconds = time.perf_counter() - self._started
        labels = (self.route.method, self.route.path, str(self.get_status()))
        self.node.metrics.rest.labels(*labels).observe(seconds)
        log.debug("request", request_id=self.request_id, method=labels[0], route=labels[1], status=labels[2])


class NotFound(BodyHandler):
    """Every path that is nothing else."""

    def _refuse(self) -> None:
        if not self.is_refused():
            self.refuse(not_found("route"))

    get = post = put = patch = delete = head = options = _refuse
