"""Changes of what is stored, from one release to the next. Called by `Store.open`.

The database says in `meta` which version it has; a new one starts at the newest. `MIGRATIONS[0]` takes
version 1 to 2, and so on. Each may be run again after it was interrupted, or beside another process
that is doing the same, so each is written to find its own work done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from storage.driver import Database
from storage.errors import NewerDatabase

Migration = Callable[[Database], Awaitable[None]]

MIGRATIONS: Sequence[Migration] = ()


async def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The version after. Raises NewerDatabase, with nothing touched."""
    newest = 1 + len(migrations)
    meta = database["meta"]
    async with database.operation("migrations.version"):
        await meta.update_one({"_id": "schema"}, {"$setOnInsert": {"version": newest}}, upsert=True)
        version = int((await meta.find_one({"_id": "schema"}))["version"])
    if version > newest:
        raise NewerDatabase(
            f"the database has version {version} and this release knows {newest}: use a newer release"
        )
    for number in range(version, newest):
        await migrations[number - 1](database)
        async with database.operation("migrations.version"):
            await meta.update_one({"_id": "schema"}, {"$max": {"version": number + 1}})
    return newest
