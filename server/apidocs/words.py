"""What errors and closes mean to a client (contract §6), for both documents; tests hold them to `server.errors`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ERRORS: Final = {
    "invalid_message": "Not understood: malformed, out of range, or with a field or type that is unknown.",
    "unauthorized": "A token is missing, expired, revoked or not valid: refresh it, or sign in.",
    "forbidden": "Understood, and not allowed to the caller.",
    "not_found": "Absent, or not the caller's to see: the two look the same.",
    "conflict": "Contradicts what is there: a name that is taken, a land in the way.",
    "too_large": "More bytes than are taken.",
    "rate_limited": "Too much in too short a time: wait `retry_after` seconds.",
    "unavailable": "Not now: try again, after `retry_after` seconds where they are given.",
    "not_joined": "The land's room, or the voice, has to be joined first; for `say`, a position given.",
    "busy": "One of the two is in a call already, ringing or active.",
    "offline": "The callee is not there, or not for this caller.",
}
CLOSES: Final = {
    1009: "A message of more than 64 KiB.",
    1012: "The server restarts. Come back after the seconds in the reason, `retry_after=…`: each client gets others.",
    1013: "Too many connections, or the database is away. Come back after the seconds in the reason.",
    4001: "The token is missing, bad, expired or revoked: get a new one, then connect.",
    4003: "Logged out, or this account is banned: sign in again.",
    4008: "Too slow: more was waiting than the buffer holds. Connect again, and catch up over REST.",
    4029: "Flooding: requests went on after `rate_limited`. Slow down before connecting again.",
}


def listed(meanings: dict[str, str] | dict[int, str], keys: Iterable[str | int] = ()) -> str:
    """A Markdown list of codes and what they mean: of these `keys`, or of all."""
    chosen = set(keys)
    return "\n".join(f"- `{key}`: {text}" for key, text in meanings.items() if not chosen or key in chosen)
