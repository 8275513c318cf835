"""What WebRTC's two ends say to each other on the way to media: descriptions and candidates, by `call_id`.

A `call_id` is a call's, or of two who hear each other's voice. Whose it is, and who gets what is said, those services
know; `server.node` hands their `relay` here. Called by the dispatcher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from server.codec import encode, plain
from server.errors import ApiError
from server.hub import Connection
from server.protocol import requests

CANDIDATE_BYTES: Final = 2048
SDP_BYTES: Final = 32_768

Event = dict[str, Any]


class Signals:
    """Bounds what is said, and finds the way for it."""

    def __init__(
        self,
        to_voice: Callable[[Connection, Event, int], bool],
        to_call: Callable[[Connection, Event], None],
    ) -> None:
        """Both pass an event on to the other side of its `call_id`; the first is told the size in bytes of what is said,
        and says whether it was one of its own."""
        self._to_voice = to_voice
        self._to_call = to_call

    def describe(self, connection: Connection, request: requests.Offer | requests.Answer) -> None:
        kind = "offer" if isinstance(request, requests.Offer) else "answer"
        size = len(request.sdp.encode())
        if size > SDP_BYTES:
            raise ApiError("too_large", f"expected a session description of {SDP_BYTES} bytes at most")
        self._pass_on(connection, {"type": kind, "call_id": request.call_id, "sdp": request.sdp}, size)

    def candidate(self, connection: Connection, request: requests.IceCandidate) -> None:
        candidate = plain(request.candidate)
        size = len(encode(candidate)) if candidate is not None else 0
        if size > CANDIDATE_BYTES:
            raise ApiError("too_large", f"expected a candidate of {CANDIDATE_BYTES} bytes at most")
        event = {"type": "ice_candidate", "call_id": request.call_id, "candidate": candidate}
        self._pass_on(connection, event, size)

    def _pass_on(self, connection: Connection, event: Event, size: int) -> None:
        if not self._to_voice(connection, event, size):
            self._to_call(connection, event)
