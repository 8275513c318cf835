"""Parcels of the worlds: who owns which rectangle, and who may enter.

All lands are held in memory, indexed by place, and written through to the store: a server has
thousands of them, and each step of each person asks for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from msgspec import UNSET

from server.clock import Clock
from server.errors import conflict, forbidden, invalid, not_found
from server.ids import new_id
from server.protocol import rest
from server.protocol.limits import MAX_COORDINATE
from server.settings import Settings
from spatial.lands import LandIndex, LandWalker
from spatial.shapes import Rectangle
from storage.lands import Lands as StoredLands
from storage.records import Land

LEAST_SIDE: Final = 1.0
LISTED: Final = 1000  # lands in one answer: more than any screen shows


class Lands:
    """The lands of every world this server holds."""

    def __init__(self, settings: Settings, stored: StoredLands, clock: Clock) -> None:
        self._settings = settings
        self._stored = stored
        self._clock = clock
        self._lands: dict[str, Land] = {}
        self._worlds: dict[str, LandIndex] = {}
        # No two changes at a time: the check for overlap and the write belong together.
        self._changing = asyncio.Lock()
        # Told when a land's doors close to somebody, or the land is gone; set by the app.
        self.on_narrowed: Callable[[Land], Awaitable[None]] | None = None
        self.on_deleted: Callable[[Land], Awaitable[None]] | None = None

    async def load(self) -> None:
        for land in await self._stored.all():
            self._place(land)

    def get(self, land_id: str) -> Land:
        land = self._lands.get(land_id)
        if land is None:
            raise not_found("land")
        return land

    def find(self, land_id: str) -> Land | None:
        return self._lands.get(land_id)

    def may_enter(self, land: Land, user_id: str) -> bool:
        return land.access == "open" or user_id == land.owner_id or user_id in land.invited

    def walker(self, world_id: str) -> LandWalker | None:
        """Says for one who walks there which land it is; None in a world without any so far."""
        index = self._worlds.get(world_id)
        return LandWalker(index) if index else None

    def search(self, query: rest.FindLands) -> list[Land]:
        """By box or by circle; with neither, all lands of the world, up to `LISTED`."""
        box = (query.x0, query.y0, query.x1, query.y1)
        centre = (query.x, query.y, query.radius)
        has_box, has_centre = any(v is not None for v in box), any(v is not None for v in centre)
        if has_box and has_centre:
            raise invalid("expected x0, y0, x1, y1 or x, y, radius, got both")
        index = self._worlds.get(query.world_id, LandIndex())
        if has_centre:
            x, y, radius = centre
            if x is None or y is None:
                raise invalid("x, y and radius go together")
            ids = index.within(x, y, radius if radius is not None else 10.0)
        else:
            x0, y0, x1, y1 = (
                box if has_box else (-MAX_COORDINATE, -MAX_COORDINATE, MAX_COORDINATE, MAX_COORDINATE)
            )
            if x0 is None or y0 is None or x1 is None or y1 is None:
                raise invalid("x0, y0, x1 and y1 go together")
            if x0 > x1 or y0 > y1:
                raise invalid("expected x0 <= x1 and y0 <= y1")
            ids = index.intersecting(x0, y0, x1, y1)
        return [self._lands[land_id] for land_id in ids[:LISTED]]

    async def create(self, owner_id: str, body: rest.CreateLand) -> Land:
        async with self._changing:
            owned = sum(land.owner_id == owner_id for land in self._lands.values())
            if owned >= self._settings.lands_per_user:
                raise conflict(f"{owned} lands are yours already, and no one may own more")
            land = Land(
                id=new_id(),
                world_id=body.world_id,
                name=body.name,
                x=body.x,
                y=body.y,
                width=body.width,
                height=body.height,
                owner_id=owner_id,
                access=body.access,
                invited=frozenset(body.invited_ids),
                created_at=self._clock.now(),
            )
            self._check_place(land)
            await self._stored.insert(land)
            self._place(land)
            return land

    async def update(self, user_id: str, land_id: str, body: rest.UpdateLand) -> Land:
        async with self._changing:
            before = self._owned(user_id, land_id)
            given = {
                name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET
            }
            if "invited_ids" in given:
                given["invited"] = frozenset(given.pop("invited_ids"))
            land = replace(before, **given)
            self._check_place(land)
            await self._stored.replace(land)
            self._place(land)
        if self.on_narrowed and land.access == "invited":
            await self.on_narrowed(land)
        return land

    async def delete(self, user_id: str, land_id: str) -> None:
        async with self._changing:
            land = self._owned(user_id, land_id)
            del self._lands[land_id]
            self._worlds[land.world_id].remove(land_id)
            try:
                # What was said there first: a crash in between must not leave it behind without its land.
                if self.on_deleted:
                    await self.on_deleted(land)
                await self._stored.delete(land_id)
            except BaseException:
                self._place(land)
                raise

    async def disown(self, owner_id: str) -> None:
        """The owner's account is going: the lands and what was said there stay, without an owner."""
        async with self._changing:
            for land_id in await self._stored.disown(owner_id):
                self._lands[land_id] = replace(self._lands[land_id], owner_id=None)

    def _owned(self, user_id: str, land_id: str) -> Land:
        land = self.get(land_id)
        if land.owner_id != user_id:
            raise forbidden("only its owner may change a land")
        return land

    def _place(self, land: Land) -> None:
        self._lands[land.id] = land
        self._worlds.setdefault(land.world_id, LandIndex()).set(land.id, _rectangle(land))

    def _check_place(self, land: Land) -> None:
        most = self._settings.land_side
        for name, side in (("width", land.width), ("height", land.height)):
            if not LEAST_SIDE <= side <= most:
                raise invalid(f"expected a {name} from {LEAST_SIDE:g} to {most:g}, got {side:g}")
        if max(land.x + land.width, land.y + land.height) > MAX_COORDINATE:
            raise invalid("the land reaches beyond the world")
        index = self._worlds.get(land.world_id)
        if index and any(other != land.id for other in index.overlapping(_rectangle(land))):
            raise conflict("another land is in the way")


def _rectangle(land: Land) -> Rectangle:
    return Rectangle(land.x, land.y, land.width, land.height)
