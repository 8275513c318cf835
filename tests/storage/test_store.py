from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import migrations
from storage.driver import Database
from storage.errors import MissingKey, NewerDatabase, Unavailable
from storage.keyring import Keyring
from storage.migrations import migrate
from storage.schema import INDEXES
from storage.store import Store
from tests.storage.conftest import OpenStore, new_message
from tests.storage.plain import Plain


async def refused(open_store: OpenStore, uri: str) -> str:
    with pytest.raises(Unavailable) as caught:
        await open_store(uri=uri, timeout=0.5)
    # Nothing of the driver's, which may quote more, is to be printed below it.
    assert caught.value.__cause__ is None or caught.value.__suppress_context__
    return str(caught.value)


async def test_opening_twice_changes_nothing(store: Store, open_store: OpenStore) -> None:
    """A database that is there is opened as it is; every index is where it should be."""
    await store.sessions.open_land("land", 1)
    again = await open_store()
    assert await again.sessions.get("land") == await store.sessions.get("land")
    for collection, indexes in INDEXES.items():
        made = await store.database[collection].index_information()
        assert len(made) == 1 + len(indexes)


async def test_it_can_be_pinged(store: Store) -> None:
    """A ping of a database that takes writes says nothing."""
    await store.ping()


async def test_latency_is_observed(open_store: OpenStore) -> None:
    """Each operation is reported under its name, with the seconds that it took; the writer's commits too."""
    seen: list[tuple[str, float]] = []
    store = await open_store(observe=lambda name, seconds: seen.append((name, seconds)))
    await store.users.get("1")
    await store.sessions.open_land("land", 1)
    await store.writer.submit(new_message())
    assert {"users.get", "sessions.open", "messages.commit"} <= {name for name, _ in seen}
    assert all(seconds > 0 for _, seconds in seen)
    store.observe = None
    seen.clear()
    await store.users.get("1")
    assert seen == []


async def test_an_unreachable_database_is_said_so(open_store: OpenStore) -> None:
    """Where nothing answers the sentence says where, and how long it was waited, but not the password."""
    told = await refused(open_store, "mongodb://ann:hunter2@127.0.0.1:1,127.0.0.1:2/?replicaSet=x")
    assert told == "no MongoDB that can be written to answers at 127.0.0.1:1,127.0.0.1:2 within 0.5 s"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "hunter2",
        "http://ann:hunter2@host",
        "mongodb://",
        "mongodb://ann:hun@ter2@host",
        "mongodb://ann:hun/ter2@host",
        "mongodb://ann:hun?ter2@host",
        "mongodb://ann:hun:ter2@host",
        "mongodb://ann:hunter2@host:port",
        "mongodb://ann:hunter2@host:99999",
        "mongodb://ann:hunter2@host/?authMechanism=hunter2",
        "mongodb://ann:hunter2@host/?hunter2=1",
        "mongodb://ann:hunter2@host/?tlsCAFile=/absent/hunter2",
    ],
)
async def test_a_senseless_uri_is_said_so(open_store: OpenStore, uri: str) -> None:
    """What is no URI of a MongoDB is refused at once, with what was expected, not with what was given."""
    told = await refused(open_store, uri)
    assert "makes no sense" in told and "expected mongodb://" in told
    assert "hun" not in told and "ter2" not in told


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[Plain]:
    plain = Plain(tmp_path)
    yield plain
    plain.stop()


async def test_a_standalone_is_refused(open_store: OpenStore, standalone: Plain) -> None:
    """A mongod that is in no replica set cannot promise what a majority has: what to do is said."""
    told = await refused(open_store, f"mongodb://127.0.0.1:{standalone.port}")
    assert f"127.0.0.1:{standalone.port} is not a member of a replica set" in told and "--replSet" in told


async def test_who_may_not_write_is_told_so(open_store: OpenStore, guarded: Plain) -> None:
    """A wrong password, no account, and an account that only reads, each have their sentence."""
    host = f"127.0.0.1:{guarded.port}"
    wrong = await refused(open_store, f"mongodb://writer:wrongword@{host}")
    assert wrong == f"the MongoDB at {host} refuses this user or password"
    for account in ("", "reader:hunter2@"):
        told = await refused(open_store, f"mongodb://{account}{host}")
        assert told.startswith(f"the MongoDB at {host} does not let this user write")
    store = await open_store(uri=f"mongodb://writer:hunter2@{host}")
    await store.ping()
    await store.close()


async def test_a_missing_master_key_stops_the_start(store: Store, open_store: OpenStore) -> None:
    """A session under a key that the ring does not hold is found at once, and the key is named."""
    await store.sessions.open_land("land", 1)
    used = store.sessions._keys._keyring.primary_id
    other = Keyring.from_setting("hNQ1yDdMwkTlJnMBVpZJvnBqLf9b0TmS5yyVQxlNQqE=")
    with pytest.raises(MissingKey, match=f"master key {used} is not in the key ring"):
        await open_store(keyring=other)


async def test_a_newer_database_is_left_alone(store: Store, open_store: OpenStore) -> None:
    """A release that is older than the data says so, and changes nothing."""
    await store.database["meta"].update_one({"_id": "schema"}, {"$set": {"version": 99}})
    with pytest.raises(NewerDatabase, match="version 99 .* use a newer release"):
        await open_store()
    assert (await store.database["meta"].find_one({"_id": "schema"}))["version"] == 99


async def test_migrations_run_in_order_and_once(store: Store) -> None:
    """An older database is taken from version to version; one interrupted goes on where it was."""
    ran: list[str] = []
    broken = True

    async def first(database: Database) -> None:
        ran.append("first")

    async def second(database: Database) -> None:
        ran.append("second")
        if broken:
            raise Unavailable("in the middle of it")

    start = 1 + len(migrations.MIGRATIONS)
    chain = [*migrations.MIGRATIONS, first, second]
    with pytest.raises(Unavailable, match="in the middle"):
        await migrate(store.database, chain)
    broken = False
    assert await migrate(store.database, chain) == start + 2
    assert ran == ["first", "second", "second"]
    assert await migrate(store.database, chain) == start + 2
    assert ran == ["first", "second", "second"]
    with pytest.raises(NewerDatabase):
        await migrate(store.database)


async def test_a_new_database_has_nothing_to_migrate(store: Store) -> None:
    """What is made by this release is of its version from the start."""

    async def never(database: Database) -> None:
        raise AssertionError("a new database was migrated")

    await store.database["meta"].delete_many({})
    assert await migrate(store.database, [never, never]) == 3
    assert await migrate(store.database, [never, never]) == 3
