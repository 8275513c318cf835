"""Who is banned, as this server knows it: at the door of everything that takes a token or signs somebody in.

Bans are made by `run.py`, beside the server, and read from the store; `server.app` has them looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from server.errors import Banned
from server.logs import log
from server.security import SecurityLog
from storage import bans as storage
from storage.errors import StorageError

# Between two looks. A ban holds within a second, the look itself (a millisecond or two) included.
LOOK_SECONDS: Final = 0.5


class Bans:
    def __init__(self, bans: storage.Bans, security: SecurityLog) -> None:
        self._bans = bans
        self._security = security
        self._version = 0
        self._banned: frozenset[str] = frozenset()
        # Closes a user's sockets and says how many; set by the node.
        self.close_sockets: Callable[[str], int] = lambda user_id: 0

    async def load(self) -> None:
        """To be called before anybody is let in."""
        self._version, self._banned = await self._bans.version(), await self._bans.all()

    async def look(self) -> None:
        """Takes up what has changed. While the database is away, what was known holds."""
        try:
            version = await self._bans.version()
            if version == self._version:
                return
            banned = await self._bans.all()
        except StorageError as error:
            log.debug("bans_not_read", error=str(error))
            return
        before, self._banned, self._version = self._banned, banned, version
        for user_id in banned - before:
            self._security.tell("account_banned", user_id=user_id, sockets=self.close_sockets(user_id))
        for user_id in before - banned:
            self._security.tell("account_unbanned", user_id=user_id)

    def check(self, user_id: str) -> None:
        """Raises Banned, which is a `forbidden`."""
        if user_id in self._banned:
            raise Banned(user_id)
