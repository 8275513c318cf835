"""Who says what, and when: one person's part in the talk of a room.

Without I/O: time and chance are passed in, and what comes out is an act that `bot` carries out. Bots take turns
by what everybody can see, who types and who has spoken; there is no conductor. They answer people, and
chat among themselves only where a person hears it: an empty room stays silent.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client.bots.lines import GUESSES, OPENERS, OTHERWISE, REMARKS, REPLIES, WELCOMES
from client.bots.village import Land, way

SUFFIX: Final = ".bot"  # of every bot's username: who meets one can tell

# Seconds. With some bots in a room the shortest wait decides: about one line in 10 to 20 s.
OPENING: Final = (11.0, 32.0)
FIRST_OPENING: Final = (4.0, 14.0)  # after coming into a room
ANSWERING: Final = (0.8, 3.2)  # until one begins to type; the others see it, and leave it to that one
ANSWERING_BY_NAME: Final = (0.4, 1.2)
REMARKING: Final = (2.5, 6.0)
WELCOMING: Final = (1.2, 4.5)
TYPING_PER_LETTER: Final = 0.045
TYPING: Final = (0.9, 3.5)  # least and most
KNOWN_SECONDS: Final = 900.0  # for so long nobody is welcomed again
REMARKS_IN_A_ROW: Final = 2  # bots among themselves, before it is time for something else
REMEMBERED: Final = 16  # lines heard lately, which are not said again


def is_bot(username: str) -> bool:
    return username.endswith(SUFFIX)


def first_name(username: str) -> str:
    return username.removesuffix(SUFFIX)


@dataclass(frozen=True, slots=True)
class Scene:
    """What one sees. `people`: usernames of those who hear one, the nearest first."""

    land: Land | None
    others: Sequence[Land]
    people: Sequence[str]

    @property
    def audience(self) -> bool:
        return not all(is_bot(username) for username in self.people)


@dataclass(frozen=True, slots=True)
class Type:
    """To be shown as typing."""


@dataclass(frozen=True, slots=True)
class Say:
    content: str


@dataclass(slots=True)
class _Plan:
    content: str
    type_at: float
    say_at: float
    by_name: bool = False  # nobody else will answer
    to_person: bool = False
    typing: bool = False


class Talker:
    """One bot, in one room at a time or in none, and within earshot of others."""

    def __init__(self, rng: random.Random, username: str) -> None:
        self._rng = rng
        self._username = username
        self._me = first_name(username)
        self._plan: _Plan | None = None
        self._open_at = 0.0
        self._heard: deque[str] = deque(maxlen=REMEMBERED)
        self._remarks = 0  # in a row, of bots
        self._met: dict[str, float] = {}  # people, and when they were last here

    @property
    def busy(self) -> bool:
        """Whether one is about to speak."""
        return self._plan is not None

    def enter(self, now: float, people: Sequence[str]) -> None:
        """Comes into a room where these are: what was meant for another one is not said."""
        self._plan = None
        self._remarks = 0
        self._open_at = now + self._rng.uniform(*FIRST_OPENING)
        self._met.update((username, now) for username in people if not is_bot(username))

    def meet(self, now: float, username: str, scene: Scene) -> None:
        """Somebody comes into the room."""
        if is_bot(username):
            return
        known = self._met.get(username)
        self._met[username] = now
        if (known is None or now - known > KNOWN_SECONDS) and self._plan is None:
            self._intend(now, self._choose(WELCOMES, scene, username), WELCOMING, to_person=True)

    def hear(self, now: float, username: str, content: str, scene: Scene) -> None:
        """Somebody said something. What is under way is given up: it was about something else, or is answered now."""
        words = _words(content)
        self._heard.append(content)
        by_name = self._me.casefold() in words
        if self._plan is not None and not (self._plan.by_name and is_bot(username)):
            self._plan = None
        self._open_at = now + self._rng.uniform(*OPENING)
        if is_bot(username):
            self._hear_bot(now, username, words, scene)
            return
        self._remarks = REMARKS_IN_A_ROW  # the answer to a person is for that person
        self._met[username] = now
        named = {first_name(other).casefold() for other in scene.people if is_bot(other)}
        if by_name or not named & words:
            reply = self._choose(_replies(words), scene, username)
            wait = ANSWERING_BY_NAME if by_name else ANSWERING
            self._intend(now, reply, wait, by_name=by_name, to_person=True)

    def _hear_bot(self, now: float, username: str, words: set[str], scene: Scene) -> None:
        self._remarks += 1
        persons = {other.casefold() for other in scene.people if not is_bot(other)}
        if not persons or persons & words or self._plan is not None or self._remarks > REMARKS_IN_A_ROW:
            return
        bots = sum(map(is_bot, scene.people))
        by_name = self._me.casefold() in words
        if self._rng.random() < (0.7 if by_name else 0.6 / max(1, bots)):
            lines = GUESSES if "?" in words else REMARKS
            self._intend(now, self._choose(lines, scene, username), REMARKING)

    def see_typing(self, now: float, username: str) -> None:
        """Somebody is about to speak: two at once would be a chorus."""
        plan = self._plan
        self._open_at = max(self._open_at, now + self._rng.uniform(*FIRST_OPENING))
        if plan is None or plan.by_name:
            return
        if not is_bot(username):
            if plan.to_person:
                return  # who asked may well go on
        elif plan.typing and self._username < username:
            return  # both began in the same moment: the other sees the same
        self._plan = None

    def act(self, now: float, scene: Scene) -> Type | Say | None:
        """What is to be done now."""
        plan = self._plan
        if plan is None:
            if now < self._open_at:
                return None
            self._open_at = now + self._rng.uniform(*OPENING)
            self._remarks = 0
            if scene.audience:
                self._intend(now, self._choose(OPENERS, scene, None), (0.0, 0.0))
            return None
        if not scene.audience and not plan.to_person:  # a person who is invisible speaks all the same
            self._plan = None
            return None
        if now >= plan.say_at and plan.typing:
            self._plan = None
            self._open_at = now + self._rng.uniform(*OPENING)
            self._heard.append(plan.content)
            return Say(plan.content)
        if now >= plan.type_at and not plan.typing:
            plan.typing = True
            return Type()
        return None

    def answer(self, username: str, content: str, scene: Scene) -> tuple[float, Say]:
        """To what was said to one alone: so many seconds later."""
        say = Say(self._choose(_replies(_words(content)), scene, username))
        return self._rng.uniform(*ANSWERING_BY_NAME) + self._typing(say.content), say

    def _intend(
        self,
        now: float,
        content: str,
        wait: tuple[float, float],
        *,
        by_name: bool = False,
        to_person: bool = False,
    ) -> None:
        type_at = now + self._rng.uniform(*wait)
        self._plan = _Plan(content, type_at, type_at + self._typing(content), by_name, to_person)

    def _typing(self, content: str) -> float:
        least, most = TYPING
        return min(most, max(least, TYPING_PER_LETTER * len(content)))

    def _choose(self, lines: Sequence[str], scene: Scene, who: str | None) -> str:
        """One that fits what is there; none that was said lately, if there is another."""
        rng = self._rng
        other = rng.choice(scene.others) if scene.others else None
        slots = {"me": self._me}
        if who is not None:
            slots["who"] = first_name(who)
        if scene.people:
            slots["near"] = first_name(rng.choice(scene.people[:4]))
        if scene.land is not None:
            slots["land"] = scene.land.name
            if other is not None:
                slots["other"] = other.name
                slots["way"] = way(scene.land.middle, other.middle)
        fitting = [line for line in lines if set(re.findall(r"{(\w+)}", line)) <= slots.keys()]
        said = [line.format_map(slots) for line in fitting]
        fresh = [line for line in said if line not in self._heard]
        return rng.choice(fresh or said)


def _words(content: str) -> set[str]:
    found = set(re.findall(r"[\w-]+", content.casefold()))
    return found | {"?"} if "?" in content else found


def _replies(words: set[str]) -> Sequence[str]:
    return next((lines for about, lines in REPLIES if about & words), OTHERWISE)
