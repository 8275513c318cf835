"""Examples for the API pages, made from the schemas, so that none can be out of date.

A field's value comes from its name; what has none here gets one from its schema. Tests validate
every example against the schema that it illustrates.
"""

from __future__ import annotations

from typing import Any, Final

from server.apidocs.schemas import Schema

ANN: Final = "0198c0de5a7e7d319f20c0ffee00a001"
BOB: Final = "0198c0de7b217e11a2d4c0ffee00b0b2"
ROOM: Final = "0198c0e1d9e070c484f1c0ffee001a2d"
MESSAGE: Final = "0198c0e3aa147c0bb7a3c0ffee00e556"
DELETED: Final = "0198c0e2c3d07f4e8a61c0ffee00d31e"
SPEECH: Final = "0198c0e4b05f7d209c13c0ffee005a1d"
CALL: Final = "0198c0e5f2c87a6fb3d5c0ffee00ca11"
SDP: Final = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk4YzBkZSJ9.c2lnbmF0dXJl"
MOMENT: Final = "2026-03-14T15:09:26.535Z"

BY_NAME: Final[dict[str, Any]] = {
    "access_token": TOKEN,
    "after_seq": 38,
    "added": [{"user_id": BOB, "username": "bob"}],
    "call_id": CALL,
    "callee_id": BOB,
    "caller_id": ANN,
    "caller_username": "ann",
    "candidate": {
        "candidate": "candidate:1 1 udp 2122260223 192.0.2.7 54321 typ host",
        "sdpMid": "0",
        "sdpMLineIndex": 0,
    },
    "client_id": "d7c1f9e2",
    "code": "not_found",
    "connection_id": "0198c0e6031a7b58a9e1c0ffee00c0de",
    "content": "Meet me by the fountain?",
    "credential": "0o2pQ1yyT3Ff0Ew7cH5mB1Zq0n8=",
    "deleted": [DELETED],
    "disconnect": [],
    "display_name": "Bob",
    "duration_seconds": 184.2,
    "expires_in": 900,
    "from_user_id": ANN,
    "gains": [[BOB, 0.64, -0.6]],
    "heartbeat_seconds": 30.0,
    "height": 15.0,
    "invited_ids": [BOB],
    "land_id": ROOM,
    "last_id": SPEECH,
    "last_seq": 41,
    "limit": 50,
    "member_count": 2,
    "message": "no such room",
    "message_id": MESSAGE,
    "name": "Fountain Square",
    "new": "a longer horse battery",
    "old": "correct horse battery",
    "owner_id": ANN,
    "participant_ids": [BOB],
    "password": "correct horse battery",
    "peer_id": BOB,
    "protocol": 1,
    "read_seq": 41,
    "reason": "hangup",
    "ref": "7",
    "refresh_token": "q8Jk0Wm3vY2hD5nR7tXzB4cF6gL9pS1uE0aI8oK2yMw",
    "removed": [ANN],
    "room_id": ROOM,
    "sdp": SDP,
    "sender_id": ANN,
    "sender_username": "ann",
    "seq": 41,
    "ticket": "Vb3kQ9xT1mZ7wC5rN8yH2jL6dF4gS0pA",
    "type": "message",
    "urls": ["turn:turn.example.org:3478"],
    "user_id": BOB,
    "user_ids": [BOB],
    "username": "bob",
    "width": 20.0,
    "world_id": "main",
    "x": 12.5,
    "y": -3.0,
    "distance": 4.5,
}
# An `id` is that of the object it stands in.
IDS: Final = {
    "Message": MESSAGE,
    "Deleted": MESSAGE,
    "MessageDeleted": MESSAGE,
    "Session": ROOM,
    "Land": ROOM,
    "Speech": SPEECH,
    "SpeechAck": SPEECH,
}

# What would contradict the rest of its example, where it may be left out.
OMITTED: Final = {"retry_after", "room_id", "next_after", "member_count", "taken_over"}


def example(schema: Schema, named: dict[str, Schema], field: str = "", owner: str = "") -> Any:
    """A value that the schema allows. `named` are the schemas that references point to."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return schema["const"]
    if field == "id":
        return IDS.get(owner, BOB)
    if field in BY_NAME and "enum" not in schema:
        return BY_NAME[field]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], named, field, owner)
    if "enum" in schema:
        return BY_NAME[field] if BY_NAME.get(field) in schema["enum"] else schema["enum"][0]
    if schema.get("type") == "object":
        title, required = schema.get("title", ""), schema.get("required", ())
        return {
            name: example(inner, named, name, title)
            for name, inner in schema.get("properties", {}).items()
            if name in required or name not in OMITTED
        }
    if schema.get("type") == "array":
        parts = schema.get("prefixItems") or [schema["items"]]
        return [example(part, named) for part in parts]
    return _scalar(schema)


def _scalar(schema: Schema) -> Any:
    if "default" in schema:
        return schema["default"]
    if schema.get("format") == "date-time":
        return MOMENT
    least = schema.get("minimum", 1)
    plain = {"string": ANN, "integer": int(least), "number": float(least), "boolean": True, "null": None}
    return plain[schema["type"]]
