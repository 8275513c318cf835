"""What the sockets send. A direct answer also carries the request's `ref`; clients ignore fields they do not know."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from server.protocol.shapes import MemberShape, MessageShape, SessionShape


class Connected(TypedDict):
    type: Literal["connected"]
    protocol: int
    user_id: str
    username: str
    connection_id: str
    server_time: str
    heartbeat_seconds: float


class JoinedRoom(TypedDict):
    type: Literal["joined_room"]
    room_id: str
    kind: Literal["land", "private", "group"]
    members: list[MemberShape]
    member_count: int
    last_seq: int
    ref: NotRequired[str]


class LeftRoom(TypedDict):
    type: Literal["left_room"]
    room_id: str
    ref: NotRequired[str]


class UserJoined(TypedDict):
    type: Literal["user_joined"]
    room_id: str
    user_id: str
    username: str


class UserLeft(TypedDict):
    type: Literal["user_left"]
    room_id: str
    user_id: str


class RoomCount(TypedDict):
    type: Literal["room_count"]
    room_id: str
    member_count: int


class MessageAck(TypedDict):
    type: Literal["message_ack"]
    client_id: str | None
    message_id: str
    room_id: str
    seq: int
    created_at: str
    ref: NotRequired[str]


class Message(MessageShape):
    type: Literal["message"]


class MessageDeleted(TypedDict):
    type: Literal["message_deleted"]
    room_id: str
    id: str
    seq: int


class Typing(TypedDict):
    type: Literal["typing"]
    room_id: str
    user_id: str
    username: str
    is_typing: bool


class Read(TypedDict):
    type: Literal["read"]
    room_id: str
    user_id: str
    seq: int
    ref: NotRequired[str]


class LocationUpdated(TypedDict):
    type: Literal["location_updated"]
    world_id: str
    x: float
    y: float
    land_id: str | None
    ref: NotRequired[str]


class NearbyUser(TypedDict):
    user_id: str
    username: str
    x: float
    y: float
    distance: float


class NearbyUsers(TypedDict):
    type: Literal["nearby_users"]
    radius: float
    users: list[NearbyUser]
    more: bool
    ref: NotRequired[str]


class Pong(TypedDict):
    type: Literal["pong"]
    server_time: str
    ref: NotRequired[str]


class TokenRenewed(TypedDict):
    type: Literal["token_renewed"]
    expires_at: str
    ref: NotRequired[str]


class SessionCreated(TypedDict):
    type: Literal["session_created"]
    session: SessionShape


class MembersChanged(TypedDict):
    type: Literal["members_changed"]
    room_id: str
    added: list[MemberShape]
    removed: list[str]


class RoomClosed(TypedDict):
    type: Literal["room_closed"]
    room_id: str


class PresenceUpdate(TypedDict):
    type: Literal["presence_update"]
    user_id: str
    username: str
    status: Literal["online", "offline"]
    last_seen: str


class Error(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    ref: NotRequired[str]
    retry_after: NotRequired[float]


class CallInitiated(TypedDict):
    type: Literal["call_initiated"]
    call_id: str
    ref: NotRequired[str]


class IncomingCall(TypedDict):
    type: Literal["incoming_call"]
    call_id: str
    caller_id: str
    caller_username: str
    call_type: Literal["audio", "video"]


class CallAccepted(TypedDict):
    type: Literal["call_accepted"]
    call_id: str


class CallStarted(TypedDict):
    type: Literal["call_started"]
    call_id: str
    peer_id: str
    call_type: Literal["audio", "video"]
    ref: NotRequired[str]


class CallRejected(TypedDict):
    type: Literal["call_rejected"]
    call_id: str
    ref: NotRequired[str]


class CallEnded(TypedDict):
    type: Literal["call_ended"]
    call_id: str
    reason: Literal[
        "hangup",
        "cancelled",
        "rejected",
        "no_answer",
        "answered_elsewhere",
        "disconnected",
        "server_shutdown",
    ]
    duration_seconds: float
    ref: NotRequired[str]


class CallRejoined(TypedDict):
    type: Literal["call_rejoined"]
    call_id: str
    ref: NotRequired[str]


class PeerReconnecting(TypedDict):
    type: Literal["peer_reconnecting"]
    call_id: str


class PeerReconnected(TypedDict):
    type: Literal["peer_reconnected"]
    call_id: str


class OfferEvent(TypedDict):
    type: Literal["offer"]
    call_id: str
    sdp: str
    from_user_id: str


class AnswerEvent(TypedDict):
    type: Literal["answer"]
    call_id: str
    sdp: str
    from_user_id: str


class IceCandidateEvent(TypedDict):
    type: Literal["ice_candidate"]
    call_id: str
    candidate: dict[str, Any] | None
    from_user_id: str


CHAT_EVENTS = (
    Connected, JoinedRoom, LeftRoom, UserJoined, UserLeft, RoomCount, MessageAck, Message, MessageDeleted, Typing, Read,
    LocationUpdated, NearbyUsers, Pong, TokenRenewed, SessionCreated, MembersChanged, RoomClosed, PresenceUpdate, Error,
)  # fmt: skip
SIGNAL_EVENTS = (
    Connected, CallInitiated, IncomingCall, CallAccepted, CallStarted, CallRejected, CallEnded, CallRejoined,
    PeerReconnecting, PeerReconnected, OfferEvent, AnswerEvent, IceCandidateEvent, Pong, TokenRenewed, Error,
)  # fmt: skip
