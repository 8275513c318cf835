"""What a client may send over the sockets. The `type` of a frame picks the struct; unknown fields are errors."""

from __future__ import annotations

from typing import Any

import msgspec

from server.protocol import limits as L


class Request(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """Any request may carry `ref`, which its direct answer and any error about it repeat."""

    ref: L.Ref | None = None


# WS /ws/connect


class JoinRoom(Request, tag="join_room"):
    room_id: L.Id


class LeaveRoom(Request, tag="leave_room"):
    room_id: L.Id


class SendMessage(Request, tag="send_message"):
    room_id: L.Id
    content: L.Content
    client_id: L.ClientId | None = None


class Typing(Request, tag="typing"):
    room_id: L.Id
    is_typing: bool


class MarkRead(Request, tag="mark_read"):
    room_id: L.Id
    seq: L.Seq


class UpdateLocation(Request, tag="update_location"):
    x: L.Coordinate
    y: L.Coordinate
    world_id: L.WorldId = "main"
    radius: L.Radius = L.DEFAULT_RADIUS


class Ping(Request, tag="ping"):
    pass


class RenewToken(Request, tag="renew_token"):
    access_token: L.Secret


# WS /webrtc/signal


class CallInitiate(Request, tag="call_initiate"):
    callee_id: L.Id
    call_type: L.CallType


class CallAccept(Request, tag="call_accept"):
    call_id: L.Id


class CallReject(Request, tag="call_reject"):
    call_id: L.Id


class CallHangup(Request, tag="call_hangup"):
    call_id: L.Id


class CallRejoin(Request, tag="call_rejoin"):
    call_id: L.Id


class Offer(Request, tag="offer"):
    call_id: L.Id
    sdp: L.Sdp


class Answer(Request, tag="answer"):
    call_id: L.Id
    sdp: L.Sdp


class IceCandidate(Request, tag="ice_candidate"):
    """`candidate` is what `RTCIceCandidate.toJSON()` gives, or null at the end of candidates; 2 KiB at most."""

    call_id: L.Id
    candidate: dict[str, Any] | None


ChatRequest = JoinRoom | LeaveRoom | SendMessage | Typing | MarkRead | UpdateLocation | Ping | RenewToken
SignalRequest = (
    CallInitiate
    | CallAccept
    | CallReject
    | CallHangup
    | CallRejoin
    | Offer
    | Answer
    | IceCandidate
    | Ping
    | RenewToken
)


class RefOnly(msgspec.Struct):
    """As much of a refused request as its error needs; anything else in it is ignored."""

    ref: L.Ref | None = None
