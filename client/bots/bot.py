"""One bot at a server: tells where it walks, is in the room of the land that it stands in, and talks there and aloud.

Where to and what to say is decided by `walking` and `talking`; the connection and its coming back are the
client library's. Called by `crowd`.
"""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any, Final

from client.bots.talking import Say, Scene, Talker, Type, is_bot
from client.bots.village import EAST, NORTH, SOUTH, WEST, Point, Village
from client.bots.walking import Walker
from client.emitter import log
from client.errors import HereaboutsError
from client.hereabouts import Hereabouts

TICK_SECONDS: Final = 0.2  # five steps a second: smooth to the eye, a tenth of what a socket may ask
REPORT_SECONDS: Final = 10.0  # one who stands says so again: somebody may have claimed the land there
LANDS_SECONDS: Final = 30.0  # between two looks at which lands there are, for all bots together
RETRY_SECONDS: Final = 2.0  # after a refusal that does not say
LISTENING: Final = 10.0  # seconds that one stays for what is said
SPEAKING: Final = 3.0


class Bot:
    def __init__(self, hereabouts: Hereabouts, village: Village, rng: random.Random) -> None:
        """Of somebody who is signed in."""
        assert hereabouts.user is not None
        self._hereabouts = hereabouts
        self._chat = hereabouts.chat
        self._village = village
        self._rng = rng
        self._clock = asyncio.get_running_loop().time
        self._id: str = hereabouts.user["id"]
        self._walker = Walker(rng, self._clock())
        self._talker = Talker(rng, hereabouts.user["username"])
        self._near: dict[str, tuple[str, Point]] = {}  # id: username, where; the nearest first
        self._told: Point | None = None  # where the server knows this bot
        self._told_at = -math.inf
        self._land: str | None = None  # underfoot, by the server's word
        self._room: str | None = None  # joined
        self._closed: set[str] = set()  # lands that this bot may not enter
        self._people: dict[str, str] = {}  # id: username, of the others in the room
        self._aloud = False  # how a person spoke last
        self._kinds: dict[str, str] = {}  # of sessions
        self._answering: set[str] = set()  # private sessions
        for type, listener in (
            ("synced", self._synced),
            ("joined_room", self._entered),
            ("user_joined", self._joined),
            ("user_left", self._left),
            ("typing", self._typing),
            ("message", self._read),
            ("message", self._answer),
            ("speech", self._overhear),
            ("room_closed", self._lost),
            ("room_lost", self._lost),
        ):
            self._chat.on(type, listener)

    async def live(self) -> None:
        """Until cancelled, or until the login ends."""
        await self._chat.ready()
        self._chat.watch_nearby()
        before = self._clock()
        while self._hereabouts.user is not None and self._chat.state != "closed":
            await asyncio.sleep(TICK_SECONDS * self._rng.uniform(0.9, 1.1))
            now = self._clock()
            seconds, before = now - before, now
            if self._chat.state != "open":
                continue  # the library is about to come back
            try:
                await self._tick(now, seconds)
            except HereaboutsError as error:
                # Too fast for this world, too much for the moment, or the connection went: later, from here.
                log.debug("%s: %s", self._hereabouts.user, error)
                await asyncio.sleep(error.retry_after or RETRY_SECONDS)

    async def _tick(self, now: float, seconds: float) -> None:
        if now - self._village.seen_at > LANDS_SECONDS:
            self._village.seen_at = now  # the others need not ask too
            box = {"x0": WEST, "y0": NORTH, "x1": EAST, "y1": SOUTH}
            self._village.take((await self._hereabouts.api.lands(**box))["lands"], now)
        self._look()
        self._walk(now, seconds)
        await self._report(now)
        await self._enter_land()
        self._talk(now)

    def _look(self) -> None:
        """Who is in earshot: the one place where bots see."""
        here = self._walker.gait.place
        near = [(id, user["username"], (user["x"], user["y"])) for id, user in self._chat.nearby.items()]
        near.sort(key=lambda other: math.dist(here, other[2]))
        self._near = {id: (username, place) for id, username, place in near}

    # Walking

    def _walk(self, now: float, seconds: float) -> None:
        others = [place for _, place in self._near.values()]
        people = [place for username, place in self._near.values() if not is_bot(username)]
        self._walker.step(now, seconds, self._village, others, people or others)

    async def _report(self, now: float) -> None:
        """Where this bot is, if that is news; now and then all the same, as the land underfoot may be."""
        place = self._walker.gait.place
        if place == self._told and now - self._told_at < REPORT_SECONDS:
            return
        self._told_at = now
        x, y = (round(value, 3) for value in place)
        self._land = (await self._chat.update_location(x, y)).get("land_id")
        self._told = place

    def _synced(self, _: object) -> None:
        """A position goes with the connection, and so does what was known of a room."""
        self._told = self._room = None

    # The room of the land

    async def _enter_land(self) -> None:
        land = None if self._land in self._closed else self._land
        if land == self._room:
            return
        if (left := self._room) is not None:
            self._room = None
            self._people = {}
            await self._chat.leave(left)
        if land is None:
            return
        try:
            await self._chat.join(land)
        except HereaboutsError as error:
            if error.transient:
                raise
            self._closed.add(land)

    def _entered(self, frame: dict[str, Any]) -> None:
        """In the order of the wire, as the next frame may say who comes."""
        self._room = frame["room_id"]
        self._aloud = False
        members = {member["user_id"]: member["username"] for member in frame["members"]}
        self._people = {id: username for id, username in members.items() if id != self._id}
        self._talker.enter(self._clock(), list(self._people.values()))

    def _joined(self, frame: dict[str, Any]) -> None:
        if frame["room_id"] == self._room and frame["user_id"] != self._id:
            self._people[frame["user_id"]] = frame["username"]
            self._talker.meet(self._clock(), frame["username"], self._scene())

    def _left(self, frame: dict[str, Any]) -> None:
        if frame["room_id"] == self._room:
            self._people.pop(frame["user_id"], None)

    def _lost(self, frame: dict[str, Any]) -> None:
        if frame["room_id"] == self._room:
            self._room = None

    # Talking

    def _scene(self) -> Scene:
        near = [username for username, _ in self._near.values()]
        far = [username for id, username in self._people.items() if id not in self._near]
        land = self._village.land(self._room)
        return Scene(land, [other for other in self._village.lands if other is not land], near + far)

    def _talk(self, now: float) -> None:
        match self._talker.act(now, self._scene()):
            case Type() if self._room is not None:
                self._chat.typing(self._room)
            case Say(content):
                self._speak(content)
        if self._talker.busy:
            self._walker.stay(now, SPEAKING)

    def _speak(self, content: str) -> None:
        """As one was spoken to; else in the room if a person is there, and aloud if one is only near."""
        if self._room is None or self._aloud or all(map(is_bot, self._people.values())):
            self._chat.say(content)
        else:
            self._chat.send(self._room, content)

    def _typing(self, frame: dict[str, Any]) -> None:
        if frame["room_id"] == self._room and frame["is_typing"]:
            self._talker.see_typing(self._clock(), frame["username"])

    def _read(self, message: dict[str, Any]) -> None:
        if message["room_id"] == self._room:
            self._hear(message, aloud=False)

    def _overhear(self, speech: dict[str, Any]) -> None:
        self._hear(speech, aloud=True)

    def _hear(self, said: dict[str, Any], *, aloud: bool) -> None:
        sender = said.get("sender_username")
        if said["sender_id"] == self._id or sender is None:
            return
        if not is_bot(sender):
            self._aloud = aloud
        now = self._clock()
        if self._walker.standing:
            self._walker.stay(now, LISTENING)
        self._talker.hear(now, sender, said["content"], self._scene())

    async def _answer(self, message: dict[str, Any]) -> None:
        """Something short to a person who writes in private; what comes while it is thought of has the same answer."""
        room, sender = message["room_id"], message.get("sender_username")
        if room == self._room or sender is None or is_bot(sender) or room in self._answering:
            return
        self._answering.add(room)
        try:
            if room not in self._kinds:
                self._kinds[room] = (await self._hereabouts.api.session(room))["kind"]
            if self._kinds[room] != "private":
                return
            seconds, say = self._talker.answer(sender, message["content"], self._scene())
            self._chat.typing(room)
            await asyncio.sleep(seconds)
            self._chat.send(room, say.content)
        except HereaboutsError as error:
            log.debug("%s is not answered: %s", room, error)
        finally:
            self._answering.discard(room)
