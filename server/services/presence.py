"""Who is online, and who is told when that changes: those concerned, never everybody.

Concerned are the ones now in a private or group room shared with the person, and the ones within
earshot. A short absence (a page reloaded, a tunnel) is not told at all.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from server.broker import Broker, ToUsers
from server.clock import Clock, rfc3339
from server.hub import Connection, Hub
from server.logs import log
from server.protocol import rest
from server.protocol.shapes import OnlineShape
from server.settings import Settings
from storage.errors import StorageError
from storage.records import User

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.proximity import Proximity
    from server.services.rooms import Rooms

PAGE: Final = 100


class Presence:
    """Arrivals and departures of users at the chat hub."""

    def __init__(
        self,
        settings: Settings,
        hub: Hub,
        broker: Broker,
        people: People,
        rooms: Rooms,
        proximity: Proximity,
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._broker = broker
        self._people = people
        self._rooms = rooms
        self._proximity = proximity
        self._clock = clock
        self._offline_seconds = settings.offline_seconds
        # Those who went out of sight, whether gone or invisible, and of whom that is not told yet.
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        # Those who came, and of whom those within earshot are not told yet.
        self._unplaced: set[str] = set()

    def arrived(self, connection: Connection) -> None:
        """To be called once the person is known to `people`."""
        user_id = connection.user_id
        if self._hub.attach(connection) and user_id not in self._people.invisible:
            self._came_in_sight(user_id)

    def placed(self, user_id: str) -> None:
        """A first position: only now is it known who is within earshot of somebody who came online."""
        if user_id in self._unplaced and user_id not in self._people.invisible:
            self._unplaced.discard(user_id)
            near = self._proximity.within_earshot(user_id) - self._rooms.companions(user_id)
            self._tell(user_id, "online", near, self._clock.now())

    def departed(self, connection: Connection) -> None:
        """The audience is taken while the rooms and the position are still there."""
        user_id, now = connection.user_id, self._clock.now()
        last = len(self._hub.of_user(user_id)) == 1
        audience = self._audience(user_id) if last else set()
        person = self._people.connected(user_id)
        self._rooms.leave_all(connection)
        self._hub.detach(connection)
        connection.closed = True
        if not last or person is None:
            return
        self._proximity.forget(user_id)
        self._spawn(self._keep_last_seen(user_id, now))
        if not person.user.invisible:
            self._went_out_of_sight(person.user, audience, now)

    async def update_me(self, user_id: str, fields: dict[str, object]) -> User:
        """Changes a person. Turning invisible or visible is, to the others, going or coming.

        It has to look like it too, in its order and its times: whoever could tell the two apart would
        know of somebody who is hidden.
        """
        async with self._people.changing:
            after = await self._people.write(user_id, **fields)
            # Nothing waits from here on: what is told is what has changed, whoever else changes it.
            person = self._people.connected(user_id)
            before = person.user if person else after
            audience = self._audience(user_id)  # while the person can still be seen
            self._people.hold(after)
            if before.invisible != after.invisible and self._hub.is_online(user_id):
                if after.invisible:
                    self._rooms.vanish(user_id)
                    self._went_out_of_sight(before, audience, self._clock.now())
                else:
                    self._came_in_sight(user_id)
                    self._rooms.appear(user_id)
            return after

    def _came_in_sight(self, user_id: str) -> None:
        """Not told of one who was away too shortly for that to have been told."""
        if (timer := self._leaving.pop(user_id, None)) is not None:
            timer.cancel()
        else:
            self._unplaced.add(user_id)
            self._tell(user_id, "online", self._rooms.companions(user_id), self._clock.now())
        if self._proximity.within_earshot(user_id):
            self.placed(user_id)

    def _went_out_of_sight(self, user: User, audience: set[str], now: int) -> None:
        self._leaving[user.id] = asyncio.get_running_loop().call_later(
            self._offline_seconds, self._gone, user, audience, now
        )

    def _gone(self, user: User, audience: set[str], last_seen: int) -> None:
        del self._leaving[user.id]
        self._unplaced.discard(user.id)
        self._tell_of(user, "offline", audience, last_seen)

    def _audience(self, user_id: str) -> set[str]:
        return self._rooms.companions(user_id) | self._proximity.within_earshot(user_id)

    def _tell(self, user_id: str, status: str, audience: set[str], last_seen: int) -> None:
        if person := self._people.connected(user_id):
            self._tell_of(person.user, status, audience, last_seen)

    def _tell_of(self, user: User, status: str, audience: set[str], last_seen: int) -> None:
        if not audience:
            return
        event = {
            "type": "presence_update",
            "user_id": user.id,
            "username": user.username,
            "status": status,
            "last_seen": rfc3339(last_seen),
        }
        self._broker.publish(ToUsers(audience), event, key=("presence", user.id))

    async def _keep_last_seen(self, user_id: str, now: int) -> None:
        try:
            await self._people.note_last_seen(user_id, now)
        except StorageError as error:
            log.warning("last_seen_not_kept", user_id=user_id, error=str(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()
        await asyncio.gather(*self._tasks)

    def online(self, user_id: str | None, query: rest.Page) -> OnlineShape:
        """Visible users with a chat connection, by name; to an unknown caller their number."""
        visible = [user for user in self._hub.users if user not in self._people.invisible]
        if user_id is None:
            return {"count": len(visible)}
        by_name = sorted((self._people.name(user), user) for user in visible)
        start = bisect_right(by_name, (query.cursor, "\uffff")) if query.cursor is not None else 0
        page = by_name[start : start + PAGE]
        answer: OnlineShape = {"count": len(visible), "users": []}
        for name, user in page:
            connections = self._hub.of_user(user)
            answer["users"].append(
                {
                    "user_id": user,
                    "username": name,
                    "status": "online",
                    "last_seen": rfc3339(max(connection.heard_at for connection in connections)),
                    "connections": len(connections),
                }
            )
        if start + PAGE < len(by_name):
            answer["next_cursor"] = page[-1][0]
        return answer
