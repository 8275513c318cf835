"""Bad input over REST: its documented error, nothing above 499, and the data whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from handlers.routes import ROUTES
from tests.harness import Person, Server

BODIES = [route for route in ROUTES if route.body is not None]

BAD_JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"{} {}",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xff"}',
    b"[" * 5000,
    b'{"a":' * 5000,
    b"\x00",
    b"username=ann&password=correct+horse",
]


def path_of(template: str) -> str:
    return template.format(session_id="x", land_id="x", user_id="x", message_id="x")


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_body_that_is_no_json_object(server: Server, route: Any) -> None:
    """Every call that takes a body refuses each of them with a sentence."""
    ann = await server.person()
    for body in BAD_JSON:
        response = await server.fetch(route.method, path_of(route.path), body, token=ann.token)
        assert response.code == 400, (body[:20], response.body)
        error = json.loads(response.body)["error"]
        assert error["code"] == "invalid_message"
        assert error["message"]


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_field_that_is_not_known(server: Server, route: Any) -> None:
    """It is named, wherever it is sent, and also if its name is an operator of the database."""
    ann = await server.person()
    for name in ("unknown", "$where", "a.b", ""):
        status, answer = await ann.call(route.method, path_of(route.path), {name: 1})
        assert status == 400
        assert answer["error"]["code"] == "invalid_message"


@pytest.mark.parametrize("value", [{"$ne": ""}, {"$gt": ""}, ["x"], 1, None, True, "", "x" * 100_000])
async def test_a_value_of_the_wrong_kind(server: Server, value: Any) -> None:
    """Operators of the database are values of the wrong type like others; too long is too long."""
    ann = await server.person()
    land = await ann.land()
    expected = 413 if isinstance(value, str) and len(value) > 65_536 else 400
    for method, path, field in (
        ("POST", "/auth/login", "username"),
        ("POST", "/auth/register", "username"),
        ("POST", "/lands", "name"),
        ("PATCH", f"/lands/{land}", "name"),
        ("POST", f"/chat/sessions/{land}/messages", "content"),
        ("POST", "/chat/sessions", "participant_ids"),
    ):
        if field == "participant_ids" and value == ["x"]:
            continue  # the right type; nobody's id
        if path == "/auth/login" and value == "":
            continue  # a name that nobody has, like others
        whole = {"password": "correct horse", "username": "ann"} if path.startswith("/auth") else {}
        status, _ = await ann.call(method, path, {**whole, field: value})
        assert status == expected, (method, path)
    assert (await ann.ok("GET", f"/lands/{land}"))["name"] == "land"
    assert (await ann.ok("GET", f"/chat/sessions/{land}/messages"))["messages"] == []


async def test_the_largest_body(server: Server) -> None:
    """64 KiB are read; one byte more is `too_large`, also far beyond, and the connection goes on."""
    ann = await server.person()
    for size, status in ((65_536, 400), (65_537, 413), (900_000, 413)):
        padded = b'{"content": ' + b" " * (size - 13) + b"1"
        response = await server.fetch("POST", "/lands", padded, token=ann.token)
        assert response.code == status
    assert response.code == 413 and json.loads(response.body)["error"]["code"] == "too_large"


@pytest.mark.parametrize(
    "path",
    [
        "/chat/sessions?cursor=none+of+ours",
        "/chat/sessions?cursor=" + "x" * 200,
        "/chat/sessions?unknown=1",
        "/ws/online-users?unknown=1",
        "/users",
        "/users?username=a&username=b",
        "/users?username=%ff",
        "/lands?x=1",
        "/lands?x0=1&y0=1&x1=0&y1=2",
        "/lands?x=1&y=1&radius=51",
        "/lands?x=1&y=1&radius=0",
        "/lands?x=nan&y=1&radius=1",
        "/lands?x=inf&y=1&radius=1",
        "/lands?x=1&y=1&radius=1&x0=0&y0=0&x1=1&y1=1",
        "/lands?world_id=a%20b",
        "/auth/me?token=x",
    ],
)
async def test_a_parameter_that_makes_no_sense(server: Server, path: str) -> None:
    """Unknown, twice, missing, out of range, not a number: `invalid_message`."""
    ann = await server.person()
    status, answer = await ann.call("GET", path)
    assert status == 400
    assert answer["error"]["code"] == "invalid_message"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/auth/me/", 404),
        ("GET", "/users/" + "x" * 65, 404),
        ("GET", "/users/x%2fy", 404),
        ("GET", "/users/%00", 404),
        ("GET", "/users/$ne", 404),
        ("GET", "/lands/../../healthz", 404),
        ("PUT", "/auth/me", 405),
        ("DELETE", "/lands", 405),
        ("POST", "/users/x", 405),
    ],
)
async def test_a_path_or_a_method_that_is_not_there(
    server: Server, method: str, path: str, status: int
) -> None:
    """404 and 405 in the same words as every other refusal."""
    ann = await server.person()
    response = await server.fetch(method, path, b"{}" if method in ("PUT", "POST") else None, token=ann.token)
    assert response.code == status
    assert set(json.loads(response.body)["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    "path", ["/static/../run.py", "/static/%2e%2e/run.py", "/static/.gitignore", "/static//etc/passwd"]
)
async def test_nothing_but_the_static_folder_is_served(server: Server, path: str) -> None:
    """However the path is written."""
    response = await server.fetch("GET", server.origin + path)
    assert response.code in (403, 404)
    assert b"import" not in response.body


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=6,
)


def test_whatever_json_comes_is_answered(server: Server, io_loop: IOLoop) -> None:
    """Fields of the right names with any value: an answer below 500, and a server that goes on."""
    ann: Person = io_loop.run_sync(server.person)
    routes = [route for route in BODIES if "password" not in route.path and not route.sign_in]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def answered(data: st.DataObject) -> None:
        route = data.draw(st.sampled_from(routes))
        names = st.sampled_from(route.body.__struct_fields__)
        body = data.draw(st.dictionaries(names, JSON_VALUES))

        async def post() -> int:
            encoded = json.dumps(body).encode()
            return (await server.fetch(route.method, path_of(route.path), encoded, token=ann.token)).code

        assert io_loop.run_sync(post) < 500

    answered()
