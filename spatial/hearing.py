"""How loud, and from which side, one is heard in the place of another: for voice that comes from where its speaker is.

Pure functions of the distance and of the way there, in world units. `server.services.voice` sends what they give to
clients, which apply it (a gain and a stereo panner for each peer).
"""

from __future__ import annotations

from math import hypot
from typing import Final

from spatial.pairing import LEAVE

# Within this part of the radius one is as loud as can be, and left and right run into each other: who walks through
# somebody does not hear them jump from one ear to the other.
NEAR: Final = 0.1


def gain(distance: float, radius: float) -> float:
    """1 within `NEAR` of the radius, 0 from `LEAVE` of it on, and between them (1 - t)², with t going from 0 to 1.

    The square is about what air does to a voice, cut off smoothly: at the radius, where pairs begin, it is 0.01, and
    where they end 0, so nobody is heard to come or go suddenly.
    """
    near, far = NEAR * radius, LEAVE * radius
    return (1 - min(max((distance - near) / (far - near), 0.0), 1.0)) ** 2


def pan(dx: float, dy: float, radius: float) -> float:
    """From -1, left, to 1, right, for one who is at (dx, dy) from the hearer; positive x is right.

    The sine of the angle from straight ahead, which is what a stereo panner takes; nearer than `NEAR` it falls to 0.
    """
    return dx / max(hypot(dx, dy), NEAR * radius)
