"""The OpenAPI 3.1 document of the REST calls, made from the table of routes. `handlers.docs` serves it.

apispec puts it together: it resolves names to references and refuses duplicates. The schemas are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from apispec import APISpec

from handlers.rest import BASE_PATH, Route
from server.apidocs.examples import example
from server.apidocs.schemas import Schema, Schemas, without_null
from server.apidocs.words import ERRORS
from server.errors import STATUS
from server.protocol.limits import PROTOCOL_VERSION, Id
from server.protocol.shapes import ErrorShape

ABOUT: Final = """\
The REST calls of a Hereabouts server. What happens live comes over the two WebSockets, `/ws/connect` and \
`/webrtc/signal`, described in their own document, `/api/asyncapi.json`.

JSON in UTF-8. Ids are opaque strings, times RFC 3339 in UTC with milliseconds, lengths count code points. \
Unknown fields and parameters in a request are an error; unknown fields in an answer are to be ignored. A cursor or \
`next_…` is absent at the end of a list. A browser may call from this server's own origin, or from one on its list; \
from another it gets 403."""
TOKEN: Final = """\
The `access_token` that `/auth/register`, `/auth/login` and `/auth/refresh` give, as `Authorization: Bearer <token>`. \
On this page, a successful call of one of the three authorizes all others."""
GROUPS: Final = {
    "auth": "Who one is: accounts, logins, tokens.",
    "users": "Who others are.",
    "chat": "Sessions and what is said in them.",
    "lands": "Parcels of the worlds.",
    "ws": "Who is connected.",
    "webrtc": "What calls need besides the signaling socket.",
}
PATH_PARAMETERS: Final = {
    "session_id": "a session, or a land, whose session has its id",
    "land_id": "a land",
    "user_id": "a user",
    "message_id": "a message of the session",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document, as JSON takes it."""
    spec = APISpec(
        title="Hereabouts REST",
        version=str(PROTOCOL_VERSION),
        openapi_version="3.1.0",
        info={"description": ABOUT},
        servers=[{"url": BASE_PATH}],
    )
    spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": TOKEN}
    )
    for group, description in GROUPS.items():
        spec.tag({"name": group, "description": description})
    schemas = Schemas()
    for code in sorted({code for route in routes for code in errors_of(route)}):
        spec.components.response(code, _error(code, schemas))
    for route in routes:
        spec.path(path=route.path, operations={route.method.lower(): _operation(route, schemas)})
    for name, schema in schemas.named.items():
        spec.components.schema(name, schema)
    return spec.to_dict()


def errors_of(route: Route) -> list[str]:
    """Every code that the call may be refused with, by status."""
    codes = {"invalid_message", "rate_limited", "unavailable", *route.errors}
    if route.token != "none":
        codes |= {"unauthorized", "forbidden"}  # a ban
    if route.body is not None:
        codes.add("too_large")
    return sorted(codes, key=STATUS.__getitem__)


def _operation(route: Route, schemas: Schemas) -> Schema:
    operation: Schema = {
        "operationId": route.serve.__name__,
        "tags": [route.group],
        "summary": route.summary,
        "parameters": [*_path_parameters(route, schemas), *_query_parameters(route, schemas)],
        "security": {"needed": [{"bearer": []}], "optional": [{}, {"bearer": []}], "none": []}[route.token],
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas.of(route.body), schemas)}
    answers: dict[str, Any] = {}
    for status in (route.status, *route.also):
        answers[str(status)] = {"description": HTTPStatus(status).phrase}
        if route.answer is not None:
            answers[str(status)]["content"] = _json(schemas.of(route.answer), schemas)
    operation["responses"] = answers | {str(STATUS[code]): code for code in errors_of(route)}
    return operation


def _path_parameters(route: Route, schemas: Schemas) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name],
            "schema": {key: value for key, value in schemas.of(Id).items() if key != "description"},
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route, schemas: Schemas) -> list[Schema]:
    if route.query is None:
        return []
    query = schemas.whole(route.query)
    parameters = []
    for name, schema in query["properties"].items():
        schema = without_null(schema)
        parameter = {"name": name, "in": "query", "required": name in query["required"], "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        parameters.append(parameter)
    return parameters


def _json(schema: Schema, schemas: Schemas) -> Schema:
    return {"application/json": {"schema": schema, "example": example(schema, schemas.named)}}


def _error(code: str, schemas: Schemas) -> Schema:
    content = _json(schemas.of(ErrorShape), schemas)
    told: dict[str, Any] = {"code": code, "message": "a sentence for people"}
    response: Schema = {"description": f"`{code}`: {ERRORS[code]}", "content": content}
    if code == "rate_limited":
        told["retry_after"] = 1.5
        seconds = {"schema": {"type": "integer"}, "description": "whole seconds to wait"}
        response["headers"] = {"Retry-After": seconds}
    content["application/json"]["example"] = {"error": told}
    return response
