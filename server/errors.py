"""What can go wrong for a client, and how a connection ends: two tables.

An `ApiError` is a reply: the request did nothing and the client may go on. A `Close` ends the
connection and says what the client should do next. Services raise the first; handlers turn it
into an HTTP status or an `error` event.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

CROWD_SECONDS: Final = 5.0
STATUS: Final = {
    "invalid_message": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
    # Said on sockets; the statuses are what the same refusal would be over REST.
    "not_joined": 409,
    "busy": 409,
    "offline": 409,
}


class ApiError(Exception):
    """A refusal with a code of the contract, a sentence, and sometimes a time to wait in seconds."""

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return STATUS[self.code]


class Banned(ApiError):
    """What a banned user is answered with; on a socket it is the close `BANNED`."""

    def __init__(self, user_id: str) -> None:
        super().__init__("forbidden", BANNED.reason)
        self.user_id = user_id


def invalid(message: str) -> ApiError:
    return ApiError("invalid_message", message)


def unauthorized(message: str) -> ApiError:
    return ApiError("unauthorized", message)


def forbidden(message: str) -> ApiError:
    return ApiError("forbidden", message)


def not_found(what: str) -> ApiError:
    """Absent and out of bounds are one answer: the difference would tell what exists."""
    return ApiError("not_found", f"no such {what}")


def conflict(message: str) -> ApiError:
    return ApiError("conflict", message)


def unavailable() -> ApiError:
    return ApiError("unavailable", "the database cannot be reached; try again", retry_after=1)


def crowded(what: str) -> ApiError:
    """The time is another for each, so that they do not come back together."""
    retry_after = round(random.uniform(1, CROWD_SECONDS), 3)
    return ApiError("unavailable", f"too many {what} at once; try again", retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Close:
    """A close code (RFC 6455 §7.4, ours from 4000 up) and its reason, 123 bytes at most."""

    code: int
    reason: str


TOKEN_MISSING = Close(4001, "a token is needed")
TOKEN_EXPIRED = Close(4001, "the token has expired")
LOGGED_OUT = Close(4003, "logged out")
BANNED = Close(4003, "this account is banned")
TOO_SLOW = Close(4008, "too slow: more is waiting than the buffer holds")
FLOODING = Close(4029, "flooding: requests went on after rate_limited")


def token_refused(reason: str) -> Close:
    return Close(4001, reason)


def restarting(retry_after: float) -> Close:
    return Close(1012, f"retry_after={retry_after:.4f}")


def try_later(retry_after: float) -> Close:
    return Close(1013, f"retry_after={retry_after:.4f}")
