"""The AsyncAPI 3.0 document of both sockets, made from the structs and events of `server.protocol`.

As AsyncAPI wants it, the server speaks: it "receives" what clients send and "sends" events. What
the types do not say stands here: which events answer a request, and which errors it may meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, get_args, get_type_hints

from server.apidocs.examples import example
from server.apidocs.schemas import Schema, Schemas
from server.apidocs.words import CLOSES, ERRORS, listed
from server.protocol import events, requests
from server.protocol.limits import PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: the events that may answer it, in order, and the errors besides those that any request may meet."""

    request: type[requests.Request]
    answers: tuple[Any, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """One socket."""

    id: str
    address: str
    title: str
    summary: str
    exchanges: tuple[Exchange, ...]
    events: tuple[Any, ...]


ANY_ERRORS: Final = ("invalid_message", "rate_limited", "unavailable")
BOTH: Final = (
    Exchange(requests.Ping, (events.Pong,)),
    Exchange(requests.RenewToken, (events.TokenRenewed,), ("unauthorized",)),
)
CHAT: Final = (
    Exchange(requests.JoinRoom, (events.JoinedRoom,), ("not_found",)),
    Exchange(requests.LeaveRoom, (events.LeftRoom,)),
    Exchange(requests.Resume, (events.Resumed, events.SpeechResumed), ("not_found",)),
    Exchange(requests.SendMessage, (events.MessageAck,), ("not_found", "not_joined", "forbidden")),
    Exchange(requests.Say, (events.SpeechAck,), ("not_joined",)),
    Exchange(requests.Typing, (), ("not_found", "not_joined", "forbidden")),
    Exchange(requests.MarkRead, (events.Read,), ("not_found",)),
    Exchange(requests.UpdateLocation, (events.LocationUpdated, events.NearbyUsers)),
    Exchange(requests.WatchNearby, (events.NearbySnapshot,)),
    Exchange(requests.UnwatchNearby, ()),
    *BOTH,
)
SIGNAL: Final = (
    Exchange(
        requests.CallInitiate, (events.CallInitiated, events.CallStarted), ("busy", "offline", "forbidden")
    ),
    Exchange(requests.CallAccept, (events.CallStarted,), ("not_found",)),
    Exchange(requests.CallReject, (events.CallRejected,), ("not_found",)),
    Exchange(requests.CallHangup, (events.CallEnded,), ("not_found",)),
    Exchange(requests.CallRejoin, (events.CallRejoined,), ("not_found",)),
    Exchange(requests.Offer, (), ("not_found",)),
    Exchange(requests.Answer, (), ("not_found",)),
    Exchange(requests.IceCandidate, (), ("not_found", "too_large")),
    Exchange(requests.VoiceJoin, (events.VoicePeers,)),
    Exchange(requests.VoiceLeave, (events.VoicePeers,)),
    Exchange(requests.VoiceMute, (events.VoiceMuted,), ("not_joined",)),
    *BOTH,
)
CHANNELS: Final = (
    Channel(
        "chat",
        "/ws/connect",
        "Chat socket",
        "Rooms and messages, who is there, and who is near.",
        CHAT,
        events.CHAT_EVENTS,
    ),
    Channel(
        "signal",
        "/webrtc/signal",
        "Signaling socket",
        "Calls, voice in earshot, and what two browsers tell each other before media flows between them.",
        SIGNAL,
        events.SIGNAL_EVENTS,
    ),
)
ABOUT: Final = """\
Two WebSockets of one Hereabouts server. A frame is one JSON object with a `type`, in a text frame of at most 64 KiB.

A request may carry a `ref` of up to 64 characters: its direct answer, and any `error` about it, carry the same. \
Unknown fields in a request are an error; unknown fields in an event are to be ignored, since there may be more some day.

Ids are opaque strings, times RFC 3339 in UTC with milliseconds, lengths count code points."""
OPENING: Final = """\
The server opens with `connected`. It pings at the WebSocket level every `heartbeat_seconds`, and drops a connection \
that has been silent for two of them. Bad input never closes the socket.

**Errors** come as an `error` event, and the request did nothing:

{errors}

**Closes:**

{closes}"""
SIGNING_IN: Final = """\
An access token from `POST /auth/register` or `/auth/login`. First found counts: the header `Authorization: Bearer`, the \
subprotocol pair `bearer, <token>` (the server selects `bearer`), a single-use `?ticket=` from `POST /auth/ticket`, \
or `?token=`. Without a good one the socket opens, and closes with 4001 and a reason. Before the token expires, \
`renew_token` brings a new one; otherwise the socket closes with 4001."""
SECURITY: Final = [{"$ref": "#/components/securitySchemes/bearer"}]
HOST: Final = "localhost:8000"


def document(base_path: str) -> dict[str, Any]:
    """The document, for a server on this machine; `handlers.docs` puts in the one that was asked."""
    schemas = Schemas()
    messages: dict[str, Schema] = {}
    for channel in CHANNELS:
        for exchange in channel.exchanges:
            messages[client_key(exchange.request)] = _message(exchange.request, schemas)
        for event in channel.events:
            messages[server_key(event)] = _message(event, schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Hereabouts sockets", "version": str(PROTOCOL_VERSION), "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {"here": {"host": HOST, "pathname": base_path, "protocol": "ws", "security": SECURITY}},
        "channels": {channel.id: _channel(channel) for channel in CHANNELS},
        "operations": {key: value for channel in CHANNELS for key, value in _operations(channel).items()},
        "components": {
            "messages": messages,
            "schemas": schemas.named,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": SIGNING_IN,
                }
            },
        },
    }


def client_key(request: type[requests.Request]) -> str:
    """A request's key in the document: both directions have a `typing` and an `offer`."""
    return f"client.{request.__struct_config__.tag}"


def server_key(event: Any) -> str:
    return f"server.{get_args(get_type_hints(event)['type'])[0]}"


def _message(type_: Any, schemas: Schemas) -> Schema:
    payload = schemas.whole(type_)
    name = payload["properties"]["type"]["const"]
    summary = payload.pop("description")
    shown = example(payload, schemas.named)
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "payload": payload,
        "examples": [{"payload": shown}],
    }


def _channel(channel: Channel) -> Schema:
    keys = [client_key(exchange.request) for exchange in channel.exchanges]
    keys += [server_key(event) for event in channel.events]
    codes = {code for exchange in channel.exchanges for code in (*ANY_ERRORS, *exchange.errors)}
    parameter = {"type": "string", "description": "in place of the header, for browsers"}
    return {
        "address": channel.address,
        "title": channel.title,
        "summary": channel.summary,
        "description": OPENING.format(errors=listed(ERRORS, codes), closes=listed(CLOSES)),
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in keys},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"ticket": parameter, "token": parameter}},
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operations(channel: Channel) -> Schema:
    here = {"$ref": f"#/channels/{channel.id}"}

    def message(key: str) -> Schema:
        return {"$ref": f"#/channels/{channel.id}/messages/{key}"}

    operations: Schema = {}
    for exchange in channel.exchanges:
        key = client_key(exchange.request)
        errors = listed(ERRORS, (*ANY_ERRORS, *exchange.errors))
        answers = [message(server_key(event)) for event in (*exchange.answers, events.Error)]
        operations[f"{channel.id}.{key}"] = {
            "action": "receive",
            "channel": here,
            "summary": exchange.request.__doc__,
            "description": f"Errors:\n\n{errors}",
            "messages": [message(key)],
            "reply": {"channel": here, "messages": answers},
        }
    operations[f"{channel.id}.events"] = {
        "action": "send",
        "channel": here,
        "summary": "What the server sends.",
        "messages": [message(server_key(event)) for event in channel.events],
    }
    return operations
