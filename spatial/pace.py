"""Whether somebody can have come that far in that time. Pure: the time is passed in.

It knows one person's last places, not whose they are. The services ask it before a position counts.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from spatial.distance import distance

# Seconds that steps may come early: a network hands over in one moment what was sent in several.
EARLY: Final = 1.0
# Worlds of which the last place is known. They are named by clients, so there is an end to them; who goes
# through as many as that to jump could open a new connection as well, where the first position is free.
WORLDS: Final = 16


class _Last(NamedTuple):
    x: float
    y: float
    at: float
    early: float  # seconds, of EARLY, that are not used up


class Pace:
    """The steps of one person, in units, held to `max_speed` units a second on average."""

    __slots__ = ("_last", "_max_speed")

    def __init__(self, max_speed: float) -> None:
        self._max_speed = max_speed
        self._last: OrderedDict[str, _Last] = OrderedDict()

    def step(self, world_id: str, x: float, y: float, now: float) -> float | None:
        """None if the step is possible, and then it counts. Otherwise how far one may have come by now.

        The first place in a world is free. Who comes back to a world is measured from where they left it:
        a detour through another one is no short cut. `now` is in seconds and never goes back.
        """
        last = self._last.get(world_id)
        early = EARLY
        if last is not None:
            seconds = last.early + now - last.at
            used = distance(x, y, last.x, last.y) / self._max_speed
            if used > seconds:
                return seconds * self._max_speed
            early = min(EARLY, seconds - used)
        self._last[world_id] = _Last(x, y, now, early)
        self._last.move_to_end(world_id)
        if len(self._last) > WORLDS:
            self._last.popitem(last=False)
        return None
