"""Four WebRTC peers, aiortc's, hear each other by the server's pairing alone; one walks off, and comes back.

Each sends a tone of its own, and knows the others by theirs in the sound that arrives.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from math import cos, pi, sin
from typing import Any

import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from av import AudioFrame

from tests.harness import Person, Server, Socket

PATIENCE = 30.0
RATE = 48_000
FRAME = RATE // 50  # samples: 20 ms, as Opus has them
KEPT = 6  # one sample in so many is looked at: 8,000 a second
# Whole periods in 20 ms each, so that none shows in the place of another.
TONES = (400, 700, 1000, 1300)


class Tone(AudioStreamTrack):
    """A sine of this frequency, in real time."""

    def __init__(self, frequency: int) -> None:
        super().__init__()
        samples = [round(10_000 * sin(2 * pi * frequency * at / RATE)) for at in range(FRAME)]
        self._sound = array("h", samples).tobytes()

    async def recv(self) -> AudioFrame:
        silence = await super().recv()  # at its time, and with its time stamp
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(self._sound)
        frame.sample_rate = RATE
        frame.pts = silence.pts * RATE // silence.sample_rate
        frame.time_base = Fraction(1, RATE)
        return frame


def tone_of(frame: AudioFrame) -> int | None:
    """The tone that most of a frame's sound is; None for silence and for what is mixed."""
    samples = array("h", bytes(frame.planes[0]))
    channels = len(frame.layout.channels)
    heard = [samples[at * channels] / 32_768 for at in range(0, frame.samples, KEPT)]
    whole = sum(sample * sample for sample in heard)
    if whole < 0.001 * len(heard):
        return None
    for tone in TONES:
        turn = 2 * pi * tone * KEPT / frame.sample_rate
        real = sum(sample * cos(turn * at) for at, sample in enumerate(heard))
        imaginary = sum(sample * sin(turn * at) for at, sample in enumerate(heard))
        # A pure sine's energy is all at its own frequency.
        if 2 * (real * real + imaginary * imaginary) / len(heard) > 0.8 * whole:
            return tone
    return None


class Voice:
    """One who walks about and talks: a peer connection for each link that the server tells of."""

    def __init__(self, person: Person, chat: Socket, signal: Socket, tone: int) -> None:
        self.id = person.id
        self.tone = tone
        self.heard: dict[str, dict[int, int]] = {}  # by the peer's id: frames of each tone
        self.links: dict[str, RTCPeerConnection] = {}
        self.connected = 0
        self._chat = chat
        self._signal = signal
        self._tasks: list[asyncio.Task[None]] = []

    async def stand(self, x: float) -> None:
        await self._chat.ask("location_updated", type="update_location", x=x, y=0)

    async def join(self) -> None:
        await self._signal.send(type="voice_join")
        self._tasks.append(asyncio.create_task(self._follow()))

    async def _follow(self) -> None:
        """Does what a page would, event by event."""
        while True:
            event = await self._signal.next_of({"voice_peers", "offer", "answer"})
            if event["type"] == "voice_peers":
                for call_id in event["disconnect"]:
                    await self.links.pop(call_id).close()
                for peer in event["connect"]:
                    await self._connect(**peer)
            else:
                link = self.links[event["call_id"]]
                await link.setRemoteDescription(RTCSessionDescription(event["sdp"], event["type"]))
                if event["type"] == "offer":
                    await self._describe(event["call_id"], "answer")

    async def _connect(self, user_id: str, call_id: str, initiator: bool, muted: bool) -> None:
        link = self.links[call_id] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connected += 1
        link.addTrack(Tone(self.tone))

        @link.on("track")
        def take(track: MediaStreamTrack) -> None:
            self._tasks.append(asyncio.create_task(self._listen(user_id, track)))

        if initiator:
            await self._describe(call_id, "offer")

    async def _describe(self, call_id: str, kind: str) -> None:
        """aiortc's descriptions have all candidates in them."""
        link = self.links[call_id]
        make = link.createOffer if kind == "offer" else link.createAnswer
        await link.setLocalDescription(await make())
        await self._signal.send(type=kind, call_id=call_id, sdp=link.localDescription.sdp)

    async def _listen(self, user_id: str, track: MediaStreamTrack) -> None:
        tones = self.heard.setdefault(user_id, {})
        while True:
            try:
                tone = tone_of(await track.recv())
            except MediaStreamError:
                return  # the link is over
            if tone is not None:
                tones[tone] = tones.get(tone, 0) + 1

    def frames_of(self, other: Voice) -> int:
        return self.heard.get(other.id, {}).get(other.tone, 0)

    def check(self) -> None:
        """Fails with what the follower failed with."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def close(self) -> None:
        for link in self.links.values():
            await link.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def talking(server: Server) -> AsyncIterator[list[Voice]]:
    """One for each tone, a unit apart, who have joined."""
    voices = []
    try:
        for place, (person, tone) in enumerate(zip(await server.people(len(TONES)), TONES, strict=True)):
            voice = Voice(person, await person.chat(), await person.signal(), tone)
            voices.append(voice)
            await voice.stand(place)
            await voice.join()
        yield voices
    finally:
        for voice in voices:
            await voice.close()


async def until(condition: Callable[[], bool], voices: list[Voice]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                for voice in voices:
                    voice.check()
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError([(voice.tone, voice.heard, len(voice.links)) for voice in voices]) from None


async def hear_each_other(voices: list[Voice], everybody: list[Voice]) -> None:
    """Waits until each of them has heard ten more frames of each of the others' tones."""
    pairs = [(one, other) for one in voices for other in voices if one is not other]
    before = {pair: pair[0].frames_of(pair[1]) for pair in pairs}
    await until(lambda: all(pair[0].frames_of(pair[1]) >= before[pair] + 10 for pair in pairs), everybody)


@pytest.mark.gen_test(timeout=120)
async def test_four_in_earshot_hear_each_other(server: Server) -> None:
    """Each hears each of the others, and nobody else in their place; one who walks off is not heard until the return."""
    async with talking(server) as voices:
        *stay, walker = voices
        await hear_each_other(voices, voices)
        assert {len(voice.links) for voice in voices} == {3}

        await walker.stand(50)
        await until(
            lambda: not walker.links and all(len(voice.links) == len(stay) - 1 for voice in stay), voices
        )
        await until(lambda: all(task.done() for task in walker._tasks[1:]), voices)
        gone: dict[Any, int] = {(one, walker): one.frames_of(walker) for one in stay}
        gone |= {(walker, one): walker.frames_of(one) for one in stay}
        await hear_each_other(stay, voices)
        assert {pair: pair[0].frames_of(pair[1]) for pair in gone} == gone

        await walker.stand(2)
        await hear_each_other(voices, voices)
        assert walker.connected == 6 and {voice.connected for voice in stay} == {4}
        for voice in voices:
            for other in voices:
                if other is not voice:
                    assert set(voice.heard[other.id]) == {other.tone}
