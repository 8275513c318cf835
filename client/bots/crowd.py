"""All the bots of one process: lets them in one after the other, makes their village, sends them home.

One that fails is logged and disturbs no other. Called by `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from client.bots.accounts import Accounts, patiently
from client.bots.bot import Bot
from client.bots.village import PLAN, Land, Village
from client.errors import HereaboutsError
from client.hereabouts import Hereabouts

# A server lets 200 sign in from one address at once, and then one a second. The bots leave most of that to the
# people who share it.
FIRST: Final = 40
FIRST_A_SECOND: Final = 8.0
THEN_A_SECOND: Final = 2.0

LEAVING_SECONDS: Final = 2.0

log = logging.getLogger("hereabouts.bots")


def arrives_after(number: int) -> float:
    """Seconds from the start until a bot signs in."""
    return min(number, FIRST) / FIRST_A_SECOND + max(0, number - FIRST) / THEN_A_SECOND


async def live(
    origin: str, count: int, accounts: Accounts, rng: random.Random, leaving: asyncio.Event
) -> None:
    """So many bots at a server, until `leaving` is set; then they sign out."""
    village = Village()

    async def one(number: int) -> None:
        await asyncio.sleep(arrives_after(number))
        try:
            async with Hereabouts(origin) as hereabouts:
                await accounts.sign_in(hereabouts.auth, number)
                try:
                    await _make_lands(hereabouts, village, PLAN[number::count])
                    await Bot(hereabouts, village, random.Random(rng.random())).live()
                finally:
                    if hereabouts.user is not None:
                        await hereabouts.auth.logout()
        except HereaboutsError as error:
            if not leaving.is_set():  # then the server may be gone already
                log.warning("bot %d does not stay: %s", number, error)
        except Exception:
            log.exception("bot %d has failed", number)
        else:
            log.warning("bot %d was signed out", number)

    bots = [asyncio.create_task(one(number)) for number in range(count)]
    everybody = asyncio.create_task(_ended(bots))
    waiting = asyncio.create_task(leaving.wait())
    await asyncio.wait([waiting, everybody], return_when=asyncio.FIRST_COMPLETED)
    for bot in bots:
        bot.cancel()
    await asyncio.wait([everybody], timeout=LEAVING_SECONDS)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _make_lands(hereabouts: Hereabouts, village: Village, plan: tuple[Land, ...]) -> None:
    """Once: at the next start they are in the way of themselves. Where the server wants no such lands, without."""
    for land in plan:
        try:
            await patiently(
                lambda: hereabouts.api.claim_land(land.name, land.x, land.y, land.width, land.height)  # noqa: B023
            )
        except HereaboutsError as error:
            if error.code not in ("conflict", "invalid_message"):
                raise
        else:
            village.seen_at = float("-inf")
