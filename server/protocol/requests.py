"""What a client may send over the sockets. The `type` of a frame picks the struct; unknown fields are errors."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from server.protocol import limits as L


class Request(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """Any request may carry `ref`, which its direct answer and any error about it repeat."""

    ref: L.Ref | None = None


# WS /ws/connect


class JoinRoom(Request, tag="join_room"):
    """Be present in a room: a land, or a private or group session that one is a member of."""

    room_id: L.Id


class LeaveRoom(Request, tag="leave_room"):
    """Leave a room; the session stays. Leaving a room that was not joined succeeds."""

    room_id: L.Id


class Missed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A room, and the newest `seq` that one has seen there; 0 for none."""

    room_id: L.Id
    after_seq: L.Seq


class Resume(Request, tag="resume"):
    """After a lost connection: join these rooms and be sent what was missed. No room is named twice.

    With `speech_after`, the id of the last speech that one has, so is the speech that was missed; null, where one has
    none, asks for the id to begin with, and replays nothing. There may be no rooms then.
    """

    rooms: Annotated[list[Missed], Meta(max_length=200)]
    speech_after: L.SpeechId | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        if not self.rooms and self.speech_after is UNSET:
            raise ValueError("expected a room or `speech_after`, got neither")
        if len({room.room_id for room in self.rooms}) < len(self.rooms):
            raise ValueError("a room is named twice")


class SendMessage(Request, tag="send_message"):
    """Say something in a room. Sending again with the same `client_id` is harmless."""

    room_id: L.Id
    content: L.Content
    client_id: L.ClientId | None = None


class Say(Request, tag="say"):
    """Say something to everyone within earshot, the nearest 200. Sending again with the same `client_id` is harmless."""

    content: L.Content
    client_id: L.ClientId | None = None


class Typing(Request, tag="typing"):
    """Tell the others in the room that one writes, or has stopped. There is no answer."""

    room_id: L.Id
    is_typing: bool


class MarkRead(Request, tag="mark_read"):
    """Everything up to `seq` is read. Never goes back; above the room's last `seq` is an error."""

    room_id: L.Id
    seq: L.Seq


class UpdateLocation(Request, tag="update_location"):
    """Where the user stands now. `radius` says how far around `nearby_users` looks."""

    x: L.Coordinate
    y: L.Coordinate
    world_id: L.WorldId = "main"
    radius: L.Radius = L.DEFAULT_RADIUS


class WatchNearby(Request, tag="watch_nearby"):
    """From now on be told who is near, and who comes, moves and goes. Watching again begins anew, with this radius."""

    radius: L.Radius


class UnwatchNearby(Request, tag="unwatch_nearby"):
    """Be told no more. There is no answer."""


class Ping(Request, tag="ping"):
    """Asks for a `pong`: whether the way to the server and back works, and its clock."""


class RenewToken(Request, tag="renew_token"):
    """A fresh access token, before the one that the connection was opened with expires."""

    access_token: L.Secret


# WS /webrtc/signal


class CallInitiate(Request, tag="call_initiate"):
    """Call somebody. Where the two call each other, the second call accepts the first."""

    callee_id: L.Id
    call_type: L.CallType


class CallAccept(Request, tag="call_accept"):
    """Pick up, on this connection."""

    call_id: L.Id


class CallReject(Request, tag="call_reject"):
    """Decline."""

    call_id: L.Id


class CallHangup(Request, tag="call_hangup"):
    """End a call, or take one back while it rings."""

    call_id: L.Id


class CallRejoin(Request, tag="call_rejoin"):
    """After a lost connection: this one takes its place. The call waits for it for 10 s."""

    call_id: L.Id


class Offer(Request, tag="offer"):
    """A session description for the other side. The caller offers first, later either may."""

    call_id: L.Id
    sdp: L.Sdp


class Answer(Request, tag="answer"):
    """The session description that answers an `offer`."""

    call_id: L.Id
    sdp: L.Sdp


class Candidate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What `RTCIceCandidate.toJSON()` gives."""

    candidate: str
    sdp_mid: str | UnsetType | None = field(default=UNSET, name="sdpMid")
    sdp_m_line_index: L.LineIndex | UnsetType | None = field(default=UNSET, name="sdpMLineIndex")
    username_fragment: str | UnsetType | None = field(default=UNSET, name="usernameFragment")


class IceCandidate(Request, tag="ice_candidate"):
    """One candidate of 2 KiB at most, or null at the end of candidates."""

    call_id: L.Id
    candidate: Candidate | None


class VoiceJoin(Request, tag="voice_join"):
    """Talk with those within earshot, on this connection; it takes the place of another one of the user."""


class VoiceLeave(Request, tag="voice_leave"):
    """Do so no more. Succeeds also where one had not joined."""


class VoiceMute(Request, tag="voice_mute"):
    """Tell those whom one talks with that one's microphone is off, or on again."""

    muted: bool


ChatRequest = (
    JoinRoom
    | LeaveRoom
    | Resume
    | SendMessage
    | Say
    | Typing
    | MarkRead
    | UpdateLocation
    | WatchNearby
    | UnwatchNearby
    | Ping
    | RenewToken
)
SignalRequest = (
    CallInitiate
    | CallAccept
    | CallReject
    | CallHangup
    | CallRejoin
    | Offer
    | Answer
    | IceCandidate
    | VoiceJoin
    | VoiceLeave
    | VoiceMute
    | Ping
    | RenewToken
)


class RefOnly(msgspec.Struct):
    """As much of a refused request as its error needs; anything else in it is ignored."""

    ref: L.Ref | None = None
