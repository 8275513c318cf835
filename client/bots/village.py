"""Where bots live: the lands they make around the origin, those that are there, and where people meet in them.

Values, without I/O. The plan is claimed once by `crowd`; what is really there, the lands of others
included, comes from the server and is what bots walk to and talk about. y grows downwards.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Point = tuple[float, float]

RING: Final = (
    2.3  # units from the middle of a circle of people: near enough to talk, figures beside each other
)
PLACES: Final = 6  # around such a circle
ELBOW_ROOM: Final = 1.5  # units; nearer than that, a place is taken
SPOT_EVERY: Final = (10.0, 8.0)  # units between the spots of a land, across and down
EDGE: Final = 0.5  # units; the least land is one across
BORDER: Final = 2.0  # units of open ground around the village that still belong to it

_WAYS: Final = ("east", "south-east", "south", "south-west", "west", "north-west", "north", "north-east")


@dataclass(frozen=True, slots=True)
class Land:
    """`id` is None while it is a plan."""

    name: str
    x: float
    y: float
    width: float
    height: float
    id: str | None = None

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def inside(self, x: float, y: float) -> Point:
        """The nearest point that is well inside."""
        return (
            min(max(x, self.x + EDGE), self.x + self.width - EDGE),
            min(max(y, self.y + EDGE), self.y + self.height - EDGE),
        )

    def spots(self) -> list[Point]:
        """Where people stand together: some units apart, not in rows, the same at every call."""
        across = max(1, round(self.width / SPOT_EVERY[0]))
        down = max(1, round(self.height / SPOT_EVERY[1]))
        scatter = random.Random(self.name)
        return [
            (
                self.x + (column + scatter.uniform(0.38, 0.62)) * self.width / across,
                self.y + (row + scatter.uniform(0.42, 0.58)) * self.height / down,
            )
            for column in range(across)
            for row in range(down)
        ]


# Paths of three units between them; something of each is on a desktop's screen as the page first shows it. A newcomer
# begins within eight units of the origin, and so in the square, where the most are.
PLAN: Final = (
    Land("Market Square", -12, -8, 24, 16),
    Land("The Old Orchard", -29, -25, 14, 14),
    Land("Lantern Lane", -12, -21, 18, 10),
    Land("Observatory Hill", 9, -25, 19, 14),
    Land("Fiddlers' Green", -31, -8, 16, 17),
    Land("The Reading Room", 15, -8, 17, 12),
    Land("Millpond", -27, 12, 19, 14),
    Land("Rosemary Walk", -5, 11, 16, 10),
    Land("Harbour Steps", 15, 7, 19, 17),
)

WEST: Final = min(land.x for land in PLAN) - BORDER
EAST: Final = max(land.x + land.width for land in PLAN) + BORDER
NORTH: Final = min(land.y for land in PLAN) - BORDER
SOUTH: Final = max(land.y + land.height for land in PLAN) + BORDER


def inside(x: float, y: float) -> Point:
    """The nearest point of the village."""
    return min(max(x, WEST), EAST), min(max(y, NORTH), SOUTH)


def way(here: Point, there: Point) -> str:
    """In which direction it lies, as people say it."""
    eighth = round(math.atan2(there[1] - here[1], there[0] - here[0]) / (math.pi / 4))
    return _WAYS[eighth % 8]


def place_beside(middle: Point, taken: Sequence[Point], rng: random.Random, radius: float = RING) -> Point:
    """A place in the circle around a point: a free one, if there is one."""
    start = rng.uniform(0, 2 * math.pi)
    places = [
        inside(middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
        for angle in (start + 2 * math.pi * number / PLACES for number in range(PLACES))
    ]
    free = [place for place in places if all(math.dist(place, other) > ELBOW_ROOM for other in taken)]
    return (free or places)[0]


@dataclass(slots=True)
class Village:
    """The lands as the server last gave them; all bots of a process share one."""

    lands: list[Land] = field(default_factory=list)
    seen_at: float = -math.inf  # by the clock of whoever asks; then they are asked for again now and then

    def take(self, lands: Iterable[Mapping[str, Any]], now: float) -> None:
        """`lands` as REST lists them. Those that reach far beyond the village are not walked to."""
        found = [
            Land(land["name"], land["x"], land["y"], land["width"], land["height"], land["id"])
            for land in lands
        ]
        self.lands = [land for land in found if inside(*land.middle) == land.middle]
        self.seen_at = now

    def land(self, id: str | None) -> Land | None:
        return next((land for land in self.lands if land.id == id), None)
