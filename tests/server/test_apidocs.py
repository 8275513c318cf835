"""The API documents by themselves: that they are valid, and that they and the code name the same things."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from openapi_spec_validator import validate

from handlers import openapi
from handlers.routes import CHAT_PATH, ROUTES, SIGNAL_PATH
from server import errors
from server.apidocs import asyncapi
from server.apidocs.words import CLOSES, ERRORS
from server.protocol import requests
from server.protocol.events import CHAT_EVENTS, SIGNAL_EVENTS
from tests.harness import Server
from tests.server.documents import check, resolve

METASCHEMA = Path(__file__).parent / "asyncapi-3.0.0.json"


@pytest.fixture(scope="module")
def rest() -> dict[str, Any]:
    return openapi.document(ROUTES)


@pytest.fixture(scope="module")
def sockets() -> dict[str, Any]:
    return asyncapi.document("/api/v1")


def test_the_openapi_document_is_valid(rest: dict[str, Any]) -> None:
    """It keeps the rules of OpenAPI 3.1, unique operation ids included."""
    assert rest["openapi"] == "3.1.0"
    validate(rest)


def test_the_asyncapi_document_is_valid(sockets: dict[str, Any]) -> None:
    """It keeps AsyncAPI's own schema, and each reference in it leads somewhere."""
    assert sockets["asyncapi"] == "3.0.0"
    Draft7Validator(json.loads(METASCHEMA.read_text())).validate(sockets)

    def follow(node: Any) -> None:
        for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            follow(part)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            resolve(sockets, node)

    follow(sockets)


def test_the_asyncapi_schema_refuses_what_is_wrong(sockets: dict[str, Any]) -> None:
    """The shortened schema still bites: an operation that is neither sent nor received is an error."""
    wrong = json.loads(json.dumps(sockets))
    wrong["operations"]["chat.events"]["action"] = "shout"
    assert not Draft7Validator(json.loads(METASCHEMA.read_text())).is_valid(wrong)


def test_every_route_and_only_those_are_documented(rest: dict[str, Any]) -> None:
    """The document's paths and methods are the table's."""
    documented = [(method.upper(), path) for path, methods in rest["paths"].items() for method in methods]
    assert sorted(documented) == sorted((route.method, route.path) for route in ROUTES)
    assert {tag["name"] for tag in rest["tags"]} == {route.group for route in ROUTES}


async def test_every_documented_route_answers(server: Server, rest: dict[str, Any]) -> None:
    """Without a token each of them answers, as documented, and none is unknown to the server."""
    for path, methods in rest["paths"].items():
        for method, operation in methods.items():
            status, body = await server.call(method.upper(), path.replace("{", "").replace("}", ""))
            assert str(status) in operation["responses"], (method, path, status)
            assert "no such route" not in json.dumps(body), (method, path)
            wanted = {"bearer": []} in operation["security"] and {} not in operation["security"]
            assert (status == 401) == wanted, (method, path, status)


async def test_every_request_and_event_is_documented_and_nothing_else(
    server: Server, sockets: dict[str, Any]
) -> None:
    """The messages of a channel are the rows of its dispatch table and the events of its socket."""
    node = server.app.node
    tables = {"chat": node.chat_dispatcher._table, "signal": node.signal_dispatcher._table}
    events = {"chat": CHAT_EVENTS, "signal": SIGNAL_EVENTS}
    for channel, table in tables.items():
        ours = {asyncapi.client_key(request) for request in table}
        ours |= {asyncapi.server_key(event) for event in events[channel]}
        assert set(sockets["channels"][channel]["messages"]) == ours
    assert set(tables["chat"]) == set(requests.ChatRequest.__args__)
    assert set(tables["signal"]) == set(requests.SignalRequest.__args__)
    addresses = {channel["address"] for channel in sockets["channels"].values()}
    assert {f"/api/v1{address}" for address in addresses} == {CHAT_PATH, SIGNAL_PATH}


def test_every_example_is_valid(rest: dict[str, Any], sockets: dict[str, Any]) -> None:
    """What the pages show as an example is what the schema beside it allows."""
    for message in sockets["components"]["messages"].values():
        for example in message["examples"]:
            check(sockets, message["payload"], example["payload"])
    for methods in rest["paths"].values():
        for operation in methods.values():
            answers = [resolve(rest, answer) for answer in operation["responses"].values()]
            for part in [operation.get("requestBody", {}), *answers]:
                for content in part.get("content", {}).values():
                    check(rest, content["schema"], content["example"])


def test_every_error_and_close_has_words(rest: dict[str, Any], sockets: dict[str, Any]) -> None:
    """The codes explained are the codes of `server.errors`, and the types list the same."""
    assert set(ERRORS) == set(errors.STATUS)
    closes = {close.code for close in vars(errors).values() if isinstance(close, errors.Close)}
    made = {errors.restarting(1).code, errors.try_later(1).code, errors.token_refused("").code}
    assert set(CLOSES) == closes | made | {1009}
    told = sockets["components"]["messages"]["server.error"]["payload"]["properties"]["code"]["enum"]
    assert set(told) == set(ERRORS)
    rest_codes = rest["components"]["schemas"]["ErrorBody"]["properties"]["code"]["enum"]
    assert (
        set(rest_codes)
        == set(ERRORS) - {"not_joined", "busy", "offline"}
        == set(rest["components"]["responses"])
    )


async def test_the_pages_are_served(server: Server) -> None:
    """The page has the strict policy of all pages, and the documents say where they were fetched from."""
    page = await server.fetch("GET", f"{server.origin}/api/docs")
    assert page.code == 200 and b"Hereabouts API" in page.body
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    found = json.loads((await server.fetch("GET", f"{server.origin}/api/openapi.json")).body)
    assert found["servers"] == [{"url": "/api/v1"}]
    found = json.loads((await server.fetch("GET", f"{server.origin}/api/asyncapi.json")).body)
    here = found["servers"]["here"]
    assert f"{here['protocol']}://{here['host']}{here['pathname']}" == server.api.replace("http", "ws")
    assert (await server.fetch("HEAD", f"{server.origin}/api/docs")).code == 200


async def test_behind_a_proxy_the_document_names_the_secure_address(new_server: Any) -> None:
    """What a trusted proxy says of the client's side is believed; anybody else is not."""
    for trusted, protocol in ((("127.0.0.1",), "wss"), ((), "ws")):
        async with new_server(trusted_proxies=trusted) as server:
            answer = await server.fetch(
                "GET", f"{server.origin}/api/asyncapi.json", headers={"X-Forwarded-Proto": "https"}
            )
            assert json.loads(answer.body)["servers"]["here"]["protocol"] == protocol
