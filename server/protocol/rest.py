"""What comes over HTTP: bodies and query parameters. Unknown fields are errors here too."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.protocol import limits as L


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object in a request."""


class Query(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The parameters behind the question mark."""


class Register(Body):
    username: L.Username
    password: L.Password
    display_name: L.DisplayName | None = None


class Login(Body):
    username: Annotated[str, Meta(max_length=256)]
    password: Annotated[str, Meta(max_length=256)]


class Refresh(Body):
    refresh_token: L.Secret


class ChangePassword(Body):
    old: Annotated[str, Meta(max_length=256)]
    new: L.Password


class UpdateMe(Body):
    display_name: L.DisplayName | UnsetType = UNSET
    invisible: bool | UnsetType = UNSET
    share_location: bool | UnsetType = UNSET


class FindUser(Query):
    username: Annotated[str, Meta(max_length=256)]


class Page(Query):
    cursor: Annotated[str, Meta(max_length=128)] | None = None


class CreateSession(Body):
    participant_ids: L.UserIds
    name: L.GroupName | None = None


class RenameSession(Body):
    name: L.GroupName


class AddMembers(Body):
    user_ids: L.UserIds


class History(Query):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Annotated[L.Seq, Meta(description="only messages below this seq, newest first")] | None = None
    after: Annotated[L.Seq, Meta(description="only messages above this seq, oldest first")] | None = None


class PostMessage(Body):
    content: L.Content
    client_id: L.ClientId | None = None


class HeardSpeech(Query):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Annotated[L.SpeechId, Meta(description="only speech below this id")] | None = None


class Around(Query):
    radius: L.Radius = L.DEFAULT_RADIUS


class FindLands(Query):
    world_id: L.WorldId = "main"
    x0: L.Coordinate | None = None
    y0: L.Coordinate | None = None
    x1: L.Coordinate | None = None
    y1: L.Coordinate | None = None
    x: L.Coordinate | None = None
    y: L.Coordinate | None = None
    radius: L.Radius | None = None


class CreateLand(Body):
    name: L.LandName
    x: L.Coordinate
    y: L.Coordinate
    width: L.Side
    height: L.Side
    world_id: L.WorldId = "main"
    access: L.Access = "open"
    invited_ids: Annotated[list[L.Id], Meta(max_length=1000)] = []


class UpdateLand(Body):
    name: L.LandName | UnsetType = UNSET
    x: L.Coordinate | UnsetType = UNSET
    y: L.Coordinate | UnsetType = UNSET
    width: L.Side | UnsetType = UNSET
    height: L.Side | UnsetType = UNSET
    access: L.Access | UnsetType = UNSET
    invited_ids: Annotated[list[L.Id], Meta(max_length=1000)] | UnsetType = UNSET
