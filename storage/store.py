"""Everything that is stored, behind one door: connects, checks, migrates, and holds the repositories.

Opened and closed by `server.app`. Nothing else of this package is made by anybody but it.
"""

from __future__ import annotations

import re
import warnings

from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError, WriteConcernError

from storage.bans import Bans
from storage.cipher import DataKeys
from storage.deletions import Deletions
from storage.driver import Database, Observe, describe
from storage.errors import MissingKey, Unavailable
from storage.keyring import Keyring
from storage.lands import Lands
from storage.logins import Logins
from storage.messages import Messages
from storage.migrations import migrate
from storage.schema import KEYED, ensure_indexes
from storage.sessions import Sessions
from storage.speech import SpeechHistory
from storage.speech_keys import SpeechKeys
from storage.speech_writer import SpeechWriter
from storage.users import Users
from storage.writer import MessageWriter

_UNAUTHENTICATED = frozenset({18, 8000})  # AuthenticationFailed; Atlas says 8000
_UNAUTHORISED = 13
_OLDEST_WIRE_VERSION = 13  # MongoDB 5.0: $lookup by field with a pipeline


class Store:
    """Made by `open` alone."""

    def __init__(self, database: Database, keyring: Keyring, *, commit_limit: int) -> None:
        keys = DataKeys(database, keyring)
        self.database = database
        self.users = Users(database)
        self.logins = Logins(database)
        self.bans = Bans(database)
        self.lands = Lands(database)
        self.messages = Messages(database, keys)
        self.deletions = Deletions(database)
        self.writer = MessageWriter(database, keys, self.messages, commit_limit=commit_limit)
        self.sessions = Sessions(database, keys, self.writer)
        speech_keys = SpeechKeys(database, keyring)
        self.speech = SpeechHistory(database, speech_keys)
        self.speech_writer = SpeechWriter(database, speech_keys, self.speech, commit_limit=commit_limit)

    @classmethod
    async def open(
        cls,
        uri: str,
        *,
        keyring: Keyring,
        database: str = "hereabouts",
        timeout: float = 5.0,
        commit_limit: int = 500,
        observe: Observe | None = None,
    ) -> Store:
        """`timeout` in seconds bounds every operation. `observe` gets (operation, seconds) of each.

        Raises Unavailable, MissingKey, NewerDatabase. No sentence of theirs holds the URI's password.
        """
        connected = await connect(uri, database=database, timeout=timeout, observe=observe)
        try:
            await migrate(connected)
            await ensure_indexes(connected)
            await check_keys(connected, keyring)
            store = cls(connected, keyring, commit_limit=commit_limit)
        except BaseException:
            await connected.close()
            raise
        try:
            await store.sessions.finish_deletions()
            await store.speech_writer.start()
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def observe(self) -> Observe | None:
        return self.database.observe

    @observe.setter
    def observe(self, observe: Observe | None) -> None:
        self.database.observe = observe

    async def ping(self) -> None:
        """It can be written to. Raises Unavailable."""
        await self.database.touch("ping")

    async def close(self, *, until: float | None = None) -> None:
        """What was submitted to the writers gets its outcome first, or is given up at `until` (the loop's time)."""
        await self.writer.close(until=until)
        await self.speech_writer.close(until=until)
        await self.database.close()


async def connect(uri: str, *, database: str, timeout: float, observe: Observe | None = None) -> Database:
    """A connection that can be written to. Raises Unavailable with a sentence for the operator."""
    senseless = Unavailable(
        "the MongoDB URI makes no sense: expected mongodb://[user:password@]host[:port]/[?options], with"
        " special characters of user and password percent-encoded, options that exist, and files that do"
    )
    scheme, _, rest = uri.partition("://")
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    # An @ after the hosts is one that was not encoded: what stands before may be half a password.
    if scheme not in ("mongodb", "mongodb+srv") or "@" in rest[len(authority) :]:
        raise senseless
    try:
        with warnings.catch_warnings():
            # An option that the driver does not know, or cannot use, it leaves out with a warning.
            warnings.simplefilter("error", UserWarning)
            connected = Database(uri, database, timeout=timeout, observe=observe)
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning):
        # The driver quotes the part that it stumbled over, which can be the password.
        raise senseless from None
    hosts = authority.rpartition("@")[2]
    try:
        await _check(connected, hosts, timeout)
    except BaseException:
        await connected.close()
        raise
    return connected


async def _check(database: Database, hosts: str, timeout: float) -> None:
    try:
        hello = await database.command("hello")
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise Unavailable(
                f"the MongoDB at {hosts} is not a member of a replica set, without which no write can be"
                " confirmed by a majority: start it with --replSet and run rs.initiate()"
            )
        if hello["maxWireVersion"] < _OLDEST_WIRE_VERSION:
            raise Unavailable(f"the MongoDB at {hosts} is too old: 5.0 or later is needed")
        await database.touch("store.check")
    except Unavailable as error:
        if error.__cause__ is None:
            raise
        raise Unavailable(_sentence(error.__cause__, hosts, timeout)) from None


def _sentence(cause: BaseException, hosts: str, timeout: float) -> str:
    if isinstance(cause, OperationFailure) and cause.code in _UNAUTHENTICATED:
        return f"the MongoDB at {hosts} refuses this user or password"
    if isinstance(cause, OperationFailure) and cause.code == _UNAUTHORISED:
        return f"the MongoDB at {hosts} does not let this user write to the database (or asks for one)"
    if isinstance(cause, AutoReconnect | WriteConcernError | TimeoutError):
        return f"no MongoDB that can be written to answers at {hosts} within {timeout:g} s"
    return f"the MongoDB at {hosts} cannot be used ({describe(cause)})"


async def check_keys(database: Database, keyring: Keyring) -> None:
    """Raises MissingKey if a data key is under a master key that the ring does not hold."""
    in_use = set()
    for collection in KEYED:
        async with database.operation("store.check_keys"):
            in_use |= set(await database[collection].distinct("key.id"))
    keyring.refresh()
    # None stands for the sessions that are being deleted and have no key any more.
    for key_id in sorted(in_use - keyring.ids - {None}):
        raise MissingKey(key_id)
