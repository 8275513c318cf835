"""Voice in earshot: who has joined, who is paired with whom, and how loud each is to the other.

Who should be paired is `spatial.pairing`'s, asked on a tick while somebody has joined; what two then say to each other
goes by the `call_id` of their link, as in a call. Media never passes the server. Being paired tells that one is within
earshot, so only those who share where they are can be; the rest may join, and wait until that changes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from server.broker import Broker, ToConnection
from server.clock import Clock
from server.errors import ApiError, invalid
from server.hub import Connection
from server.ids import new_id
from server.limits import Throttle
from server.protocol import requests
from server.protocol.events import VoicePeer
from server.protocol.limits import DEFAULT_RADIUS
from server.settings import Settings
from spatial.distance import distance
from spatial.hearing import gain, pan
from spatial.pairing import Pair, pair

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.proximity import Proximity

# Pairs and gains are looked at so often: a step takes longer to be heard than this, and a thousand people who all
# walk about cost some 50 ms each time.
TICK_SECONDS: Final = 0.2
# Less than this nobody hears: of the gain 0.2 dB where it is loud, of the pan 3 degrees.
GAIN_STEP: Final = 0.02
PAN_STEP: Final = 0.05
# What one may say to another, over all their links: an offer of the largest, its answer and candidates, and then as
# a renegotiation wants. Six at once fill less than the buffer of one who reads slowly.
SIGNAL_BURST: Final = 98_304.0  # bytes
SIGNAL_RATE: Final = 8_192.0  # bytes a second
ENVELOPE: Final = 256  # bytes around what is said

Place = tuple[str, float, float]  # world, x, y
# A world as the pairs depend on it: the places, the blocks among those in them, and the peers held by those away.
Seen = tuple[dict[str, tuple[float, float]], dict[str, set[str]], dict[str, int]]


class _Link:
    """Two who are paired, and which of them makes the offer."""

    __slots__ = ("id", "initiator", "pair")

    def __init__(self, pair: Pair, initiator: str) -> None:
        self.id = new_id()
        self.pair = pair
        self.initiator = initiator


class _Speaker:
    """Somebody who has joined, and the one connection that speaks for them."""

    __slots__ = ("connection_id", "links", "muted", "number", "place", "told", "until", "user_id")

    def __init__(self, user_id: str, number: int) -> None:
        self.user_id = user_id
        self.number = number  # in the order of joining
        self.connection_id: str | None = None
        self.muted = False
        self.place: Place | None = None  # the last one known
        # While there is no connection or no position: when their links end.
        self.until: float | None = None
        self.links: dict[str, _Link] = {}  # by the peer's id
        self.told: dict[str, tuple[float, float]] = {}  # the peers' gain and pan, as last told


class _News:
    """What is to be told of links, gathered for each user: one event for all that comes at a time."""

    def __init__(self) -> None:
        self.connect: dict[str, list[VoicePeer]] = defaultdict(list)
        self.disconnect: dict[str, list[str]] = defaultdict(list)

    def users(self) -> list[str]:
        return list({**self.connect, **self.disconnect})


class Voice:
    """The voice of the signaling hub."""

    def __init__(
        self, settings: Settings, broker: Broker, people: People, proximity: Proximity, clock: Clock
    ) -> None:
        self._rejoin_seconds = settings.rejoin_seconds
        self._broker = broker
        self._people = people
        self._proximity = proximity
        self._clock = clock
        self._joined: dict[str, _Speaker] = {}
        self._numbers = count()
        self._said = Throttle(SIGNAL_RATE, SIGNAL_BURST) if settings.rate_limits else None
        self._links: dict[str, _Link] = {}
        self._talking: set[str] = set()  # in a call, joined or not
        self._seen: dict[str, Seen] = {}  # by world, on the last tick
        self._changed = False  # since then, by something else than what is seen
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._joined)

    @property
    def link_count(self) -> int:
        return len(self._links)

    # Requests

    def join(self, connection: Connection, request: requests.VoiceJoin) -> None:
        """Takes over from another connection, with its links; peers notice nothing of it."""
        user_id = connection.user_id
        speaker = self._joined.get(user_id)
        if speaker is None:
            speaker = self._joined[user_id] = _Speaker(user_id, next(self._numbers))
        elif speaker.connection_id not in (None, connection.id):
            self._tell(
                speaker, {**_peers((), [link.id for link in speaker.links.values()]), "taken_over": True}
            )
        speaker.connection_id = connection.id
        speaker.told.clear()
        self._changed = True
        connection.answer(_peers([self._peer(speaker, peer) for peer in speaker.links]), request.ref)
        self._wake()

    def leave(self, connection: Connection, request: requests.VoiceLeave) -> None:
        """Succeeds and does nothing for one who has not joined, or whose voice another connection holds."""
        speaker = self._joined.get(connection.user_id)
        ended: list[str] = []
        if speaker is not None and speaker.connection_id in (None, connection.id):
            ended = [link.id for link in speaker.links.values()]
            news = _News()
            self._unlink_all(speaker, news)
            del self._joined[speaker.user_id]
            self._tell_news(news)
        connection.answer(_peers((), ended), request.ref)

    def mute(self, connection: Connection, request: requests.VoiceMute) -> None:
        speaker = self._joined.get(connection.user_id)
        if speaker is None or speaker.connection_id != connection.id:
            raise ApiError("not_joined", "join the voice on this connection first")
        speaker.muted = request.muted
        event = {"type": "voice_muted", "user_id": speaker.user_id, "muted": request.muted}
        connection.answer(event, request.ref)
        for peer in speaker.links:
            self._tell(self._joined[peer], event)

    def relay(self, connection: Connection, event: dict[str, Any], size: int) -> bool:
        """Passes a session description or a candidate of so many bytes on; false where its `call_id` is no link of
        this user's."""
        user_id = connection.user_id
        link = self._links.get(event["call_id"])
        if link is None or user_id not in link.pair:
            return False
        if self._joined[user_id].connection_id != connection.id:
            raise invalid("another connection of yours holds this voice; voice_join takes it over")
        a, b = link.pair
        other = self._joined[b if user_id == a else a]
        if other.connection_id is None:
            raise ApiError("unavailable", "the other side is reconnecting", retry_after=1)
        if self._said:
            key, now = f"{user_id} {other.user_id}", self._clock.monotonic()
            if wait := self._said.take(key, now, size + ENVELOPE):
                raise ApiError("rate_limited", "too much for one to be told", retry_after=round(wait, 3))
        self._tell(other, {**event, "from_user_id": user_id})
        return True

    # What happens elsewhere

    def departed(self, connection: Connection) -> None:
        """A signaling connection is gone; where it held its user's voice, that waits a while."""
        speaker = self._joined.get(connection.user_id)
        if speaker is not None and speaker.connection_id == connection.id:
            speaker.connection_id = None
            speaker.until = self._clock.monotonic() + self._rejoin_seconds

    def part(self, user_id: str, other_id: str) -> None:
        """A user has blocked another."""
        speaker = self._joined.get(user_id)
        if speaker is not None and (link := speaker.links.get(other_id)) is not None:
            news = _News()
            self._unlink(link, news)
            self._tell_news(news)

    def pause(self, user_id: str, talking: bool) -> None:
        """A call of a user has begun, or ended: whoever is in one stays joined, and is paired with nobody."""
        if not talking:
            self._talking.discard(user_id)
            return
        self._talking.add(user_id)
        if (speaker := self._joined.get(user_id)) is not None:
            news = _News()
            self._unlink_all(speaker, news)
            self._tell_news(news)

    # The tick

    def _wake(self) -> None:
        if self._timer is None and self._joined:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            news = _News()
            moved = self._look(news)
            self._tell_news(news)
            self._tell_gains(moved)
        finally:
            self._wake()

    def _look(self, news: _News) -> set[str]:
        """Looks where everybody is, and pairs anew where something has changed; the users who have moved."""
        now = self._clock.monotonic()
        present: dict[str, Place] = {}
        moved: set[str] = set()
        for speaker in list(self._joined.values()):
            place = self._place(speaker, now, news)
            if place is not None:
                present[speaker.user_id] = place
                if place != speaker.place:
                    moved.add(speaker.user_id)
                    speaker.place = place
        seen = self._see(present)
        if self._changed or seen != self._seen:
            self._pair(present, seen, news)
        self._seen, self._changed = seen, False
        return moved

    def _place(self, speaker: _Speaker, now: float, news: _News) -> Place | None:
        """Where somebody is who can be paired. Those who are away keep their links for a while, and get no others."""
        user_id = speaker.user_id
        place = self._proximity.place(user_id)
        if speaker.connection_id is not None and place is not None:
            speaker.until = None
        elif speaker.until is None:
            speaker.until = now + self._rejoin_seconds
        person = self._people.connected(user_id)
        if user_id in self._talking or (person is not None and not person.locatable):
            self._unlink_all(speaker, news)
            place = None
        if speaker.until is None:
            return place
        if speaker.until <= now:
            self._unlink_all(speaker, news)
            if speaker.connection_id is None:
                del self._joined[user_id]
        return None

    def _see(self, present: Mapping[str, Place]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for user_id, (world_id, x, y) in present.items():
            places, apart, taken = seen.setdefault(world_id, ({}, {}, {}))
            places[user_id] = (x, y)
            person = self._people.connected(user_id)
            if person and (blocked := person.hidden_from.keys() & self._joined.keys()):
                apart[user_id] = blocked
            if away := sum(peer not in present for peer in self._joined[user_id].links):
                taken[user_id] = away
        return seen

    def _pair(self, present: Mapping[str, Place], seen: dict[str, Seen], news: _News) -> None:
        everywhere = self._changed
        links: dict[str, dict[Pair, _Link]] = {world_id: {} for world_id in seen}
        for link in self._links.values():
            a, b = link.pair
            if a in present and b in present:  # perhaps in another world, and then in no pair of this one
                links[present[a][0]][link.pair] = link
        for world_id, (places, apart, taken) in seen.items():
            if not everywhere and seen[world_id] == self._seen.get(world_id):
                continue
            before = links[world_id]
            pairs = pair(places, apart, before, taken, DEFAULT_RADIUS)
            for two in sorted(before.keys() - pairs):
                self._unlink(before[two], news)
            for two in sorted(pairs - before.keys()):
                self._link(two, news)

    def _link(self, two: Pair, news: _News) -> None:
        """Whoever joined later is to offer."""
        link = _Link(two, max(two, key=lambda user_id: self._joined[user_id].number))
        self._links[link.id] = link
        for user_id, peer in (two, two[::-1]):
            speaker = self._joined[user_id]
            speaker.links[peer] = link
            news.connect[user_id].append(self._peer(speaker, peer))

    def _unlink(self, link: _Link, news: _News) -> None:
        self._changed = True
        del self._links[link.id]
        for user_id, peer in (link.pair, link.pair[::-1]):
            speaker = self._joined[user_id]
            del speaker.links[peer]
            speaker.told.pop(peer, None)
            news.disconnect[user_id].append(link.id)

    def _unlink_all(self, speaker: _Speaker, news: _News) -> None:
        for link in list(speaker.links.values()):
            self._unlink(link, news)

    # What is told

    def _peer(self, speaker: _Speaker, peer: str) -> VoicePeer:
        link = speaker.links[peer]
        return {
            "user_id": peer,
            "call_id": link.id,
            "initiator": link.initiator == speaker.user_id,
            "muted": self._joined[peer].muted,
        }

    def _tell_news(self, news: _News) -> None:
        for user_id in news.users():
            if (speaker := self._joined.get(user_id)) is not None:
                self._tell(speaker, _peers(news.connect[user_id], news.disconnect[user_id]))

    def _tell_gains(self, moved: set[str]) -> None:
        for speaker in self._joined.values():
            if (
                len(speaker.told) < len(speaker.links)
                or speaker.user_id in moved
                or not moved.isdisjoint(speaker.links)
            ):
                gains = {peer: self._gain(speaker, self._joined[peer]) for peer in speaker.links}
                if any(_differ(speaker.told.get(peer), now) for peer, now in gains.items()):
                    event = {"type": "voice_gains", "gains": [[peer, *now] for peer, now in gains.items()]}
                    if self._tell(speaker, event, key="voice_gains"):
                        speaker.told = gains

    def _gain(self, speaker: _Speaker, other: _Speaker) -> tuple[float, float]:
        assert speaker.place is not None and other.place is not None
        (world_id, x, y), (other_world_id, other_x, other_y) = speaker.place, other.place
        if world_id != other_world_id:
            return 0.0, 0.0  # one of the two is away, and the other has gone on
        loud = gain(distance(x, y, other_x, other_y), DEFAULT_RADIUS)
        return round(loud, 3), round(pan(other_x - x, other_y - y, DEFAULT_RADIUS), 3)

    def _tell(self, speaker: _Speaker, event: Mapping[str, Any], key: str | None = None) -> bool:
        """To the connection that speaks for somebody; false where none does."""
        if speaker.connection_id is None:
            return False
        self._broker.publish(ToConnection(speaker.user_id, speaker.connection_id), event, key=key)
        return True


def _peers(connect: Iterable[VoicePeer] = (), disconnect: Iterable[str] = ()) -> dict[str, Any]:
    return {"type": "voice_peers", "connect": list(connect), "disconnect": list(disconnect)}


def _differ(told: tuple[float, float] | None, now: tuple[float, float]) -> bool:
    """Whether somebody would hear the difference; silence is told to the last bit."""
    return (
        told is None
        or abs(now[0] - told[0]) >= GAIN_STEP
        or abs(now[1] - told[1]) >= PAN_STEP
        or (now[0] == 0) != (told[0] == 0)
    )
