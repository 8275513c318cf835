"""The one error type of the client library.

Everything that can go wrong, whether the server said so or the network did, arrives as a
HereaboutsError with a `code` to branch on and a `message` in words.
"""

from __future__ import annotations

from typing import Final

# Said by the server: invalid_message, unauthorized, forbidden, not_found, conflict, too_large,
# rate_limited, unavailable, not_joined, busy, offline. Found out here: network (no answer at all),
# timeout (none in time), closed (the connection went away first, or there is none).
_TRANSIENT: Final = frozenset({"network", "timeout", "closed", "rate_limited", "unavailable"})


class HereaboutsError(Exception):
    """`status` is the HTTP status, if there was one; `retry_after` is in seconds."""

    def __init__(
        self, code: str, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later, unchanged."""
        return self.code in _TRANSIENT
