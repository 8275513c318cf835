"""Which handler serves which path."""

from __future__ import annotations

import re
from typing import Any

from tornado.routing import Rule, URLSpec

from handlers import accounts, chat
from handlers.docs import AsyncApi, DocsPage, OpenApi
from handlers.operations import Health, MetricsPage, Ready
from handlers.pages import STATIC, Files, NoPage, Visit
from handlers.rest import BASE_PATH, NotFound, RestHandler, Route
from handlers.socket import Socket, chat_endpoint, signal_endpoint
from handlers.wire import Wires
from server.codec import Decoder
from server.node import Node

ROUTES: tuple[Route, ...] = (*accounts.ROUTES, *chat.ROUTES)
CHAT_PATH = f"{BASE_PATH}/ws/connect"
SIGNAL_PATH = f"{BASE_PATH}/webrtc/signal"


def url_specs(node: Node, wires: Wires) -> list[Rule]:
    paths: dict[str, dict[str, tuple[Route, Decoder | None]]] = {}
    for route in ROUTES:
        decoder = Decoder(route.body) if route.body is not None else None
        paths.setdefault(route.path, {})[route.method] = (route, decoder)
    # Literal paths come before those with an id in the same place.
    ordered = sorted(paths.items(), key=lambda item: item[0].count("{"))
    shared: dict[str, Any] = {"node": node}
    files: dict[str, Any] = {**shared, "path": str(STATIC)}
    return [
        URLSpec(CHAT_PATH, Socket, {"endpoint": chat_endpoint(node), "wires": wires}),
        URLSpec(SIGNAL_PATH, Socket, {"endpoint": signal_endpoint(node), "wires": wires}),
        *(URLSpec(_pattern(path), RestHandler, {**shared, "routes": routes}) for path, routes in ordered),
        URLSpec(r"/api/docs()", DocsPage, files),
        URLSpec(r"/api/openapi.json", OpenApi, {**shared, "routes": ROUTES}),
        URLSpec(r"/api/asyncapi.json", AsyncApi, shared),
        URLSpec(r"/healthz", Health, shared),
        URLSpec(r"/readyz", Ready, shared),
        URLSpec(r"/metrics", MetricsPage, shared),
        URLSpec(r"/static/(.*)", Files, files),
        URLSpec(r"/()", Files, {**files, "default_filename": "index.html"}),
        Rule(Visit(), NoPage, files),
        URLSpec(r".*", NotFound, shared),
    ]


def _pattern(path: str) -> str:
    """`/lands/{land_id}` as a regular expression with named groups."""
    return BASE_PATH + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,64})", path)
