"""How somebody walks: from a position, a goal and those around to the next position; and where to next.

Without I/O: time and chance are passed in. `step` keeps to a walker's pace whatever it is told, and nobody
leaves the village. Called by `bot`, several times a second.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client.bots.village import EAST, NORTH, SOUTH, WEST, Land, Point, Village, inside, place_beside

SLOWEST: Final = 1.4  # units a second, as metres: a stroll
FASTEST: Final = 4.0  # a run
LONGEST_STEP: Final = 0.5  # seconds: whoever was held up longer goes on from where they stood
TURN: Final = 3.2  # radians a second, so that a way is a curve and no corner
GAIN: Final = 3.0  # units a second, more each second; twice that in braking
ARRIVED: Final = 0.35  # units
SPACE: Final = 2.0  # units around others that one walks around
CROWDED: Final = 0.9  # units; so near, one who stands makes room
SIDESTEP: Final = 1.2

_SQUARE_WEIGHT: Final = 3.0  # of the first planned land among the others
_COMPANY: Final = 0.3  # of the goals: up to somebody in sight
_STROLL: Final = 0.2  # of the goals: somewhere else in the same land
_STAY: Final = (7.0, 24.0)  # seconds in company
_PAUSE: Final = (1.5, 5.0)  # seconds alone
_LONGEST_STAY: Final = 60.0  # seconds, however lively it is


@dataclass(frozen=True, slots=True)
class Gait:
    """A position, in units; `heading` in radians, `speed` in units a second."""

    x: float
    y: float
    heading: float = 0.0
    speed: float = 0.0

    @property
    def place(self) -> Point:
        return self.x, self.y


def step(gait: Gait, goal: Point, others: Sequence[Point], pace: float, seconds: float) -> Gait:
    """One step towards a goal, around `others`, at up to `pace`: never longer than `pace * seconds`."""
    away = math.dist(gait.place, goal)
    if away <= ARRIVED:
        return Gait(gait.x, gait.y, gait.heading)
    ahead_x, ahead_y = (goal[0] - gait.x) / away, (goal[1] - gait.y) / away
    wish_x, wish_y = ahead_x, ahead_y
    for x, y in others:
        gap = math.dist(gait.place, (x, y))
        if not 0 < gap < SPACE:
            continue
        push = 1 - gap / SPACE
        from_x, from_y = (gait.x - x) / gap, (gait.y - y) / gap
        wish_x += from_x * push
        wish_y += from_y * push
        if from_x * ahead_x + from_y * ahead_y < 0:
            # In the way: both keep to one side, or two who meet would dodge the same way for ever.
            wish_x -= ahead_y * push
            wish_y += ahead_x * push
    turn = _angle(math.atan2(wish_y, wish_x) - gait.heading)
    turned = max(-TURN * seconds, min(TURN * seconds, turn))
    heading = _angle(gait.heading + turned)
    # Slower before the goal, and as long as one looks elsewhere: else one would circle around it.
    wanted = min(pace, math.sqrt(2 * GAIN * away)) * max(0.2, math.cos(turn - turned))
    speed = min(max(wanted, gait.speed - 2 * GAIN * seconds), gait.speed + GAIN * seconds, pace)
    stride = min(speed * seconds, away)
    x, y = inside(gait.x + math.cos(heading) * stride, gait.y + math.sin(heading) * stride)
    return Gait(x, y, heading, speed)


class Walker:
    """One who walks about the village: goes somewhere, stays a while, goes on."""

    def __init__(self, rng: random.Random, now: float) -> None:
        self._rng = rng
        self._pace = rng.uniform(SLOWEST, 2.6)
        self._hurry = 1.0  # on this way
        self._give_up_at = now
        self._stay_until = now
        self._stays_at_most_until = now
        self._goal: Point | None = None  # None: stands
        self._then_stay = _PAUSE
        self.gait = Gait(rng.uniform(WEST, EAST), rng.uniform(NORTH, SOUTH), rng.uniform(-math.pi, math.pi))

    @property
    def standing(self) -> bool:
        return self._goal is None

    def stay(self, now: float, seconds: float) -> None:
        """Stands for so long, because somebody talks; within reason."""
        if not self.standing:
            self._goal = None
            self._stays_at_most_until = now + _LONGEST_STAY
        self._stay_until = max(self._stay_until, min(now + seconds, self._stays_at_most_until))

    def step(
        self, now: float, seconds: float, village: Village, others: Sequence[Point], company: Sequence[Point]
    ) -> None:
        """`others`: those around, all of them; `company`: those worth walking up to."""
        seconds = min(seconds, LONGEST_STEP)
        if self._goal is None and now >= self._stay_until:
            self._set_out(now, village, others, company)
        if self._goal is None:
            self._make_room(now, village, others)
        if self._goal is None:
            self.gait = Gait(self.gait.x, self.gait.y, self.gait.heading)
            return
        self.gait = step(self.gait, self._goal, others, min(self._pace * self._hurry, FASTEST), seconds)
        if math.dist(self.gait.place, self._goal) <= ARRIVED or now >= self._give_up_at:
            self._goal = None
            self._stay_until = max(self._stay_until, now + self._rng.uniform(*self._then_stay))
            self._stays_at_most_until = now + _LONGEST_STAY

    def _set_out(
        self, now: float, village: Village, others: Sequence[Point], company: Sequence[Point]
    ) -> None:
        rng, here = self._rng, self.gait.place
        self._hurry = rng.choice((1.0, 1.0, 1.0, 1.5))
        self._then_stay = _STAY
        dice = rng.random()
        land = _land_at(village, here)
        if company and dice < _COMPANY:
            goal = place_beside(rng.choice(company), others, rng)
        elif land is not None and dice < _COMPANY + _STROLL:
            goal = rng.uniform(land.x, land.x + land.width), rng.uniform(land.y, land.y + land.height)
            self._then_stay = _PAUSE
        elif village.lands:
            chosen = rng.choices(village.lands, [_pull(here, land) for land in village.lands])[0]
            goal = place_beside(rng.choice(chosen.spots()), others, rng)
        else:
            goal = rng.uniform(WEST, EAST), rng.uniform(NORTH, SOUTH)
        self._go(now, goal)

    def _make_room(self, now: float, village: Village, others: Sequence[Point]) -> None:
        x, y = self.gait.place
        near = min(others, key=lambda other: math.dist(other, (x, y)), default=None)
        if near is None or math.dist(near, (x, y)) >= CROWDED:
            return
        start = math.atan2(y - near[1], x - near[0]) + self._rng.uniform(-0.4, 0.4)
        angles = (start + math.pi / 4 * eighth for eighth in range(8))
        ways = [(x + SIDESTEP * math.cos(angle), y + SIDESTEP * math.sin(angle)) for angle in angles]
        if (land := _land_at(village, (x, y))) is not None:
            ways = [land.inside(*way) for way in ways]  # out of the land would be out of the conversation
        self._hurry = 1.0
        self._then_stay = _STAY
        self._go(now, max(ways, key=lambda way: min(math.dist(way, other) for other in others)))

    def _go(self, now: float, goal: Point) -> None:
        self._goal = inside(*goal)
        # Somebody may stand where one wants to, and nobody is pushed away.
        way = math.dist(self.gait.place, self._goal)
        self._give_up_at = now + 4.0 + 1.6 * way / min(self._pace * self._hurry, FASTEST)


def _land_at(village: Village, place: Point) -> Land | None:
    return next((land for land in village.lands if _holds(land, place)), None)


def _holds(land: Land, place: Point) -> bool:
    return land.x <= place[0] < land.x + land.width and land.y <= place[1] < land.y + land.height


def _pull(here: Point, land: Land) -> float:
    """What is near draws more than what is far, the square more than other lands."""
    weight = _SQUARE_WEIGHT if _holds(land, (0.0, 0.0)) else 1.0
    return weight / (10.0 + math.dist(here, land.middle))


def _angle(angle: float) -> float:
    """The same, from -pi to pi."""
    return math.remainder(angle, 2 * math.pi)
