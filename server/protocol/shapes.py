"""The objects that answers and events are made of (contract §1), and the bodies of REST answers.

TypedDicts: plain dicts at run time, so that encoding one costs nothing extra.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class UserShape(TypedDict):
    id: str
    username: str
    display_name: str


class MeShape(UserShape):
    invisible: bool
    share_location: bool


class LandShape(TypedDict):
    id: str
    world_id: str
    name: str
    x: float
    y: float
    width: float
    height: float
    owner_id: str | None
    access: Literal["open", "invited"]
    invited_ids: NotRequired[list[str]]  # to the owner alone


class MemberShape(TypedDict):
    user_id: str
    username: str


class MessageShape(TypedDict):
    id: str
    room_id: str
    seq: int
    sender_id: str | None  # null once the sender's account is deleted
    sender_username: str | None
    content: str
    created_at: str
    client_id: NotRequired[str]


class DeletedShape(TypedDict):
    id: str
    room_id: str
    seq: int
    deleted: Literal[True]


class SessionShape(TypedDict):
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
    last_seen: str
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
    code: str
    message: str
    retry_after: NotRequired[float]


class ErrorShape(TypedDict):
    error: ErrorBody
