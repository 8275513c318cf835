"""Two WebRTC peers, aiortc's, hold a call with nothing but this server's signaling between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp

from tests.harness import Person, Server, Socket

PATIENCE = 20.0
FRAMES = 20  # of each track and direction, until media counts as flowing
# Candidates travel by themselves, and so does the word that there are no more.
REMOVED = ("a=candidate", "a=end-of-candidates")


class Peer:
    """One side of a call: a peer connection, the signaling socket under it, and what it has received."""

    def __init__(self, socket: Socket, call_type: str) -> None:
        self.socket = socket
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.received: dict[str, int] = {}
        self.call_id = ""
        self.heard_from: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._take)
        self.connection.addTrack(AudioStreamTrack())
        if call_type == "video":
            self.connection.addTrack(VideoStreamTrack())

    def _take(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._count(track)))

    async def _count(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return  # the other side stopped sending
            self.received[track.kind] = self.received.get(track.kind, 0) + 1

    async def describe(self, kind: str) -> None:
        """Sends an offer or an answer without its candidates, then those one by one and the null at the end."""
        make = self.connection.createOffer if kind == "offer" else self.connection.createAnswer
        await self.connection.setLocalDescription(await make())
        lines = self.connection.localDescription.sdp.splitlines()
        sdp = "".join(f"{line}\r\n" for line in lines if not line.startswith(REMOVED))
        await self.socket.send(type=kind, call_id=self.call_id, sdp=sdp)
        section = -1
        for line in lines:
            section += line.startswith("m=")
            if line.startswith("a=candidate"):
                candidate = {"candidate": line[2:], "sdpMid": str(section), "sdpMLineIndex": section}
                await self.socket.send(type="ice_candidate", call_id=self.call_id, candidate=candidate)
        await self.socket.send(type="ice_candidate", call_id=self.call_id, candidate=None)

    async def take(self, kind: str) -> None:
        """Waits for the other side's description and candidates."""
        event = await self.socket.next(kind, call_id=self.call_id)
        self.heard_from.add(event["from_user_id"])
        await self.connection.setRemoteDescription(RTCSessionDescription(event["sdp"], kind))
        while (event := await self.socket.next("ice_candidate", call_id=self.call_id))["candidate"]:
            self.heard_from.add(event["from_user_id"])
            given: dict[str, Any] = event["candidate"]
            candidate = candidate_from_sdp(given["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = given["sdpMid"], given["sdpMLineIndex"]
            await self.connection.addIceCandidate(candidate)
        await self.connection.addIceCandidate(None)

    async def hears(self, kinds: set[str]) -> None:
        """Waits until enough frames of each of these kinds have come."""
        async with asyncio.timeout(PATIENCE):
            while any(self.received.get(kind, 0) < FRAMES for kind in kinds):
                await asyncio.sleep(0.05)

    async def packets(self) -> int:
        """RTP packets received, by the connection's own count."""
        report = (await self.connection.getStats()).values()
        return sum(stats.packetsReceived for stats in report if stats.type == "inbound-rtp")

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def peers(ann: Person, bob: Person, call_type: str) -> AsyncIterator[tuple[Peer, Peer]]:
    hers, his = Peer(await ann.signal(), call_type), Peer(await bob.signal(), call_type)
    try:
        yield hers, his
    finally:
        await hers.close()
        await his.close()


@pytest.mark.parametrize(("call_type", "kinds"), [("audio", {"audio"}), ("video", {"audio", "video"})])
async def test_a_call_with_media_both_ways(server: Server, call_type: str, kinds: set[str]) -> None:
    """What the server passes on is enough for two peers to find each other, hear and see; then they hang up."""
    ann, bob = await server.person(), await server.person()
    async with peers(ann, bob, call_type) as (hers, his):
        initiated = await hers.socket.ask(
            "call_initiated", type="call_initiate", callee_id=bob.id, call_type=call_type
        )
        hers.call_id = initiated["call_id"]
        his.call_id = (await his.socket.next("incoming_call", call_type=call_type))["call_id"]
        await his.socket.ask("call_started", type="call_accept", call_id=his.call_id)
        await hers.socket.next("call_started", peer_id=bob.id)

        await hers.describe("offer")
        await his.take("offer")
        await his.describe("answer")
        await hers.take("answer")
        await asyncio.gather(hers.hears(kinds), his.hears(kinds))
        assert (hers.heard_from, his.heard_from) == ({bob.id}, {ann.id})
        for peer in (hers, his):
            assert peer.connection.connectionState == "connected"
            assert await peer.packets() >= FRAMES
        assert await server.call("GET", "/webrtc/active-calls") == (200, {"ringing": 0, "active": 1})

        ended = await hers.socket.ask("call_ended", type="call_hangup", call_id=hers.call_id)
        del ended["ref"]
        assert ended["reason"] == "hangup" and ended["duration_seconds"] > 0
        assert await his.socket.next("call_ended") == ended
