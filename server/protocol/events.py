"""What the sockets send. A direct answer also carries the request's `ref`; clients ignore fields they do not know."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from server.protocol.limits import Time
from server.protocol.requests import Candidate
from server.protocol.shapes import ErrorCode, MemberShape, MessageShape, SessionShape, SpeechShape


class Connected(TypedDict):
    """Opens every connection."""

    type: Literal["connected"]
    protocol: int
    user_id: str
    username: str
    connection_id: str
    server_time: Time
    heartbeat_seconds: float


class JoinedRoom(TypedDict):
    """Who is present, the 50 longest at most. Every message above `last_seq` follows this event."""

    type: Literal["joined_room"]
    room_id: str
    kind: Literal["land", "private", "group"]
    members: list[MemberShape]
    member_count: int
    last_seq: int
    ref: NotRequired[str]


class Resumed(TypedDict):
    """The room is joined, and what was missed has been sent: every message above `after_seq` up to `last_seq`.

    Not so if `complete` is false: then nothing was, as too much was missed. `deleted` names the messages that
    were deleted meanwhile, and perhaps some more.
    """

    type: Literal["resumed"]
    room_id: str
    kind: Literal["land", "private", "group"]
    members: list[MemberShape]
    member_count: int
    last_seq: int
    complete: bool
    deleted: list[str]
    ref: NotRequired[str]


class LeftRoom(TypedDict):
    """The room is left: on request, or because the land no longer lets the user in."""

    type: Literal["left_room"]
    room_id: str
    ref: NotRequired[str]


class UserJoined(TypedDict):
    """Somebody is in a joined room now, with their first connection there."""

    type: Literal["user_joined"]
    room_id: str
    user_id: str
    username: str


class UserLeft(TypedDict):
    """Somebody is gone from a joined room, with their last connection there."""

    type: Literal["user_left"]
    room_id: str
    user_id: str


class RoomCount(TypedDict):
    """Takes the place of names where more than 100 are in a land; once a second at most."""

    type: Literal["room_count"]
    room_id: str
    member_count: int


class MessageAck(TypedDict):
    """The message is stored for good. It and the sender's own `message` come in either order."""

    type: Literal["message_ack"]
    client_id: str | None
    message_id: str
    room_id: str
    seq: int
    created_at: Time
    ref: NotRequired[str]


class Message(MessageShape):
    """Said in a joined land, or in any private or group session of the user. The sender gets it too."""

    type: Literal["message"]


class MessageDeleted(TypedDict):
    """Its sender has deleted a message; its place in the order stays."""

    type: Literal["message_deleted"]
    room_id: str
    id: str
    seq: int


class SpeechAck(TypedDict):
    """What was said is stored for good. It and the sender's own `speech` come in either order."""

    type: Literal["speech_ack"]
    client_id: str | None
    id: str
    created_at: Time
    ref: NotRequired[str]


class Speech(SpeechShape):
    """Said within earshot, or by oneself. Ids rise in the order in which speech is told."""

    type: Literal["speech"]


class SpeechResumed(TypedDict):
    """The speech that was missed has been sent, up to `last_id`; null, if there never was any. What is above it comes live.

    With `complete: false` nothing was sent, as too much was missed.
    """

    type: Literal["speech_resumed"]
    last_id: str | None
    complete: bool
    ref: NotRequired[str]


class Typing(TypedDict):
    """Somebody writes, or has stopped; at most once a person and 3 s, never in a crowded land."""

    type: Literal["typing"]
    room_id: str
    user_id: str
    username: str
    is_typing: bool


class Read(TypedDict):
    """How far somebody has read: the user on any connection, or another member of the session."""

    type: Literal["read"]
    room_id: str
    user_id: str
    seq: int
    ref: NotRequired[str]


class LocationUpdated(TypedDict):
    """Where the user stands now, and in which land."""

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
    """Who is within the radius, nearest first, 100 at most; `more` if there are others."""

    type: Literal["nearby_users"]
    radius: float
    users: list[NearbyUser]
    more: bool
    ref: NotRequired[str]


class WatchedUser(TypedDict):
    user_id: str
    username: str
    x: float
    y: float


class NearbySnapshot(TypedDict):
    """Those in view when the watch began, or the nearest of a crowd: the others enter with the next updates."""

    type: Literal["nearby_snapshot"]
    version: int
    radius: float
    users: list[WatchedUser]
    ref: NotRequired[str]


class NearbyUpdate(TypedDict):
    """What is different since the version before. Who entered may be in view already: there is a new place then."""

    type: Literal["nearby_update"]
    version: int
    entered: list[WatchedUser]
    moved: list[tuple[str, float, float]]
    left: list[str]


class Pong(TypedDict):
    """The server is there."""

    type: Literal["pong"]
    server_time: Time
    ref: NotRequired[str]


class TokenRenewed(TypedDict):
    """The connection lives as long as the new token."""

    type: Literal["token_renewed"]
    expires_at: Time
    ref: NotRequired[str]


class SessionCreated(TypedDict):
    """The user is in a private or group session that is new, or new to them."""

    type: Literal["session_created"]
    session: SessionShape


class MembersChanged(TypedDict):
    """Some came to a group, or left it; those who were removed hear it as well."""

    type: Literal["members_changed"]
    room_id: str
    added: list[MemberShape]
    removed: list[str]


class RoomClosed(TypedDict):
    """The land is deleted, and its room with it."""

    type: Literal["room_closed"]
    room_id: str


class PresenceUpdate(TypedDict):
    """Somebody near, or in a shared private or group room, is online, or has been gone for 3 s."""

    type: Literal["presence_update"]
    user_id: str
    username: str
    status: Literal["online", "offline"]
    last_seen: Time


class Error(TypedDict):
    """A request was refused and did nothing; with `room_id`, a `resume` as far as that room goes."""

    type: Literal["error"]
    code: ErrorCode
    message: str
    ref: NotRequired[str]
    retry_after: NotRequired[float]
    room_id: NotRequired[str]


class CallInitiated(TypedDict):
    """It rings at the other side."""

    type: Literal["call_initiated"]
    call_id: str
    ref: NotRequired[str]


class IncomingCall(TypedDict):
    """It rings: on every connection of the user, also on one opened while it does."""

    type: Literal["incoming_call"]
    call_id: str
    caller_id: str
    caller_username: str
    call_type: Literal["audio", "video"]


class CallAccepted(TypedDict):
    """The callee has picked up."""

    type: Literal["call_accepted"]
    call_id: str


class CallStarted(TypedDict):
    """The call is on, for both sides. The caller sends an `offer` next."""

    type: Literal["call_started"]
    call_id: str
    peer_id: str
    call_type: Literal["audio", "video"]
    ref: NotRequired[str]


class CallRejected(TypedDict):
    """The callee has declined."""

    type: Literal["call_rejected"]
    call_id: str
    ref: NotRequired[str]


class CallEnded(TypedDict):
    """The call is over. The duration counts from its acceptance."""

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
    """This connection now speaks for the user in the call."""

    type: Literal["call_rejoined"]
    call_id: str
    ref: NotRequired[str]


class PeerReconnecting(TypedDict):
    """The other side's connection is lost; the call waits for it for 10 s."""

    type: Literal["peer_reconnecting"]
    call_id: str


class PeerReconnected(TypedDict):
    """The other side is back, on another connection."""

    type: Literal["peer_reconnected"]
    call_id: str


class OfferEvent(TypedDict):
    """The other side's session description."""

    type: Literal["offer"]
    call_id: str
    sdp: str
    from_user_id: str


class AnswerEvent(TypedDict):
    """The other side's answer to an `offer`."""

    type: Literal["answer"]
    call_id: str
    sdp: str
    from_user_id: str


class IceCandidateEvent(TypedDict):
    """A candidate of the other side, or null at the end of candidates."""

    type: Literal["ice_candidate"]
    call_id: str
    candidate: Candidate | None
    from_user_id: str


class VoicePeer(TypedDict):
    """Somebody to talk with: by this `call_id`, `offer`, `answer` and `ice_candidate` go to and fro. The initiator offers."""

    user_id: str
    call_id: str
    initiator: bool
    muted: bool


class VoicePeers(TypedDict):
    """Who is within earshot now to talk with, and who no longer. As an answer: all with whom there is a connection, and
    none after leaving. With `taken_over`, another connection of the user has the voice now."""

    type: Literal["voice_peers"]
    connect: list[VoicePeer]
    disconnect: list[str]
    taken_over: NotRequired[bool]
    ref: NotRequired[str]


class VoiceMuted(TypedDict):
    """Somebody whom one talks with (or, as an answer, oneself) has turned the microphone off, or on again."""

    type: Literal["voice_muted"]
    user_id: str
    muted: bool
    ref: NotRequired[str]


class VoiceGains(TypedDict):
    """How loud (0 to 1), and how far to the left or right (-1 to 1), everybody is whom one talks with."""

    type: Literal["voice_gains"]
    gains: list[tuple[str, float, float]]


CHAT_EVENTS = (
    Connected, JoinedRoom, Resumed, LeftRoom, UserJoined, UserLeft, RoomCount, MessageAck, Message, MessageDeleted, Typing, Read,
    SpeechAck, Speech, SpeechResumed,
    LocationUpdated, NearbyUsers, NearbySnapshot, NearbyUpdate, Pong, TokenRenewed, SessionCreated, MembersChanged, RoomClosed, PresenceUpdate, Error,
)  # fmt: skip
SIGNAL_EVENTS = (
    Connected, CallInitiated, IncomingCall, CallAccepted, CallStarted, CallRejected, CallEnded, CallRejoined,
    PeerReconnecting, PeerReconnected, OfferEvent, AnswerEvent, IceCandidateEvent, VoicePeers, VoiceMuted, VoiceGains, Pong, TokenRenewed, Error,
)  # fmt: skip
