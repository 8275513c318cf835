"""Where everybody is, who is near whom, and who is told where somebody is.

Positions belong to users, live in memory and go with the user's last chat connection. Where the setting
`position_grid` is on, everybody is in the index at the middle of a cell: so nothing that others are told
(coordinates, distances, who is within a radius) can be finer than the cell, and two see each other or
neither does. One's own answer is exact, and so is the land in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Final

from server.clock import Clock
from server.errors import invalid
from server.hub import Connection, answer_frame
from server.protocol import requests, rest
from server.protocol.events import NearbyUser
from server.protocol.limits import DEFAULT_RADIUS
from server.protocol.shapes import ParticipantShape, ParticipantsShape
from server.settings import Settings
from spatial.distance import distance
from spatial.grid import middle_of_cell
from spatial.interest import Interest
from spatial.lands import LandWalker
from spatial.pace import Pace
from spatial.positions import PositionIndex
from spatial.shapes import Rectangle

if TYPE_CHECKING:
    from server.services.lands import Lands
    from server.services.people import People, Person

NEARBY: Final = 100
PARTICIPANTS: Final = 200
LISTENERS: Final = 200


class _Standing:
    """In which world somebody stands, and what is kept for the next step there."""

    __slots__ = ("index", "number", "walker", "world_id")

    def __init__(self, world_id: str, number: int, index: PositionIndex) -> None:
        self.world_id = world_id
        self.number = number
        self.index = index
        self.walker: LandWalker | None = None


class Proximity:
    """One position index a world."""

    def __init__(
        self, settings: Settings, lands: Lands, people: People, clock: Clock, interest: Interest
    ) -> None:
        self._cell = settings.position_grid
        self._max_speed = settings.max_speed
        self._lands = lands
        self._people = people
        self._clock = clock
        self._interest = interest
        self._worlds: dict[str, tuple[int, PositionIndex]] = {}
        self._worlds_made = count()
        self._standing: dict[str, _Standing] = {}
        self._paces: dict[str, Pace] = {}  # of those with a position, where speed is held to a limit
        # Told when somebody gets their first position; set by the app.
        self.on_placed: Callable[[str], None] = lambda user_id: None

    def __len__(self) -> int:
        return len(self._standing)

    def update_location(self, connection: Connection, request: requests.UpdateLocation) -> None:
        user_id, world_id, x, y = connection.user_id, request.world_id, request.x, request.y
        if self._max_speed:
            self._check_speed(user_id, world_id, x, y)
        standing = before = self._standing.get(user_id)
        if standing is None or standing.world_id != world_id:
            standing = self._enter(user_id, world_id)
        shown_x, shown_y = middle_of_cell(x, y, self._cell) if self._cell else (x, y)
        standing.index.set(user_id, shown_x, shown_y)
        self._interest.place(user_id, standing.number, shown_x, shown_y)
        location = {
            "type": "location_updated",
            "world_id": world_id,
            "x": x,
            "y": y,
            "land_id": self._land_at(standing, x, y),
        }
        answer = answer_frame(location, request.ref)
        if not connection.watching:
            answer += self._nearby_users(standing.index, user_id, request)
        connection.send(answer)
        if before is None:
            self.on_placed(user_id)

    def _check_speed(self, user_id: str, world_id: str, x: float, y: float) -> None:
        pace = self._paces.get(user_id)
        if pace is None:
            pace = self._paces[user_id] = Pace(self._max_speed)
        reach = pace.step(world_id, x, y, self._clock.monotonic())
        if reach is not None:
            raise invalid(
                f"nobody moves faster than {self._max_speed:g} units a second here:"
                f" expected a place at most {reach:.6g} units from the last one"
            )

    def _enter(self, user_id: str, world_id: str) -> _Standing:
        self._leave(user_id)
        world = self._worlds.get(world_id)
        if world is None:
            world = self._worlds[world_id] = next(self._worlds_made), PositionIndex(reach=DEFAULT_RADIUS)
        standing = self._standing[user_id] = _Standing(world_id, *world)
        return standing

    def _land_at(self, standing: _Standing, x: float, y: float) -> str | None:
        if standing.walker is None:
            standing.walker = self._lands.walker(standing.world_id)
        return standing.walker.at(x, y) if standing.walker else None

    def _nearby_users(self, index: PositionIndex, user_id: str, request: requests.UpdateLocation) -> bytes:
        users, more = self._nearby(index, user_id, request.radius)
        if not users and request.ref is None:
            return _nobody_near(request.radius)
        nearby = {"type": "nearby_users", "radius": request.radius, "users": users, "more": more}
        return answer_frame(nearby, request.ref)

    def _nearby(self, index: PositionIndex, user_id: str, radius: float) -> tuple[list[NearbyUser], bool]:
        hits = index.around(user_id, radius)
        if not hits:
            return [], False
        person = self._people.connected(user_id)
        hidden = person.hidden_from.keys() if person else ()
        found: list[NearbyUser] = []
        for key, x, y, away in hits:
            other = self._seen(key, user_id, hidden)
            if other is None:
                continue
            if len(found) == NEARBY:
                return found, True
            found.append({"user_id": key, "username": other.username, "x": x, "y": y, "distance": away})
        return found, False

    def _seen(self, key: str, viewer: str | None, hidden: Collection[str]) -> Person | None:
        """The person at a position, if the viewer may know: never oneself, the hidden, or across a block."""
        other = self._people.connected(key)
        return other if other and other.locatable and key != viewer and key not in hidden else None

    def forget(self, user_id: str) -> None:
        self._leave(user_id)
        self._interest.remove(user_id)
        self._paces.pop(user_id, None)

    def _leave(self, user_id: str) -> None:
        standing = self._standing.pop(user_id, None)
        if standing is None:
            return
        standing.index.remove(user_id)
        if not len(standing.index):
            # Worlds are named by clients: an empty one is not kept.
            del self._worlds[standing.world_id]

    def within_earshot(self, user_id: str) -> set[str]:
        """Those who may know that this user is or was here: nobody, if the location is not shared."""
        person = self._people.connected(user_id)
        standing = self._standing.get(user_id)
        if person is None or standing is None or not person.locatable:
            return set()
        near = {key for key, *_ in standing.index.around(user_id, DEFAULT_RADIUS)}
        return near - person.hidden_from.keys()

    def place(self, user_id: str) -> tuple[str, float, float] | None:
        """World and coordinates of a user as others may know them; None without a position."""
        standing = self._standing.get(user_id)
        here = standing.index.get(user_id) if standing else None
        return (standing.world_id, *here) if standing and here else None

    def audience(self, user_id: str) -> tuple[set[str], tuple[float, float] | None] | None:
        """Who hears what this user says now, and where others may know that it was said; None without a position.

        The nearest `LISTENERS` of those within earshot who share their location. Those who do not hear as well, if
        they are as near, and take nobody's place: who is not heard any more could tell from it that they are there.
        """
        person, standing = self._people.connected(user_id), self._standing.get(user_id)
        if person is None or standing is None:
            return None
        seen: set[str] = set()
        unseen: set[str] = set()
        for key, *_ in standing.index.around(user_id, DEFAULT_RADIUS):
            other = self._people.connected(key)
            if other is None or key in person.hidden_from:
                continue
            if other.locatable:
                seen.add(key)
                if len(seen) == LISTENERS:
                    break
            elif len(unseen) < LISTENERS:
                unseen.add(key)
        return seen | unseen, standing.index.get(user_id) if person.locatable else None

    def distance(self, a: str, b: str) -> float | None:
        """Between two users as each may know it of the other; both need a position in one world."""
        one, other = self._standing.get(a), self._standing.get(b)
        if one is None or other is None or one.world_id != other.world_id:
            return None
        here, there = one.index.get(a), other.index.get(b)
        return distance(*here, *there) if here and there else None

    async def participants(self, user_id: str | None, land_id: str, query: rest.Around) -> ParticipantsShape:
        """Those in a land or within the radius of it, to a known caller by name.

        On a grid it is the cells that are measured: whoever may be in the land is at distance 0.
        """
        land = self._lands.get(land_id)
        world = self._worlds.get(land.world_id)
        rectangle = Rectangle(land.x, land.y, land.width, land.height)
        hidden = await self._people.hidden_from(user_id) if user_id else ()
        around = self._cell / 2
        hits = world[1].within_rectangle(rectangle, query.radius + around) if world else []
        found: list[ParticipantShape] = []
        for hit in hits:
            other = self._seen(hit.key, user_id, hidden)
            if other is not None:
                away = max(0.0, hit.distance - around)
                found.append({"user_id": hit.key, "username": other.username, "distance": away})
        if user_id is None:
            return {"count": len(found)}
        return {"count": len(found), "participants": found[:PARTICIPANTS]}


@lru_cache(maxsize=64)  # radii: a game has one or two
def _nobody_near(radius: float) -> bytes:
    """What most are told at most of their steps."""
    return answer_frame({"type": "nearby_users", "radius": radius, "users": [], "more": False}, None)
