"""The signaling socket: rings, answers, joins the voice in earshot, and carries what two ends say to each other.

It has no media: who wants any brings a WebRTC stack, and hands `offer`, `answer` and `ice_candidate` on.
The call under way, and the voice, are rejoined after a reconnect.
"""

from __future__ import annotations

from typing import Any

from client.auth import Auth
from client.emitter import log
from client.errors import HereaboutsError
from client.socket import Frame, ReconnectingSocket


class SignalSocket(ReconnectingSocket):
    """Opens at the first request, or by `open()` to hear of incoming calls: few bots and servers call.

    Events: those of ReconnectingSocket and the frames of the contract. `voice_peers` tells what is new to this object
    alone: also after a reconnect, each link comes once and ends once.
    """

    def __init__(self, url: str, auth: Auth) -> None:
        super().__init__(url, auth)
        self.call_id: str | None = None  # of the call that lasts on this socket
        self.voice: dict[str, Frame] | None = None  # the links by `call_id`; None where voice is not joined
        self._muted = False
        self._begins = False  # it is being joined: what it finds there is not this object's

    def close(self) -> None:
        super().close()
        self.call_id = self.voice = None

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

    async def join_voice(self) -> None:
        """Talks with those within earshot, of whom `voice_peers` tells; links that another device or an earlier run of
        this one has left are made anew."""
        if self.voice is not None:
            return
        self.voice, self._muted, self._begins = {}, False, True
        try:
            if (await self.request("voice_join"))["connect"]:
                await self.request("voice_leave")
                await self.request("voice_join")
        except HereaboutsError:
            self.voice = None
            raise
        finally:
            self._begins = False

    async def leave_voice(self) -> None:
        """`voice_peers` tells of the end of each link."""
        if self.voice is not None:
            try:
                await self.request("voice_leave")
            finally:  # without a connection it ends by itself
                self.voice = None

    async def mute_voice(self, muted: bool) -> None:
        """Tells the others; to send no sound is the caller's part. Raises HereaboutsError: `not_joined`."""
        await self.request("voice_mute", muted=muted)
        self._muted = muted

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
        elif frame["type"] == "voice_peers":
            news = self._news_of_voice(frame)
            if not (news["connect"] or news["disconnect"] or "taken_over" in news):
                return
            frame = news
        super()._deliver(frame)

    def _news_of_voice(self, frame: Frame) -> Frame:
        """Of an answer, which has all links there are, or of an event: what this object does not know yet."""
        known = self.voice if self.voice is not None else {}
        listed = (
            {} if "ref" in frame and self._begins else {peer["call_id"]: peer for peer in frame["connect"]}
        )
        ended = known.keys() - listed.keys() if "ref" in frame else known.keys() & set(frame["disconnect"])
        begun = [listed[call_id] for call_id in listed if call_id not in known]
        for call_id in ended:
            del known[call_id]
        known.update({peer["call_id"]: peer for peer in begun})
        if "taken_over" in frame:
            self.voice = None
        return {**frame, "connect": begun, "disconnect": list(ended)}

    async def _prepare(self) -> None:
        if (call_id := self.call_id) is not None:
            try:
                await super().request("call_rejoin", call_id=call_id)
            except HereaboutsError as error:
                if not error.transient and self.call_id == call_id:  # it ended while we were away
                    self._deliver({"type": "call_ended", "call_id": call_id, "reason": "disconnected"})
        if self.voice is not None and not self._begins:
            try:
                await super().request("voice_join")
                if self._muted:  # which is forgotten of one who was away too long
                    await super().request("voice_mute", muted=True)
            except HereaboutsError as error:
                log.info("the voice is not joined again, until the next connection: %s", error)
        self._ready.set()
