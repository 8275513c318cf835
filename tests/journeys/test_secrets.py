"""What must be nowhere: what people typed in the database, and what signs them in in the logs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from bson import encode
from pymongo import MongoClient
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from tests.harness import PASSWORD
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process

TYPED = "meet me behind the lighthouse"


def dump(uri: str) -> bytes:
    """Every document of every collection, as bytes."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        database = client["hereabouts"]
        return b"".join(
            encode(document)
            for name in database.list_collection_names()
            for document in database[name].find()
        )


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_secrets_stay_where_they_are(new_process: NewProcess, log_format: str) -> None:
    """Bodies are encrypted, passwords and refresh tokens hashed; logs at their most talkative hold none of it."""
    process = new_process("--log-level", "debug", "--log-format", log_format)
    await process.start()
    ann, bob = await process.person(), await process.person()
    land, private = await ann.land(), await ann.private(bob)
    ticket = (await ann.ok("POST", "/auth/ticket"))["ticket"]
    sockets = [
        await process.connect(query=f"?ticket={ticket}"),
        await process.connect(query=f"?token={ann.token}"),
        await process.connect(subprotocols=["bearer", ann.token]),
        await process.connect("/webrtc/signal", token=ann.token),
        await process.connect(query=f"?token={ann.token}x"),
    ]
    for socket in sockets[:3]:
        await socket.next("connected")
    await sockets[0].ask("joined_room", type="join_room", room_id=land)
    for room in (land, private):
        await sockets[0].ask("message_ack", type="send_message", room_id=room, content=TYPED)
        await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": TYPED})
        await ann.call("POST", f"/chat/sessions/{room}/messages", {"content": TYPED, "unknown": 1})
    await sockets[0].ask("location_updated", type="update_location", x=0, y=0)
    await sockets[0].ask("speech_ack", type="say", content=TYPED)
    await process.call("POST", "/auth/login", {"username": ann.name, "password": PASSWORD + "x"})
    await process.call("POST", "/auth/refresh", {"refresh_token": bob.pair["refresh_token"]})
    await sockets[0].ask("token_renewed", type="renew_token", access_token=ann.token)

    stored = dump(process.mongod_uri)
    for secret in (TYPED, PASSWORD, ann.token, ann.pair["refresh_token"], bob.pair["refresh_token"]):
        assert secret.encode() not in stored
    assert ann.name.encode() in stored  # the dump is one
    await process.stop()
    logged = process.stderr.read_text()
    assert "socket_opened" in logged
    signature = ann.token.rpartition(".")[2]
    for secret in (TYPED, PASSWORD, signature, ticket, ann.pair["refresh_token"], bob.pair["refresh_token"]):
        assert secret not in logged


CANARY = "canary-7d1f"


def canaries() -> Iterator[str]:
    """Words that nothing else has, one for each way; what is found in a log names the way."""
    for number in range(1000):
        yield f"{CANARY}-{number:03d}"


async def try_all_ways(process: Process, good: str) -> list[str]:
    """Hands over, in every way there is, tokens that are bad in different manners; the words in them."""
    words, used = canaries(), []

    def word() -> str:
        used.append(next(words))
        return used[-1]

    def tokens() -> Iterator[str]:
        """A word where a signature would be, in a claim, and by itself."""
        yield f"{good.rpartition('.')[0]}.{word()}"
        yield jwt.encode({"sub": word(), "name": word()}, word() + "x" * 32, algorithm="HS256")
        yield word()

    origins: list[dict[str, str]] = [{}, {"Origin": "https://elsewhere.example"}]
    url = process.api.replace("http", "ws", 1)
    for path in ("/ws/connect", "/webrtc/signal"):
        for origin in origins:
            for token in tokens():
                for query, headers, offered in (
                    ("", {"Authorization": f"Bearer {token}"}, None),
                    ("", {"Authorization": f"Basic {token}"}, None),
                    ("", {}, ["bearer", token]),
                    ("", {}, [token]),
                    (f"?token={token}", {}, None),
                    (f"?ticket={token}", {}, None),
                    (f"?access_token={token}&ticket=%ff{token}", {}, None),
                ):
                    request = HTTPRequest(url + path + query, headers={**headers, **origin})
                    with suppress(HTTPClientError):
                        connection = await websocket_connect(request, subprotocols=offered)
                        assert await connection.read_message() is None
                        connection.close()
    for token in tokens():
        bearer = {"Authorization": f"Bearer {token}"}
        for method, path, body, headers in (
            ("GET", "/auth/me", None, bearer),
            ("GET", f"/auth/me?token={token}", None, {}),
            ("GET", f"/users?username={token}", None, bearer),
            ("GET", f"/users/{quote(token)}", None, bearer),
            ("GET", f"/{quote(token)}", None, {}),
            ("PUT", f"/{quote(token)}", None, {}),
            ("GET", "/auth/me", None, {"Cookie": f"token={token}"}),
            ("POST", "/auth/refresh", {"refresh_token": token}, {}),
            ("POST", "/auth/refresh", {"refresh_token": [token]}, {}),
            ("POST", "/auth/refresh", {token: token}, {}),
            ("POST", "/auth/login", {"username": token, "password": token}, {}),
            ("POST", "/auth/login", {"username": token, "password": {token: 1}}, {}),
            ("POST", "/auth/register", {"username": "x", "password": token}, {}),
            ("POST", "/auth/register", {"username": f"u{len(used)}", "password": token[:200]}, {}),
            (
                "POST",
                "/auth/password",
                {"old": token[:200], "new": token[:200]},
                {"Authorization": f"Bearer {good}"},
            ),
            ("POST", "/auth/password", {"old": token, "new": "x"}, bearer),
            ("POST", "/auth/login", f'{{"username": "{token}'.encode(), {}),
        ):
            await process.fetch(method, path, body, headers=headers)
        await process.fetch("GET", f"{process.origin}/{token}", headers=bearer)
        await process.fetch("GET", f"{process.origin}/metrics?token={token}", headers=bearer)
    socket = await process.connect(token=good)
    await socket.next("connected")
    for token in tokens():
        await socket.send(type="renew_token", access_token=token)
        await socket.send(type=token, access_token=token)
        await socket.send_raw(token)
        await socket.send_raw(token.encode())
    with suppress(WebSocketClosedError):
        await socket.ask("pong", type="ping")
    return used


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_token_is_logged_whichever_way_it_comes(new_process: NewProcess, log_format: str) -> None:
    """Good or bad, in every header, parameter, path, body and frame: at the most talkative level no line has it."""
    process = new_process("--log-level", "debug", "--log-format", log_format)
    await process.start()
    ann = await process.person()
    words = await try_all_ways(process, ann.token)
    assert len(words) >= 30
    await process.stop()
    logged = process.stderr.read_text()
    for told in ("token_refused", "origin_refused", "sign_in_refused", "refresh_refused", "socket_opened"):
        assert told in logged
    found = [line for line in logged.splitlines() if CANARY in line or ann.token.rpartition(".")[2] in line]
    assert found == []
    assert CANARY not in process.stdout.read_text()
    if log_format == "json":
        events = [json.loads(line) for line in logged.splitlines()]
        security = [event for event in events if event["logger"] == "hereabouts.security"]
        assert {event["level"] for event in security} == {"info"}
        assert {"signed_up", "token_refused"} <= {event["event"] for event in security}


async def test_security_events_are_told_whatever_the_level(new_process: NewProcess) -> None:
    """An operator who wants to hear of errors alone still has them."""
    process = new_process("--log-level", "error")
    await process.start()
    ann = await process.person()
    await ann.ok("GET", "/auth/me")
    await process.stop()
    (line,) = process.stderr.read_text().splitlines()
    told = json.loads(line)
    assert (told["logger"], told["event"], told["user_id"]) == ("hereabouts.security", "signed_up", ann.id)


CURL = """
curl -s {origin}/api/v1/ws/online-users
curl -s -H "Authorization: Bearer {token}" {origin}/api/v1/chat/sessions
curl -s -H "Authorization: Bearer {token}" {origin}/api/v1/chat/sessions/{land}/messages?limit=50
curl -s {origin}/api/v1/chat/land/{land}/participants?radius=5
curl -s {origin}/api/v1/ws/stats
curl -s {origin}/api/v1/webrtc/active-calls
"""


async def test_the_examples_of_the_design_document(new_process: NewProcess) -> None:
    """Its curl commands and its JavaScript's frames work as they stand; without a token lists are counts."""
    import asyncio
    import json

    process = new_process()
    await process.start()
    ann = await process.person()
    land = await ann.land()
    socket = await process.connect(query=f"?token={ann.token}")
    await socket.next("connected")
    await socket.send(type="join_room", room_id=land)
    assert (await socket.next("joined_room"))["room_id"] == land
    await socket.send(type="send_message", room_id=land, content="Hello world!")
    message = await socket.next("message")
    assert (message["sender_username"], message["content"]) == (ann.name, "Hello world!")
    await socket.send(type="update_location", x=10, y=20)
    assert (await socket.next("location_updated"))["x"] == 10
    await socket.next("nearby_users")
    answers = []
    for line in CURL.format(origin=process.origin, token=ann.token, land=land).strip().splitlines():
        done = await asyncio.to_thread(subprocess.run, line, shell=True, capture_output=True, check=True)
        answers.append(json.loads(done.stdout))
    online, sessions, history, participants, stats, calls = answers
    assert online == {"count": 1}
    assert [session["id"] for session in sessions["sessions"]] == [land]
    assert [message["content"] for message in history["messages"]] == ["Hello world!"]
    assert participants == {"count": 0}
    assert stats == {"connections": 1, "users": 1, "rooms": 1}
    assert calls == {"ringing": 0, "active": 0}
    await process.stop()
