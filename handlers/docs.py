"""The API pages: one for people at `/api/docs`, and the two documents that it shows.

The documents are made from the code once, when first asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from handlers import openapi
from handlers.base import Base
from handlers.pages import Files, permissions, policy
from handlers.rest import BASE_PATH, Route
from server.apidocs import asyncapi
from server.node import Node


class DocsPage(Files):
    """`/api/docs`, under the policy of all pages but for the icons that Swagger UI's style sheet holds as `data:`.

    Swagger UI sets its styles through the DOM, which the policy allows. Its Markdown would turn strings into
    markup, which it does not: the page brings a component of its own for that (`static/docs/rest.js`).
    """

    def policy(self) -> str:
        return policy(self.request.host, img_src="'self' data:")

    def permissions(self) -> str:
        return permissions()

    async def get(self, path: str, include_body: bool = True) -> None:
        await super().get("docs/index.html", include_body)


class OpenApi(Base):
    """`/api/openapi.json`."""

    def initialize(self, node: Node, routes: tuple[Route, ...]) -> None:  # type: ignore[override]
        super().initialize(node)
        self.routes = routes

    def get(self) -> None:
        self.finish_json(_openapi(self.routes))


class AsyncApi(Base):
    """`/api/asyncapi.json`, with this server as the one that the client knows it by."""

    def get(self) -> None:
        document = _asyncapi()
        here = document["servers"]["here"]
        here = {**here, "host": self.request.host, "protocol": "wss" if self.is_secure else "ws"}
        self.finish_json({**document, "servers": {"here": here}})


@cache
def _openapi(routes: tuple[Route, ...]) -> dict[str, Any]:
    return openapi.document(routes)


@cache
def _asyncapi() -> dict[str, Any]:
    return asyncapi.document(BASE_PATH)
