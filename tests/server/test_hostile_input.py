"""Input that means to be more than data: operators, keys with dots, other encodings, bombs; over REST and both sockets.

Which fields there are is asked of the server's own structs, so that a new one is tried too.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from time import thread_time
from typing import Any, get_args
from unittest.mock import patch

import msgspec
import pytest
from tornado import httputil

from handlers.routes import ROUTES
from server.apidocs.examples import example
from server.apidocs.schemas import Schemas
from server.app import HARD_BODY_BYTES, HEADER_BYTES
from server.protocol.requests import ChatRequest, SignalRequest
from tests.handlers.client import TEXT, client_frame
from tests.harness import PATIENCE, Person, Server, Socket

# What a query language would read as more than a value.
OPERATORS: list[Any] = [
    {"$ne": 1},
    {"$gt": ""},
    {"$where": "sleep(10000)"},
    {"$regex": ".*"},
    {"$in": ["a"]},
    {"a.b": 1},
    {"$set": {"invisible": True}},
    [{"$ne": 1}],
]
# The same as text, where text is what is asked for: data, which matches nothing but itself.
TEXTS = [
    "$where",
    "$ne",
    "a.b",
    "members.0",
    "key.wrapped",
    "$$ROOT",
    "{'$ne': 1}",
    '{"$gt": ""}',
    "__proto__",
]


def examples(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """A valid request of this struct, with every field that its document knows."""
    schemas = Schemas()
    made: dict[str, Any] = example(schemas.of(struct), schemas.named)
    return made


def fields_of(struct: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(struct):
        yield field.encode_name


def paths_of(path: str, values: list[str]) -> Iterator[str]:
    """The path with each of its ids in turn replaced by each of these."""
    for value in values:
        quoted = "".join(f"%{byte:02x}" for byte in value.encode())
        yield "/".join(quoted if part.startswith("{") else part for part in path.split("/"))


async def test_no_field_of_a_body_takes_an_operator(server: Server) -> None:
    """Every field of every call, and the body itself: refused before anything is looked up, and nothing changes."""
    (ann,) = await server.people(1)
    tried = 0
    before = await ann.ok("GET", "/auth/me")
    for route in ROUTES:
        path = route.path.replace("{", "x").replace("}", "x")
        if route.body is None:
            for operator in OPERATORS:
                await ann.refused("invalid_message", route.method, path, operator)
            continue
        for name in fields_of(route.body):
            for operator in OPERATORS:
                body = {**examples(route.body), name: operator}
                sentence = await ann.refused("invalid_message", route.method, path, body)
                assert name in sentence, (route.path, body, sentence)
                tried += 1
        for operator in OPERATORS[:-1]:
            await ann.refused("invalid_message", route.method, path, operator)
            await ann.refused("invalid_message", route.method, path, {**examples(route.body), **operator})
    assert tried > 150
    assert await ann.ok("GET", "/auth/me") == before


async def test_no_parameter_takes_an_operator(server: Server) -> None:
    """Neither as a name with brackets, which other servers make an object of, nor as text that looks like one."""
    (ann,) = await server.people(1)
    for route in ROUTES:
        if route.query is None:
            continue
        path = route.path.replace("{", "x").replace("}", "x")
        for name in fields_of(route.query):
            for query in (
                f"{name}[$ne]=1",
                f"{name}[%24gt]=",
                f"{name}.a=1",
                f"{name}[]=1",
                f"$where={name}",
            ):
                await ann.refused("invalid_message", route.method, f"{path}?{query}")
            for text in ("%7B%22%24ne%22%3A1%7D", "%24where", "a.b"):
                status, answer = await ann.call(route.method, f"{path}?{name}={text}")
                assert status in (400, 404) or answer in (
                    {"lands": []},
                    {"speech": []},
                    {"sessions": []},
                    {"count": 0, "users": []},
                ), (path, name, answer)


async def test_an_id_in_a_path_is_text(server: Server) -> None:
    """Operators and keys with dots are the ids of nothing: what is there is found by its own id alone."""
    ann, bob = await server.people(2)
    room = await ann.private(bob)
    land = await ann.land()
    await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "x"})
    for route in ROUTES:
        if "{" not in route.path:
            continue
        for path in paths_of(route.path, TEXTS):
            body = None if route.body is None else examples(route.body)
            status, answer = await ann.call(route.method, path, body)
            if route.path == "/users/{user_id}/block" and route.method == "DELETE":
                assert status in (204, 404), (route.path, answer)
            else:
                assert (status, answer["error"]["code"]) == (404, "not_found"), (path, answer)
    assert (await ann.ok("GET", f"/chat/sessions/{room}"))["last_seq"] == 1
    assert (await ann.ok("GET", f"/lands/{land}"))["id"] == land


async def test_names_that_look_like_operators_are_names(server: Server) -> None:
    """What may be called anything may be called that: it comes back as it was, and nothing else changed."""
    ann, bob = await server.people(2)
    for number, text in enumerate(TEXTS):
        await ann.ok("PATCH", "/auth/me", {"display_name": text})
        assert (await ann.ok("GET", "/auth/me"))["display_name"] == text
        land = await ann.land(x=20 * number, name=text)
        assert (await bob.ok("GET", f"/lands/{land}"))["name"] == text
        group = await ann.group(bob, name=text)
        sent = {"content": text, "client_id": text}
        await ann.ok("POST", f"/chat/sessions/{group}/messages", sent)
        (message,) = (await bob.ok("GET", f"/chat/sessions/{group}/messages"))["messages"]
        assert (message["content"], message["client_id"]) == (text, text)
    await ann.refused(
        "invalid_message", "POST", "/auth/register", {"username": "$where", "password": "long enough"}
    )


async def each_refused(socket: Socket, requests: Any) -> int:
    count = 0
    for struct in get_args(requests):
        valid = {**examples(struct), "type": struct.__struct_config__.tag}
        del valid["ref"]  # the harness's own: what a bad one gets is tested with the input of sockets
        for name in valid.keys() - {"type"}:
            for operator in OPERATORS:
                await socket.refused("invalid_message", **{**valid, name: operator})
                count += 1
    return count


async def test_no_field_of_a_frame_takes_an_operator(server: Server) -> None:
    """Every field of every request of both sockets, which stay open."""
    (ann,) = await server.people(1)
    for socket, requests in ((await ann.chat(), ChatRequest), (await ann.signal(), SignalRequest)):
        assert await each_refused(socket, requests) > 100
        await socket.quiet()


async def test_ids_in_frames_are_text(server: Server) -> None:
    """Rooms, people and calls of such names there are none, on either socket."""
    (ann,) = await server.people(1)
    chat, signal = await ann.chat(), await ann.signal()
    for text in TEXTS:
        await chat.refused("not_found", type="join_room", room_id=text)
        await chat.refused("not_found", type="send_message", room_id=text, content="x")
        await chat.refused("not_found", type="mark_read", room_id=text, seq=0)
        await chat.refused("not_found", type="resume", rooms=[{"room_id": text, "after_seq": 0}])
        await signal.refused("offline", type="call_initiate", callee_id=text, call_type="audio")
        for type in ("call_accept", "call_reject", "call_hangup", "call_rejoin"):
            await signal.refused("not_found", type=type, call_id=text)


# Encodings


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """50 MB within one frame. Made outside of the loop, which it would block."""
    squeezed = zlib.compressobj(wbits=-15)
    packed = squeezed.compress(b" " * 50_000_000) + squeezed.flush(zlib.Z_SYNC_FLUSH)
    assert len(packed) < 65_536
    return packed


@pytest.mark.parametrize("path", ["/ws/connect", "/webrtc/signal"])
async def test_no_compression_is_agreed_on(path: str, bomb: bytes, server: Server) -> None:
    """Whatever is offered: so nothing can be a bomb. A frame that is compressed all the same ends the connection."""
    (ann,) = await server.people(1)
    for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"):
        head, reader, writer = await upgraded(server, path, ann, f"Sec-WebSocket-Extensions: {offer}\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in head.lower()
        await read_frame(reader)  # connected
        writer.write(client_frame(TEXT, b'{"type": "ping"}'))
        assert b'"pong"' in await read_frame(reader)
        frame = client_frame(TEXT, bomb)
        writer.write(bytes((frame[0] | 0x40,)) + frame[1:])
        assert int.from_bytes((await read_frame(reader))[:2], "big") == 1002
        writer.close()


async def upgraded(
    server: Server, path: str, person: Person, headers: str
) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    writer.write(
        f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {person.token}\r\n{headers}\r\n".encode()
    )
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The payload of the next frame, of fewer than 64 KiB."""
    async with asyncio.timeout(PATIENCE):
        size = (await reader.readexactly(2))[1]
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)


async def test_a_compressed_body_is_no_body(server: Server) -> None:
    """A body is read as it comes: one in gzip or deflate is no JSON, however much would come of it."""
    (ann,) = await server.people(1)
    plain = b'{"display_name": "zipped"}'
    bomb = b'{"display_name": "' + b"x" * 40_000_000 + b'"}'
    for encoding, squeeze in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        for body in (plain, bomb):
            squeezed = await asyncio.to_thread(squeeze, body)
            response = await server.fetch(
                "PATCH", "/auth/me", squeezed, token=ann.token, headers={"Content-Encoding": encoding}
            )
            assert response.code == 400
            assert json.loads(response.body)["error"]["code"] == "invalid_message"
    assert (await ann.ok("PATCH", "/auth/me", plain))["display_name"] == "zipped"


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nann\r\n'
    b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\ncorrect horse\r\n--b--\r\n'
)
FORMS = [
    ("multipart/form-data; boundary=b", FORM),
    ("multipart/form-data; boundary=b", b"--b\r\n" * 9_000),
    ("multipart/form-data", FORM),
    ("application/x-www-form-urlencoded", b"username=ann&password=correct+horse"),
    ("application/x-www-form-urlencoded", b"a&" * 30_000),
]


async def test_no_form_is_looked_for_in_a_body(server: Server) -> None:
    """A form is no JSON, whatever it is called; Tornado's parser of forms does not see it."""
    await server.person("ann")
    with patch.object(httputil, "parse_body_arguments", wraps=httputil.parse_body_arguments) as parsing:
        for content_type, body in FORMS:
            for path in ("/auth/login", "/auth/register", "/nothing"):
                response = await server.fetch("POST", path, body, headers={"Content-Type": content_type})
                assert response.code == (404 if path == "/nothing" else 400), (path, content_type)
                assert b"error" in response.body
        assert not parsing.called


async def test_what_takes_no_body_reads_none(server: Server) -> None:
    """Pages and sockets hang up on one that is longer than a line, before it is there; so there is nothing to parse."""
    for path in ("/", "/healthz", "/static/index.html", "/api/openapi.json", "/api/v1/ws/connect"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {HARD_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 "), path
        writer.close()
        assert (await server.fetch("POST", server.origin + path, b"x")).code in (400, 405), path


# Sizes


async def test_headers_and_urls_have_16_kib_at_most(server: Server) -> None:
    """Up to that they are read, however many; with more the connection ends, and what there was is forgotten."""
    near = HEADER_BYTES - 300
    for line, header in (
        ("GET /healthz", "X-Long: " + "x" * near),
        ("GET /healthz", "\r\n".join(f"x{number}:" for number in range(2_000))),
        ("GET /healthz", "Cookie: " + "a=b;" * (near // 4)),
        ("GET /" + "x" * near, "X: y"),
        ("GET /healthz?" + "a&" * 900, "X: y"),
    ):
        started = thread_time()
        head = await first_line(server, f"{line} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")
        assert head.startswith(("HTTP/1.1 200 ", "HTTP/1.1 404 ")), (line[:20], header[:20], head)
        assert thread_time() - started < 1
    for line, header in (
        ("GET /healthz", "X-Long: " + "x" * HEADER_BYTES),
        ("GET /healthz", "\r\n".join(f"x{number}: y" for number in range(5_000))),
        ("GET /" + "x" * HEADER_BYTES, "X: y"),
        ("GET /healthz?a=" + "x" * HEADER_BYTES, "X: y"),
    ):
        assert await first_line(server, f"{line} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n") == ""


async def first_line(server: Server, request: str) -> str:
    """Of the answer; nothing if the connection just ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    try:
        writer.write(request.encode())
        async with asyncio.timeout(PATIENCE):
            return (await reader.readline()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()


async def test_numbers_of_any_length_are_answered_at_once(server: Server) -> None:
    """Sixty thousand digits, before the point, behind it and in the exponent: an error, or the number that it is."""
    (ann,) = await server.people(1)
    chat, room = await ann.chat(), await ann.land()
    digits = "9" * 60_000
    for number in (
        digits,
        f"-{digits}",
        f"0.{digits}",
        f"1e{digits}",
        f"1e-{digits}",
        f"{digits}.{digits[:100]}",
    ):
        for frame in (
            f'{{"type": "mark_read", "room_id": "{room}", "seq": {number}, "ref": "r"}}',
            f'{{"type": "update_location", "y": 0, "x": {number}, "ref": "r"}}',
            f'{{"type": "ping", "unknown": {number}, "ref": "r"}}',
        ):
            started = thread_time()
            await chat.send_raw(frame)
            answer = await chat.next_of({"error", "location_updated"})
            assert answer.get("code") in (None, "invalid_message")
            assert thread_time() - started < 1
        status, _ = await ann.call("PATCH", f"/lands/{room}", f'{{"width": {number}}}'.encode())
        assert status == (200 if number.startswith("0.") else 400), number[:20]
    status, _ = await ann.call("GET", f"/chat/sessions/{room}/messages?before={'9' * 9_000}")
    assert status == 400


async def test_of_a_doubled_key_the_last_counts_and_each_is_checked(server: Server) -> None:
    """So nothing gets past behind a value that was looked at."""
    ann, bob, cid = await server.people(3)
    mine, theirs = await ann.land(), await bob.private(cid)
    socket = await ann.chat()

    async def said(text: str) -> dict[str, Any]:
        await socket.send_raw(text)
        return await socket.next_of({"error", "joined_room", "pong"})

    first_bad = f'{{"type": "join_room", "room_id": {{"$ne": 1}}, "room_id": "{mine}"}}'
    last_bad = f'{{"type": "join_room", "room_id": "{mine}", "room_id": {{"$ne": 1}}}}'
    for text in (first_bad, last_bad):
        assert (await said(text))["code"] == "invalid_message"
    foreign_last = f'{{"type": "join_room", "room_id": "{mine}", "room_id": "{theirs}"}}'
    assert (await said(foreign_last))["code"] == "not_found"
    own_last = f'{{"type": "join_room", "room_id": "{theirs}", "room_id": "{mine}"}}'
    assert (await said(own_last))["room_id"] == mine
    body = b'{"display_name": "first", "display_name": "last"}'
    assert (await ann.ok("PATCH", "/auth/me", body))["display_name"] == "last"
    await ann.refused("invalid_message", "PATCH", "/auth/me", b'{"display_name": 1, "display_name": "last"}')
