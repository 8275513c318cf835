"""The log of security-relevant events: who signed in, who was refused, what was revoked. For an operator to ship.

A logger of its own, `hereabouts.security`, which speaks at `info` whatever the level of the other lines.
Its fields are user and login ids, addresses and words of ours: no name that somebody typed (it may be a
password in the wrong field), no token, nothing personal. Services and handlers tell it; it decides nothing.
"""

from __future__ import annotations

from typing import Any, Final

from server.clock import Clock
from server.limits import Throttle
from server.logs import security

# Refusals of one kind that an address can cause: lines at once, then a second. A flood must not fill the disk.
REFUSALS_AT_ONCE: Final = 20.0
REFUSALS_A_SECOND: Final = 0.1

# What there is, and when it is told. `docs/operations.md` has the same table.
EVENTS: Final = {
    "signed_up": "an account was made",
    "signed_in": "with a password",
    "sign_in_refused": "a wrong password or an unknown name (then `user_id` is null)",
    "sign_in_throttled": "too many wrong passwords, `by` account or address, or too many sign-ins of an address",
    "signed_out": "a login was ended by its owner",
    "password_changed": "and how many other logins ended with it",
    "password_change_refused": "the old password was wrong",
    "account_deleted": "by its owner",
    "refresh_reused": "a refresh token came again, long after its use: its login was ended",
    "refresh_refused": "an unknown or expired refresh token",
    "token_refused": "a bad, expired or revoked token, `over` REST or a socket; the `reason`",
    "origin_refused": "a page of another site",
    "banned_refused": "a banned user came, `over` REST, a socket, a sign-in or a refresh",
    "ban_set": "by `run.py ban`, on that command's standard error",
    "ban_lifted": "by `run.py unban`, likewise",
    "account_banned": "this server learnt of a ban; how many `sockets` it closed",
    "account_unbanned": "this server learnt that a ban was lifted",
    "requests_limited": "an address was over its rate of REST requests and handshakes",
    "connections_limited": "too many sockets, `by` user or address",
    "flooding": "a socket was closed because requests went on after `rate_limited`",
    "master_keys_rotated": "by `run.py rotate-keys`, on that command's standard error; the new key's id",
}


class SecurityLog:
    """One line an event; of refusals so many an address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refusals = Throttle(REFUSALS_A_SECOND, REFUSALS_AT_ONCE)

    def tell(self, event: str, **fields: Any) -> None:
        assert event in EVENTS, event
        security.info(event, **fields)

    def refused(self, event: str, address: str, **fields: Any) -> None:
        """As `tell`, unless this address has caused too many of these."""
        if not self._refusals.take(f"{event} {address}", self._clock.monotonic()):
            self.tell(event, address=address, **fields)
