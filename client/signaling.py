"""The signaling socket: rings, answers, and carries what a call's two ends say to each other.

It has no media: who wants any brings a WebRTC stack, and hands `offer`, `answer` and `ice_candidate` on.
The call under way is rejoined after a reconnect.
"""

from __future__ import annotations

from typing import Any

from client.auth import Auth
from client.errors import HereaboutsError
from client.socket import Frame, ReconnectingSocket


class SignalSocket(ReconnectingSocket):
    """Opens at the first request, or by `open()` to hear of incoming calls: few bots and servers call.

    Events: those of ReconnectingSocket and the frames of the contract.
    """

    def __init__(self, url: str, auth: Auth) -> None:
        super().__init__(url, auth)
        self.call_id: str | None = None  # of the call that lasts on this socket

    def close(self) -> None:
        super().close()
        self.call_id = None

    async def request(self, type: str, **fields: Any) -> Frame:
        self.open()
        await self.ready()
        return await super().request(type, **fields)

    async def call(self, callee_id: str, call_type: str = "audio") -> Frame:
        """`call_initiated {call_id}`. Raises HereaboutsError: `busy`, `offline`, or as `request`."""
        return await self.request("call_initiate", callee_id=callee_id, call_type=call_type)

    async def accept(self, call_id: str) -> Frame:
        """`call_started {call_id, peer_id, call_type}`."""
        return await self.request("call_accept", call_id=call_id)

    async def reject(self, call_id: str) -> Frame:
        return await self.request("call_reject", call_id=call_id)

    async def hang_up(self, call_id: str) -> Frame:
        """`call_ended {call_id, reason, duration_seconds}`."""
        return await self.request("call_hangup", call_id=call_id)

    def offer(self, call_id: str, sdp: str) -> bool:
        """False, as of `answer` and `ice_candidate`, when there is no connection: it was not sent."""
        return self.notify("offer", call_id=call_id, sdp=sdp)

    def answer(self, call_id: str, sdp: str) -> bool:
        return self.notify("answer", call_id=call_id, sdp=sdp)

    def ice_candidate(self, call_id: str, candidate: dict[str, Any] | None) -> bool:
        return self.notify("ice_candidate", call_id=call_id, candidate=candidate)

    def _deliver(self, frame: Frame) -> None:
        if frame["type"] in ("call_initiated", "call_started"):
            self.call_id = frame["call_id"]
        elif frame["type"] in ("call_ended", "call_rejected") and frame["call_id"] == self.call_id:
            self.call_id = None
        super()._deliver(frame)

    async def _prepare(self) -> None:
        if (call_id := self.call_id) is not None:
            try:
                await super().request("call_rejoin", call_id=call_id)
            except HereaboutsError as error:
                if not error.transient and self.call_id == call_id:  # it ended while we were away
                    self._deliver({"type": "call_ended", "call_id": call_id, "reason": "disconnected"})
        self._ready.set()
