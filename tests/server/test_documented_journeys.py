"""A whole story over REST and both sockets, in which everything said is held to the documents (`documents.py`).

At the end of each journey, what the documents name and nobody met fails it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tornado.ioloop import IOLoop

from server.services import rooms
from storage.keyring import Keyring
from tests.harness import PASSWORD, Person, Socket
from tests.server.documents import RecordingServer


@pytest.fixture
def server(io_loop: IOLoop, mongodb_uri: str, database_name: str) -> Iterator[RecordingServer]:
    keyring = Keyring([Fernet.generate_key()])
    server = RecordingServer(mongodb_uri, database_name, keyring, stun_urls=("stun:stun.example.org",))
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


async def test_every_rest_answer_is_as_documented(server: RecordingServer) -> None:
    """Each route gives each of its successes, and refusals on the way, all with documented bodies."""
    ann, bob, eve = [await server.person() for _ in range(3)]
    await accounts(ann, bob)
    await lands(ann, bob)
    await sessions(ann, bob, eve)
    await online(ann)
    await farewells(ann, eve)
    documented = {
        (*route, int(status))
        for route, operation in server.documents.operations.items()
        for status in operation["responses"]
        if int(status) < 300
    }
    assert documented <= server.answered, documented - server.answered
    refusals = {status for _, _, status in server.answered if status >= 400}
    assert refusals == {400, 401, 403, 404, 409, 413}


async def accounts(ann: Person, bob: Person) -> None:
    server = ann.server
    credentials = {"username": ann.name, "password": PASSWORD}
    assert (await server.call("POST", "/auth/register", credentials))[0] == 409
    assert (await server.call("POST", "/auth/login", {**credentials, "password": "wrong"}))[0] == 401
    assert (await server.call("POST", "/auth/login", {**credentials, "more": "fields"}))[0] == 400
    assert (await server.call("POST", "/auth/login", credentials))[0] == 200
    assert (await server.call("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]}))[
        0
    ] == 200
    await ann.ok("POST", "/auth/ticket")
    await ann.ok("GET", "/auth/me")
    await ann.ok("PATCH", "/auth/me", {"display_name": "Ann", "invisible": False, "share_location": True})
    assert (await server.call("GET", "/auth/me"))[0] == 401
    await ann.ok("GET", f"/users?username={bob.name}")
    await ann.ok("GET", f"/users/{bob.id}")
    await ann.ok("PUT", f"/users/{bob.id}/block")
    assert (await ann.ok("GET", "/auth/me/blocks"))["users"]
    await ann.ok("DELETE", f"/users/{bob.id}/block")
    await ann.ok("GET", "/webrtc/ice-servers")
    assert (await bob.call("POST", "/auth/password", {"old": "wrong", "new": PASSWORD}))[0] == 403
    await bob.ok("POST", "/auth/password", {"old": PASSWORD, "new": PASSWORD})


async def lands(ann: Person, bob: Person) -> None:
    land = await ann.land(access="invited", invited_ids=[bob.id])
    assert (await bob.call("POST", "/lands", {"name": "b", "x": 5, "y": 5, "width": 9, "height": 9}))[
        0
    ] == 409
    await ann.ok("GET", f"/lands/{land}")
    await ann.ok("GET", "/lands?x=0&y=0&radius=20")
    await ann.ok("PATCH", f"/lands/{land}", {"name": "mine", "access": "open"})
    assert (await bob.call("PATCH", f"/lands/{land}", {"name": "his"}))[0] == 403
    assert (await bob.call("POST", f"/chat/land/{land}/session"))[0] == 201
    assert (await bob.call("POST", f"/chat/land/{land}/session"))[0] == 200
    socket = await ann.chat(land)
    await socket.ask("location_updated", type="update_location", x=1, y=1)
    assert (await bob.ok("GET", f"/chat/land/{land}/participants"))["participants"]
    assert (await ann.server.call("GET", f"/chat/land/{land}/participants"))[1] == {"count": 1}
    for content in ("one", "two"):
        await socket.ask("speech_ack", type="say", content=content)
    assert (await ann.ok("GET", "/chat/speech?limit=1"))["next_before"]
    await ann.ok("DELETE", f"/lands/{land}")


async def sessions(ann: Person, bob: Person, eve: Person) -> None:
    body = {"participant_ids": [bob.id]}
    assert (await ann.call("POST", "/chat/sessions", body))[0] == 201
    assert (await ann.call("POST", "/chat/sessions", body))[0] == 200
    group = await ann.group(bob)
    at = f"/chat/sessions/{group}"
    await ann.ok("PATCH", at, {"name": "friends"})
    await ann.ok("POST", f"{at}/members", {"user_ids": [eve.id]})
    said = {"content": "hello", "client_id": "once"}
    status, message = await ann.call("POST", f"{at}/messages", said)
    assert status == 201
    assert (await ann.call("POST", f"{at}/messages", said))[0] == 200
    assert (await ann.call("POST", f"{at}/messages", {"content": "x" * 70_000}))[0] == 413
    await bob.ok("POST", f"{at}/messages", {"content": "hello yourself"})
    assert (await bob.ok("GET", f"{at}/messages?limit=1"))["next_before"]
    assert (await bob.ok("GET", f"{at}/messages?limit=1&after=0"))["next_after"]
    await ann.ok("DELETE", f"{at}/messages/{message['id']}")
    assert (await ann.call("POST", f"{at}/messages", said))[1].get("deleted")
    await bob.ok("GET", f"{at}/messages")
    await bob.ok("GET", at)
    assert (await bob.ok("GET", "/chat/sessions"))["sessions"]
    await ann.ok("DELETE", f"{at}/members/{eve.id}")
    assert (await eve.call("GET", at))[0] == 404


async def online(ann: Person) -> None:
    await ann.chat()
    assert (await ann.ok("GET", "/ws/online-users"))["users"]
    for path in ("/ws/online-users", "/chat/stats", "/ws/stats", "/webrtc/active-calls"):
        assert (await ann.server.call("GET", path))[0] == 200


async def farewells(ann: Person, eve: Person) -> None:
    await eve.ok("DELETE", "/auth/me")
    await ann.ok("POST", "/auth/logout")


async def test_too_many_requests_are_refused_as_documented(mongodb_uri: str, database_name: str) -> None:
    """429 has the documented body, and its header."""
    keyring = Keyring([Fernet.generate_key()])
    async with RecordingServer(
        mongodb_uri, database_name, keyring, rate_limits=True, rest_rate=0.001, rest_burst=1.0
    ) as server:
        assert (await server.fetch("GET", "/chat/stats")).code == 200
        response = await server.fetch("GET", "/chat/stats")
        assert response.code == 429 and int(response.headers["Retry-After"]) >= 1


async def test_every_chat_event_is_as_documented(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event of the chat socket comes once at least; each request is answered by what is documented for it."""
    ann, bob, eve = [await server.person() for _ in range(3)]
    land = await ann.land()
    hers, his = await ann.chat(land), await bob.chat()
    group = await ann.group(bob)
    await hers.ask("joined_room", type="join_room", room_id=group)
    await hers.next("session_created")
    await hers.ask("location_updated", type="update_location", x=1, y=1)
    await his.ask("location_updated", type="update_location", x=2, y=2)
    await his.next("nearby_users")
    await his.ask("nearby_snapshot", type="watch_nearby", radius=10)
    await hers.ask("location_updated", type="update_location", x=3, y=3)
    await his.next("nearby_update")
    await his.send(type="unwatch_nearby")
    await his.ask("speech_ack", type="say", content="hi", client_id="c")
    await hers.next("speech")
    await his.ask("speech_resumed", type="resume", rooms=[], speech_after="0")
    await (await eve.chat()).refused("not_joined", type="say", content="hi")
    await his.ask("joined_room", type="join_room", room_id=land)
    await hers.next("user_joined")
    await his.ask("message_ack", type="send_message", room_id=land, content="hi")
    ack = await his.ask("message_ack", type="send_message", room_id=group, content="hi", client_id="c")
    await hers.next("message", room_id=group)
    await bob.ok("DELETE", f"/chat/sessions/{group}/messages/{ack['message_id']}")
    await hers.next("message_deleted")
    await his.send(type="typing", room_id=group, is_typing=True)
    await hers.next("typing")
    await his.ask("read", type="mark_read", room_id=group, seq=1)
    await ann.ok("POST", f"/chat/sessions/{group}/members", {"user_ids": [eve.id]})
    await hers.next("members_changed")
    await his.ask("pong", type="ping")
    await his.ask("token_renewed", type="renew_token", access_token=bob.token)
    await his.ask("left_room", type="leave_room", room_id=land)
    await hers.next("user_left")
    await his.ask("resumed", type="resume", rooms=[{"room_id": land, "after_seq": 0}])
    await his.ask("left_room", type="leave_room", room_id=land)
    await his.refused("not_found", type="resume", rooms=[{"room_id": "nowhere", "after_seq": 0}])
    await his.refused("not_joined", type="send_message", room_id=land, content="hi")
    await his.refused("not_found", type="join_room", room_id="nowhere")
    await his.refused("unauthorized", type="renew_token", access_token="bad")
    monkeypatch.setattr(rooms, "CROWD", 1)
    await his.ask("joined_room", type="join_room", room_id=land)
    await hers.next("room_count")
    await his.close()
    await hers.next("presence_update", status="offline")
    await ann.ok("DELETE", f"/lands/{land}")
    await hers.next("room_closed")
    assert seen(server, "chat") == documented(server, "chat")


async def test_every_signaling_event_is_as_documented(server: RecordingServer) -> None:
    """A call that is rejected, one that loses a connection and is taken up again, and one that cannot be."""
    ann, bob, eve = [await server.person() for _ in range(3)]
    hers, his, second = await ann.signal(), await bob.signal(), await bob.signal()
    ring: dict[str, Any] = {"type": "call_initiate", "callee_id": bob.id, "call_type": "video"}
    call_id = (await hers.ask("call_initiated", **ring))["call_id"]
    await his.next("incoming_call")
    await his.ask("call_rejected", type="call_reject", call_id=call_id)
    await hers.next("call_rejected")
    await second.next("call_ended", reason="rejected")
    call_id = (await hers.ask("call_initiated", **ring))["call_id"]
    await his.next("incoming_call")
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await hers.next("call_accepted")
    await second.next("call_ended", reason="answered_elsewhere")
    await hers.send(type="offer", call_id=call_id, sdp="v=0")
    await his.next("offer")
    await his.send(type="answer", call_id=call_id, sdp="v=0")
    await hers.next("answer")
    candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.7 5 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
    await hers.send(type="ice_candidate", call_id=call_id, candidate=candidate)
    await hers.send(type="ice_candidate", call_id=call_id, candidate=None)
    await his.next("ice_candidate", candidate=None)
    await his.close()
    await hers.next("peer_reconnecting")
    await second.ask("call_rejoined", type="call_rejoin", call_id=call_id)
    await hers.next("peer_reconnected")
    strangers = await eve.signal()
    await strangers.refused("not_found", type="call_hangup", call_id=call_id)
    await strangers.refused("busy", **ring)
    await strangers.refused("offline", **{**ring, "callee_id": "nobody"})
    await hers.ask("call_ended", type="call_hangup", call_id=call_id)
    await second.next("call_ended", reason="hangup")
    await voice(ann, bob, hers, second)
    await second.ask("pong", type="ping")
    await second.ask("token_renewed", type="renew_token", access_token=bob.token)
    assert seen(server, "signal") == documented(server, "signal")


async def voice(ann: Person, bob: Person, hers: Socket, his: Socket) -> None:
    """Two in earshot, and the end of it on another device."""
    await hers.refused("not_joined", type="voice_mute", muted=True)
    for person, socket in ((ann, hers), (bob, his)):
        chat = await person.chat()
        await chat.ask("location_updated", type="update_location", x=0, y=0)
        await socket.ask("voice_peers", type="voice_join")
    await hers.next("voice_gains")
    await hers.ask("voice_muted", type="voice_mute", muted=True)
    await his.next("voice_muted")
    other = await ann.signal()
    await other.ask("voice_peers", type="voice_join")
    await hers.next("voice_peers", taken_over=True)
    await other.ask("voice_peers", type="voice_leave")


def seen(server: RecordingServer, channel: str) -> set[str]:
    return {type for where, type in server.check_events() if where == channel}


def documented(server: RecordingServer, channel: str) -> set[str]:
    messages = server.documents.asyncapi["channels"][channel]["messages"]
    return {key.removeprefix("server.") for key in messages if key.startswith("server.")}
