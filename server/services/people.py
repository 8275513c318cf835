"""Who somebody is: user records, names, blocks, and what of a person others may see.

Records are cached; those of people with a connection are held until the last one goes, so that
the hot paths (delivery, proximity) read them without waiting. For what others ask of somebody
invisible it is as if there were no connection, or they would be answered sooner.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Set
from typing import Final

from server.errors import not_found
from storage.records import Session, User
from storage.users import Blocks, Users

CACHED: Final = 20_000  # records of people without a connection; about half a KB each


class Person:
    """Somebody with a connection: the record, and who is blocked in either direction."""

    __slots__ = ("connections", "hidden_from", "locatable", "user", "username")

    def __init__(self, user: User, blocked: Iterable[str], blockers: Iterable[str]) -> None:
        self.hold(user)
        self.hidden_from: dict[str, set[str]] = {}  # other → which of the two blocks it is
        self.connections = 0
        for other in blocked:
            self.hidden_from.setdefault(other, set()).add("mine")
        for other in blockers:
            self.hidden_from.setdefault(other, set()).add("theirs")

    def hold(self, user: User) -> None:
        """The record as of the last change, and what everybody near asks of it at each step."""
        self.user = user
        self.username = user.username or ""
        # Whether others may learn where this person is.
        self.locatable = user.share_location and not user.invisible


class People:
    """Users by id and by name, and the people who are connected now."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._cache: OrderedDict[str, User] = OrderedDict()
        self._connected: dict[str, Person] = {}
        self.invisible: set[str] = set()  # of those connected
        # One change at a time: of two, the older answer could come last and stay in the cache.
        self.changing = asyncio.Lock()
        self._block_changes = 0
        # Told when somebody blocks another; set by the app.
        self.on_blocked: Callable[[str, str], None] = lambda user_id, other_id: None

    # Those who are connected

    async def arrive(self, user_id: str) -> Person:
        """To be called once for each connection, before it is attached; `depart` undoes it."""
        person = self._connected.get(user_id)
        if person is None:
            user, blocks = await self._meet(user_id)
            person = self._connected.setdefault(user_id, Person(user, blocks.blocked, blocks.blockers))
        person.connections += 1
        self._note_visibility(person.user)
        return person

    async def _meet(self, user_id: str) -> tuple[User, Blocks]:
        """The record and the blocks, read again if a block changes meanwhile."""
        while True:
            changes = self._block_changes
            met = await self._users.meet(user_id)
            if met is None or (user := self._newest(met[0])).erased:
                raise not_found("user")
            if changes == self._block_changes:
                return user, met[1]

    def depart(self, user_id: str) -> None:
        person = self._connected[user_id]
        person.connections -= 1
        if not person.connections:
            del self._connected[user_id]
            self.invisible.discard(user_id)
            if not person.user.invisible:
                self._remember(person.user)

    def connected(self, user_id: str) -> Person | None:
        return self._connected.get(user_id)

    def name(self, user_id: str) -> str:
        """The username of somebody connected."""
        return self._connected[user_id].username

    # Anybody

    async def get(self, user_id: str) -> User:
        """`not_found` for nobody and for an erased account."""
        user = self._at_hand(user_id)
        if user is None:
            user = await self._users.get(user_id)
            if user is None:
                raise not_found("user")
            user = self._remember_read(user)
        if user.erased:
            raise not_found("user")
        return user

    async def find(self, username: str) -> User:
        user = await self._users.by_username(username)
        if user is None or user.erased:
            raise not_found("user")
        return user

    async def known(self, user_ids: Iterable[str]) -> dict[str, User]:
        """Those of `user_ids` that exist and are not erased."""
        found: dict[str, User] = {}
        missing: list[str] = []
        for user_id in user_ids:
            user = self._at_hand(user_id)
            if user is None:
                missing.append(user_id)
            else:
                found[user_id] = user
        if missing:
            for user_id, user in (await self._users.get_many(missing)).items():
                found[user_id] = self._remember_read(user)
        return {user_id: user for user_id, user in found.items() if not user.erased}

    async def change(self, user_id: str, **fields: object) -> User:
        async with self.changing:
            user = await self.write(user_id, **fields)
            self.hold(user)
            return user

    async def write(self, user_id: str, **fields: object) -> User:
        """The first half of `change`, for one who holds `changing` and goes on to `hold`."""
        user = await self._users.update(user_id, **fields)
        if user is None:
            raise not_found("user")
        return user

    async def note_last_seen(self, user_id: str, last_seen: int) -> None:
        """Into the store alone: nothing reads it from a cached record."""
        await self._users.update(user_id, last_seen=last_seen)

    def forget(self, user_id: str) -> None:
        self._cache.pop(user_id, None)

    def hold(self, user: User) -> None:
        """From now on this is the record that everybody reads."""
        if person := self._connected.get(user.id):
            person.hold(user)
            self._note_visibility(user)
        self._remember(user)

    def _note_visibility(self, user: User) -> None:
        if user.invisible:
            self.invisible.add(user.id)
        else:
            self.invisible.discard(user.id)

    def _remember(self, user: User) -> None:
        self._cache[user.id] = user
        self._cache.move_to_end(user.id)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def _at_hand(self, user_id: str) -> User | None:
        """A record that others may be answered from without waiting."""
        person = self._connected.get(user_id)
        if person is not None and not person.user.invisible:
            return person.user
        return self._cache.get(user_id)

    def _newest(self, user: User) -> User:
        """Of a record that was read: what is held by now comes from a later change, and wins."""
        if person := self._connected.get(user.id):
            return person.user
        return self._cache.get(user.id, user)

    def _remember_read(self, user: User) -> User:
        user = self._newest(user)
        self._remember(user)
        return user

    # Blocks

    async def block(self, user_id: str, other_id: str) -> None:
        await self.get(other_id)
        await self._users.block(user_id, other_id)
        self._note_block(user_id, other_id, "mine", present=True)
        self._note_block(other_id, user_id, "theirs", present=True)
        self.on_blocked(user_id, other_id)

    async def unblock(self, user_id: str, other_id: str) -> None:
        await self._users.unblock(user_id, other_id)
        self._note_block(user_id, other_id, "mine", present=False)
        self._note_block(other_id, user_id, "theirs", present=False)

    def _note_block(self, user_id: str, other_id: str, side: str, *, present: bool) -> None:
        self._block_changes += 1
        person = self._connected.get(user_id)
        if person is None:
            return
        sides = person.hidden_from.setdefault(other_id, set())
        if present:
            sides.add(side)
        else:
            sides.discard(side)
        if not sides:
            del person.hidden_from[other_id]

    async def blocks(self, user_id: str) -> list[User]:
        """Whom this user has blocked, by name."""
        users = await self.known((await self._users.blocks_of(user_id)).blocked)
        return sorted(users.values(), key=lambda user: user.username or "")

    async def hidden_from(self, user_id: str) -> Set[str]:
        """Those that a block, from either side, stands between."""
        if person := self._connected.get(user_id):
            return person.hidden_from.keys()
        blocks = await self._users.blocks_of(user_id)
        return {*blocks.blocked, *blocks.blockers}

    async def are_blocked(self, a: str, b: str) -> bool:
        """Whether either has blocked the other; `a` asks, and is answered as soon whether or not `b` is there."""
        return b in await self.hidden_from(a)

    def are_parted(self, session: Session) -> bool:
        """Whether a block stands between the two of a private session, one of whom at least is connected."""
        if session.kind != "private":
            return False
        a, b = session.members
        if person := self._connected.get(a):
            return b in person.hidden_from
        person = self._connected.get(b)
        return person is not None and a in person.hidden_from
