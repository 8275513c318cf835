"""What storage can answer instead of a value. Callers see these and never a driver's exception."""

from __future__ import annotations

from typing import Final

DUPLICATE_KEY: Final = 11000  # MongoDB's code for what a unique index refuses


class StorageError(Exception):
    """Base of all of them."""


class Unavailable(StorageError):
    """The database cannot be reached, is not a primary, or missed its deadline.

    Of a write this means that its outcome is unknown: it may still have happened.
    """


class Duplicate(StorageError):
    """A unique value is taken already; `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is taken already")
        self.field = field


class MissingKey(StorageError):
    """A data key is wrapped by a master key that the key ring does not hold."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"master key {key_id} is not in the key ring")
        self.key_id = key_id


class RefreshTokenUnknown(StorageError):
    """No login knows this refresh token: it never was one, or its login has ended."""


class RefreshTokenReused(StorageError):
    """A refresh token came again after its grace; `login_id` is the family to end."""

    def __init__(self, login_id: str) -> None:
        super().__init__("a refresh token was used again")
        self.login_id = login_id


class MemberLimit(StorageError):
    """A group would get more members than it may have."""


class SessionGone(StorageError):
    """There is no such session (any more), so nothing can be written to it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id} is gone")
        self.session_id = session_id


class BadKeyring(StorageError):
    """The master keys cannot be used; the sentence says why, and never holds a key."""


class Tampered(StorageError):
    """A body is not what was written there: it, its session, its id or its sender was changed."""


class NewerDatabase(StorageError):
    """The database was written by a newer release than this one."""
