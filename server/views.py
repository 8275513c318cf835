"""Storage's records as the shapes of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.clock import rfc3339
from server.protocol.shapes import (
    DeletedShape,
    LandShape,
    MemberShape,
    MeShape,
    MessageShape,
    SpeechShape,
    UserShape,
)
from storage.records import Land, Message, Speech, User


def user_shape(user: User) -> UserShape:
    username = user.username or ""
    return {"id": user.id, "username": username, "display_name": user.display_name or username}


def me_shape(user: User) -> MeShape:
    return {**user_shape(user), "invisible": user.invisible, "share_location": user.share_location}


def member_shape(user_id: str, username: str) -> MemberShape:
    return {"user_id": user_id, "username": username}


def land_shape(land: Land, asker: str | None) -> LandShape:
    shape: LandShape = {
        "id": land.id,
        "world_id": land.world_id,
        "name": land.name,
        "x": land.x,
        "y": land.y,
        "width": land.width,
        "height": land.height,
        "owner_id": land.owner_id,
        "access": land.access,
    }
    if asker is not None and asker == land.owner_id:
        shape["invited_ids"] = sorted(land.invited)
    return shape


def message_shape(message: Message, senders: Mapping[str, User]) -> MessageShape | DeletedShape:
    """`senders` lacks those whose accounts are deleted: their messages show no sender."""
    if message.content is None:
        return {"id": message.id, "room_id": message.session_id, "seq": message.seq, "deleted": True}
    sender = senders.get(message.sender_id)
    return _message(message, sender.id if sender else None, sender.username if sender else None)


def message_event(message: Message, sender_id: str | None, username: str | None) -> dict[str, Any]:
    """A `message`, the same when it is said and when it is replayed."""
    return {"type": "message", **_message(message, sender_id, username)}


def speech_shape(speech: Speech, sender_id: str | None, username: str | None) -> SpeechShape:
    """Of one that can be read, the same when it is said and later. The sender is None once that account is deleted."""
    shape: SpeechShape = {
        "id": speech.id,
        "sender_id": sender_id,
        "sender_username": username,
        "content": speech.content or "",
        "created_at": rfc3339(speech.created_at),
    }
    if speech.place is not None:
        shape["x"], shape["y"] = speech.place
    return shape


def heard_shape(speech: Speech, senders: Mapping[str, User]) -> SpeechShape:
    """`senders` lacks those whose accounts are deleted."""
    sender = senders.get(speech.sender_id)
    return speech_shape(speech, sender.id if sender else None, sender.username if sender else None)


def _message(message: Message, sender_id: str | None, username: str | None) -> MessageShape:
    shape: MessageShape = {
        "id": message.id,
        "room_id": message.session_id,
        "seq": message.seq,
        "sender_id": sender_id,
        "sender_username": username,
        "content": message.content or "",
        "created_at": rfc3339(message.created_at),
    }
    if message.client_id is not None:
        shape["client_id"] = message.client_id
    return shape
