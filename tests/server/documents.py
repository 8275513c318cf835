"""Holds what a running server says to its own documents: every answer, every event, every request.

`RecordingServer` is the harness's server with a listener at each door. Objects of the documents are
closed here (`additionalProperties: false`), so that a field which nobody documented fails.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tornado.httpclient import HTTPResponse

from tests.harness import Server, Socket


class Documents:
    """Both documents, and validators of what is in them."""

    def __init__(self, openapi: dict[str, Any], asyncapi: dict[str, Any]) -> None:
        self.openapi = openapi
        self.asyncapi = asyncapi
        self.operations = {
            (method.upper(), path): operation
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
        }

    def route(self, method: str, path: str) -> tuple[str, str]:
        """The documented path that a request's path is an instance of; literal ones come first."""
        for known, template in sorted(self.operations, key=lambda key: key[1].count("{")):
            if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return method, template
        raise AssertionError(f"{method} {path} is not documented")

    def check_answer(self, route: tuple[str, str], status: int, body: Any) -> None:
        answers = self.operations[route]["responses"]
        assert str(status) in answers, f"{route} answered {status}, documented are {list(answers)}: {body}"
        answer = resolve(self.openapi, answers[str(status)])
        if "content" not in answer:
            assert body is None, f"{route} answered {status} with {body}"
            return
        check(self.openapi, answer["content"]["application/json"]["schema"], body)

    def check_body(self, route: tuple[str, str], body: Any) -> None:
        operation = self.operations[route]
        assert "requestBody" in operation, f"{route} takes a body that is not documented"
        check(self.openapi, operation["requestBody"]["content"]["application/json"]["schema"], body)

    def check_message(self, channel: str, key: str, message: Any) -> None:
        messages = self.asyncapi["channels"][channel]["messages"]
        assert key in messages, f"{key} is not documented for {channel}: {message}"
        check(self.asyncapi, resolve(self.asyncapi, messages[key])["payload"], message)

    def check_reply(self, channel: str, request: dict[str, Any], reply: dict[str, Any]) -> None:
        """What carries the `ref` of a request is a documented answer to it, or a documented error."""
        operation = self.asyncapi["operations"][f"{channel}.client.{request['type']}"]
        known = {message["$ref"].rpartition(".")[2] for message in operation["reply"]["messages"]}
        assert reply["type"] in known, f"{request} was answered by {reply}, documented are {known}"
        if reply["type"] == "error":
            assert f"- `{reply['code']}`:" in operation["description"], f"{request} met {reply}"


class RecordingServer(Server):
    """Checks what it can at once, and keeps the events for `check_events`."""

    documents: Documents

    async def start(self) -> None:
        await super().start()
        self.answered: set[tuple[str, str, int]] = set()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.requests: dict[tuple[int, str], tuple[str, dict[str, Any]]] = {}
        self.replies: list[tuple[int, dict[str, Any]]] = []
        openapi, asyncapi = [
            json.loads(
                (await super(RecordingServer, self).fetch("GET", f"{self.origin}/api/{name}.json")).body
            )
            for name in ("openapi", "asyncapi")
        ]
        self.documents = Documents(openapi, asyncapi)

    async def fetch(self, method: str, path: str, body: Any = None, **options: Any) -> HTTPResponse:
        response = await super().fetch(method, path, body, **options)
        if path.startswith("/"):
            route = self.documents.route(method, urlsplit(path).path)
            answer = json.loads(response.body) if response.body else None
            self.documents.check_answer(route, response.code, answer)
            if isinstance(body, dict) and response.code < 400:
                self.documents.check_body(route, body)
            self.answered.add((*route, response.code))
        return response

    async def connect(self, path: str = "/ws/connect", **options: Any) -> Socket:
        socket = await super().connect(path, **options)
        channel = "chat" if path == "/ws/connect" else "signal"
        send_raw, number = socket.send_raw, len(self._sockets)

        async def send(message: str | bytes) -> None:
            request = json.loads(message)
            self.documents.check_message(channel, f"client.{request['type']}", request)
            if "ref" in request:
                self.requests[number, request["ref"]] = (channel, request)
            await send_raw(message)

        def came(event: dict[str, Any]) -> None:
            self.events.append((channel, event))
            if "ref" in event:
                self.replies.append((number, event))

        socket.send_raw = send  # type: ignore[method-assign]
        socket.events = _Told(came)
        return socket

    def check_events(self) -> set[tuple[str, str]]:
        """Validates all that came over the sockets; (channel, type) of everything seen."""
        for channel, event in self.events:
            self.documents.check_message(channel, f"server.{event['type']}", event)
        for number, event in self.replies:
            self.documents.check_reply(*self.requests[number, event["ref"]], event)
        return {(channel, event["type"]) for channel, event in self.events}


class _Told(list[dict[str, Any]]):
    """The list that a socket of the harness keeps its events in, with a listener."""

    def __init__(self, listener: Any) -> None:
        super().__init__()
        self._listener = listener

    def append(self, event: dict[str, Any]) -> None:
        self._listener(event)
        super().append(event)


def resolve(document: dict[str, Any], node: Any) -> Any:
    """Follows a `$ref` within the document, as far as it leads."""
    while "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Validates against a schema of a document, formats included, with every object closed."""
    whole = {**closed(schema), "components": {"schemas": closed(document["components"]["schemas"])}}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    assert not errors, f"{value} is not as documented: {errors}"


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(part) for key, part in schema.items()}
    if result.get("type") == "object" and "properties" in result:
        result.setdefault("additionalProperties", False)
    return result
