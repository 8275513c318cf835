"""What must be nowhere: what people typed in the database, and what signs them in in the logs."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from bson import encode
from pymongo import MongoClient

from tests.harness import PASSWORD
from tests.journeys.conftest import NewProcess

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
