"""What one user and one address may ask of a server, and how many sockets they may have.

The bounds are settings; what a request costs is in the table of `server.dispatch`. Handlers ask before
they do anything for somebody; who is refused has cost neither the database nor a hash.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

from server.addresses import limited_as
from server.clock import Clock
from server.errors import CROWD_SECONDS, ApiError
from server.limits import Admission, Failures, Throttle, TokenBucket
from server.security import SecurityLog
from server.settings import Settings

REST_COST: Final = 2.0  # of a user's requests: as much as a message
# Longest that one who was closed for flooding waits, seconds; at first it is one. Else coming back were a fresh start.
FLOOD_DELAY: Final = 60.0


class Quotas:
    """Counts; with `rate_limits` off it refuses nobody."""

    def __init__(self, settings: Settings, clock: Clock, security: SecurityLog) -> None:
        self._settings = settings
        self._clock = clock
        self._security = security
        self._rest = Throttle(settings.rest_rate, settings.rest_burst)
        self._sign_ins = Throttle(settings.login_rate, settings.login_burst)
        self._users = Throttle(settings.user_request_rate, settings.user_request_burst)
        self._addresses = Throttle(settings.address_request_rate, settings.address_request_burst)
        self._arrivals = Admission(settings.connect_rate, settings.connect_burst, clock.monotonic())
        self._floods = Failures(1, FLOOD_DELAY)
        self._sockets: Counter[str] = Counter()

    # REST

    def admit(self, address: str, *, sign_in: bool) -> None:
        """Counts a request of an address; `rate_limited` if there were too many."""
        if not self._settings.rate_limits:
            return
        key, now = limited_as(address), self._clock.monotonic()
        if wait := self._rest.take(key, now):
            self._security.refused("requests_limited", address)
        elif sign_in and (wait := self._sign_ins.take(key, now)):
            self._security.refused("sign_in_throttled", address, by="address")
        if wait:
            raise ApiError("rate_limited", "too many requests from this address", retry_after=round(wait, 3))

    def charge(self, user_id: str) -> None:
        """Counts a request of a user; `rate_limited` if there were too many, those on sockets included."""
        if not self._settings.rate_limits:
            return
        if wait := self._users.take(user_id, self._clock.monotonic(), REST_COST):
            raise ApiError("rate_limited", "too many requests of this user", retry_after=round(wait, 3))

    # Sockets

    def admit_socket(self, address: str) -> float:
        """0 if one may be opened now; else the seconds to wait.

        A handshake is a request like others, so that one address alone cannot use up everybody's pace.
        """
        if not self._settings.rate_limits:
            return 0.0
        now = self._clock.monotonic()
        if wait := self._rest.take(limited_as(address), now):
            self._security.refused("requests_limited", address)
            # Another time for each: those of one address may be a crowd that comes back.
            return max(wait, random.uniform(1, CROWD_SECONDS))
        return self._arrivals.take(now)

    def is_full(self, address: str) -> bool:
        """Whether an address has all the sockets that it may have."""
        most = self._settings.connections_per_address
        full = self._settings.rate_limits and self._sockets[limited_as(address)] >= most
        if full:
            self._security.refused("connections_limited", address, by="address")
        return full

    def flooded(self, user_id: str, connection_id: str, address: str) -> None:
        """To be told of a socket that is closed for it."""
        self._floods.fail(user_id, self._clock.monotonic())
        self._security.refused("flooding", address, user_id=user_id, connection_id=connection_id)

    def flood_wait(self, user_id: str) -> float:
        """Seconds until one who flooded may open a socket again, longer each time; 0 for others."""
        return self._floods.wait(user_id, self._clock.monotonic())

    def opened(self, address: str) -> None:
        """To be undone with `closed`."""
        self._sockets[limited_as(address)] += 1

    def closed(self, address: str) -> None:
        key = limited_as(address)
        self._sockets[key] -= 1
        if not self._sockets[key]:
            del self._sockets[key]

    def buckets(self, user_id: str, address: str) -> tuple[TokenBucket, ...]:
        """What a new connection's requests are charged to: its own, its user's and its address's; none without limits."""
        settings, now = self._settings, self._clock.monotonic()
        if not settings.rate_limits:
            return ()
        return (
            TokenBucket(settings.request_rate, settings.request_burst, now),
            self._users.bucket(user_id, now),
            self._addresses.bucket(limited_as(address), now),
        )
