"""The collections and their indexes, all in one place. Called by `Store.open` at every start.

Making an index that is there already costs nothing. Changing one needs a migration that drops it.

    users           _id, username, username_key, display_name, password_hash, subject, flags, last_seen
    erased          _id (hash of a provider's subject), keep_until    until no token of theirs lives
    blocks          blocker, blocked
    bans            _id (of the user), banned_at
    logins          _id, user_id, created_at, expires_at         one per sign-in that has not ended
    refresh_tokens  _id (hash), login_id, replaces, used_at, expires_at    one per token
    ended_logins    _id, keep_until                              revocations, until nothing they revoke lives
    lands           _id and the fields of `records.Land`
    sessions        _id, kind, name, members, maker_id, pair, unlisted_for, created_at, last_seq, active_at, key
    marks           session, user, read_seq                      "this session is listed for this user"
    messages        _id, session, seq, kind, sender, client_id, created_at, body, deleted_after
    speech          _id, sender, listeners, client_id, created_at, body
    speech_keys     _id (the day since 1970, UTC), key           one per day on which somebody spoke
    meta            schema (its version), ping, bans (a number that each change of them raises)
"""

from __future__ import annotations

from pymongo import ASCENDING, DESCENDING, IndexModel

from storage.driver import Database

_UP, _DOWN = ASCENDING, DESCENDING

# Whose documents have a wrapped data key, as `key`.
KEYED = ("sessions", "speech_keys")


def _unique_where_present(field: str) -> IndexModel:
    return IndexModel([(field, _UP)], unique=True, partialFilterExpression={field: {"$exists": True}})


INDEXES: dict[str, list[IndexModel]] = {
    "users": [
        _unique_where_present("username_key"),
        _unique_where_present("subject"),
    ],
    "erased": [IndexModel([("keep_until", _UP)], expireAfterSeconds=0)],
    "blocks": [
        IndexModel([("blocker", _UP), ("blocked", _UP)], unique=True),
        IndexModel([("blocked", _UP)]),
    ],
    "logins": [
        IndexModel([("user_id", _UP)]),
        IndexModel([("expires_at", _UP)], expireAfterSeconds=0),
    ],
    "refresh_tokens": [
        IndexModel([("login_id", _UP)]),
        IndexModel([("expires_at", _UP)], expireAfterSeconds=0),
    ],
    "ended_logins": [IndexModel([("keep_until", _UP)], expireAfterSeconds=0)],
    "lands": [IndexModel([("owner_id", _UP)])],
    "sessions": [
        IndexModel([("members", _UP), ("active_at", _DOWN), ("_id", _DOWN)]),
        _unique_where_present("pair"),
        # Which master keys are in use: asked at every start, and by the rotation.
        IndexModel([("key.id", _UP)]),
    ],
    "marks": [
        IndexModel([("user", _UP), ("session", _UP)], unique=True),
        IndexModel([("session", _UP)]),
    ],
    "messages": [
        # These two decide: the order of a room, and whether a message was sent before.
        IndexModel([("session", _UP), ("seq", _UP)], unique=True),
        IndexModel(
            [("session", _UP), ("sender", _UP), ("client_id", _UP)],
            unique=True,
            partialFilterExpression={"client_id": {"$exists": True}},
        ),
        # What was deleted since somebody was there.
        IndexModel(
            [("session", _UP), ("deleted_after", _DOWN)],
            partialFilterExpression={"deleted_after": {"$exists": True}},
        ),
        # Retention, and the count of a day's messages.
        IndexModel([("kind", _UP), ("created_at", _UP)]),
    ],
    "speech": [
        # A page of what somebody said or heard is one walk along this.
        IndexModel([("listeners", _UP), ("_id", _DOWN)]),
        # Decides whether it was said before.
        IndexModel(
            [("sender", _UP), ("client_id", _UP)],
            unique=True,
            partialFilterExpression={"client_id": {"$exists": True}},
        ),
        IndexModel([("created_at", _UP)]),  # retention
    ],
}


async def ensure_indexes(database: Database) -> None:
    for collection, indexes in INDEXES.items():
        async with database.operation("schema.indexes"):
            await database[collection].create_indexes(indexes)
