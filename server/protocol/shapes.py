"""The objects that answers and events are made of (contract §1), and the bodies of REST answers.

TypedDicts: plain dicts at run time, so that encoding one costs nothing extra.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from server.protocol.limits import Time

RestErrorCode = Literal[
    "invalid_message", "unauthorized", "forbidden", "not_found", "conflict", "too_large", "rate_limited", "unavailable"
]  # fmt: skip
ErrorCode = RestErrorCode | Literal["not_joined", "busy", "offline"]  # what only sockets say


class UserShape(TypedDict):
    id: str
    username: str
    display_name: str


class MeShape(UserShape):
    invisible: bool
    share_location: bool


class LandShape(TypedDict):
    """A parcel of a world. `invited_ids` is shown to its owner alone; without an owner, the account is deleted."""

    id: str
    world_id: str
    name: str
    x: float
    y: float
    width: float
    height: float
    owner_id: str | None
    access: Literal["open", "invited"]
    invited_ids: NotRequired[list[str]]


class MemberShape(TypedDict):
    user_id: str
    username: str


class MessageShape(TypedDict):
    """What was said. The sender is null once that account is deleted."""

    id: str
    room_id: str
    seq: int
    sender_id: str | None
    sender_username: str | None
    content: str
    created_at: Time
    client_id: NotRequired[str]


class DeletedShape(TypedDict):
    """What history keeps of a deleted message: its place."""

    id: str
    room_id: str
    seq: int
    deleted: Literal[True]


class SpeechShape(TypedDict):
    """What was said aloud. Without `x` and `y` where the place was not shared; the sender is null once that account is deleted."""

    id: str
    sender_id: str | None
    sender_username: str | None
    content: str
    x: NotRequired[float]
    y: NotRequired[float]
    created_at: Time


class HeardShape(TypedDict):
    speech: list[SpeechShape]
    next_before: NotRequired[str]


class SessionShape(TypedDict):
    """A chat room that lasts. A land has `name` and `member_count`, a group `name` and `members`."""

    id: str
    kind: Literal["land", "private", "group"]
    name: NotRequired[str]
    members: NotRequired[list[UserShape]]
    member_count: NotRequired[int]
    last_message: MessageShape | DeletedShape | None
    last_seq: int
    read_seq: int
    unread: int


class TokenPairShape(TypedDict):
    user: UserShape
    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    refresh_token: str


class TicketShape(TypedDict):
    ticket: str
    expires_in: int


class BlocksShape(TypedDict):
    users: list[UserShape]


class SessionsShape(TypedDict):
    sessions: list[SessionShape]
    next_cursor: NotRequired[str]


class HistoryShape(TypedDict):
    messages: list[MessageShape | DeletedShape]
    next_before: NotRequired[int]
    next_after: NotRequired[int]


class ParticipantShape(TypedDict):
    user_id: str
    username: str
    distance: float


class ParticipantsShape(TypedDict):
    count: int
    participants: NotRequired[list[ParticipantShape]]


class OnlineUserShape(TypedDict):
    user_id: str
    username: str
    status: Literal["online"]
    last_seen: Time
    connections: int


class OnlineShape(TypedDict):
    count: int
    users: NotRequired[list[OnlineUserShape]]
    next_cursor: NotRequired[str]


class ChatStatsShape(TypedDict):
    sessions: int
    messages: int
    messages_today: int


class SocketStatsShape(TypedDict):
    connections: int
    users: int
    rooms: int


class CallStatsShape(TypedDict):
    ringing: int
    active: int


class LandsShape(TypedDict):
    lands: list[LandShape]


class IceServerShape(TypedDict):
    urls: list[str]
    username: NotRequired[str]
    credential: NotRequired[str]


class IceServersShape(TypedDict):
    ice_servers: list[IceServerShape]


class ErrorBody(TypedDict):
    code: RestErrorCode
    message: str
    retry_after: NotRequired[float]


class ErrorShape(TypedDict):
    error: ErrorBody
