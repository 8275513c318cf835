"""Lengths (in code points) and ranges of the contract, as annotated types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

MAX_COORDINATE = 1e9
DEFAULT_RADIUS = 10.0  # also earshot
PROTOCOL_VERSION = 1

# `$` alone would let a line break at the end pass: Python matches before it.
_NAME = r"^[A-Za-z0-9_.\-]+$(?!\n)"

Id = Annotated[str, Meta(min_length=1, max_length=64, description="an opaque id")]
Ref = Annotated[str, Meta(max_length=64, description="comes back with the answer or the error")]
ClientId = Annotated[str, Meta(min_length=1, max_length=64, description="makes sending again harmless")]
Content = Annotated[str, Meta(min_length=1, max_length=4000)]
Coordinate = Annotated[
    float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE, description="in units of the world")
]
Radius = Annotated[float, Meta(ge=1, le=50, description="in units, Chebyshev")]
Side = Annotated[float, Meta(gt=0, description="in units; the setting land_side bounds it, 1 is the least")]
WorldId = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NAME, description="a coordinate space")]
Seq = Annotated[int, Meta(ge=0, le=2**53, description="a message's place in its room, from 1")]
SpeechId = Annotated[
    str, Meta(min_length=1, max_length=64, description="the id of a speech; `0` is below all of them")
]
Username = Annotated[str, Meta(min_length=3, max_length=32, pattern=_NAME)]
DisplayName = Annotated[str, Meta(min_length=1, max_length=64)]
Password = Annotated[str, Meta(min_length=8, max_length=256)]
Secret = Annotated[str, Meta(min_length=1, max_length=4096)]
LandName = Annotated[str, Meta(min_length=1, max_length=64)]
GroupName = Annotated[str, Meta(min_length=1, max_length=64)]
Access = Literal["open", "invited"]
CallType = Literal["audio", "video"]
UserIds = Annotated[list[Id], Meta(min_length=1, max_length=200)]
Time = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})
]
LineIndex = Annotated[int, Meta(ge=0, le=65_535, description="a media section's place in the description")]
Sdp = Annotated[str, Meta(min_length=1, description="a session description of 32 KiB at most")]
