"""Who is signed in: registers, logs in and out, and keeps a fresh access token.

Both tokens live in memory; who wants to keep a login over a restart stores `refresh_token` on every
`tokens` event and hands it to `resume_with`. A refresh token works once, so refreshing is done by one
task at a time. Its `signed_in` and `signed_out` open and close the sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from client.emitter import Emitter
from client.errors import HereaboutsError
from client.http import Http

RENEW_AFTER: Final = 0.8  # the part of a token's life after which a new one is fetched
# A refresh token that was used counts as stolen after 10 s, and its answer may have been lost: so it is
# asked again in time, and not waited for as long as for anything else.
REFRESH_TRIES: Final = 3
REFRESH_TIMEOUT: Final = 3.0

User = dict[str, Any]  # {id, username, display_name}


@dataclass(frozen=True, slots=True)
class _Access:
    token: str
    renew_at: float  # by time.monotonic; infinite for a token whose life is not known


class Auth(Emitter):
    """Events: `signed_in {user}`, `signed_out {reason}` with a reason of logout, expired, ended (by the
    server), deleted or replaced (by somebody else's login here), and `tokens {access_token, refresh_token}` when there are new ones."""

    def __init__(self, http: Http) -> None:
        super().__init__()
        self._http = http
        self._access: _Access | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._leaving: str | None = None  # the reason, while the user signs out
        self.user: User | None = None
        self.refresh_token: str | None = None

    async def register(self, username: str, password: str, display_name: str | None = None) -> User:
        """Raises HereaboutsError: `conflict` if the name is taken, `invalid_message`."""
        account = {"username": username, "password": password}
        if display_name is not None:
            account["display_name"] = display_name
        return self._begin(await self._http.send("POST", "/auth/register", body=account))

    async def login(self, username: str, password: str) -> User:
        """Raises HereaboutsError: `unauthorized`."""
        body = {"username": username, "password": password}
        return self._begin(await self._http.send("POST", "/auth/login", body=body))

    async def resume_with(self, pair: Mapping[str, Any]) -> User:
        """Takes up a login: the answer of an earlier register, login or refresh, or just its `refresh_token`.

        Raises HereaboutsError: `unauthorized` when it has ended; else it is kept, try again.
        """
        self.refresh_token = pair["refresh_token"]
        if "access_token" in pair and "expires_in" in pair:
            self._keep(pair)
        return await self._take_up(pair.get("user"))

    async def use_token(self, access_token: str, user: User | None = None) -> User:
        """Signs in with an access token alone, from elsewhere: it serves until it expires.

        Then the login ends, unless a newer one was given in time; sockets turn to that when the server
        closes them over the old one (4001).
        """
        self.refresh_token = None
        self._access = _Access(access_token, float("inf"))
        return await self._take_up(user)

    async def token(self) -> str:
        """An access token with a good part of its life left.

        Raises HereaboutsError: `unauthorized` when nobody is signed in any more.
        """
        if self._access is None or time.monotonic() >= self._access.renew_at:
            if self._refreshing is None:
                self._refreshing = asyncio.create_task(self._refresh())
                self._refreshing.add_done_callback(self._refreshed)
            # Whoever waits may be cancelled; the refresh may not, as its answer is the only copy.
            await asyncio.shield(self._refreshing)
        assert self._access is not None
        return self._access.token

    @property
    def renew_at(self) -> float:
        """When to fetch the next token, by `time.monotonic()`."""
        return self._access.renew_at if self._access else 0.0

    def discard_token(self, refused: str) -> None:
        """Says that the server refused this token, so that the next `token()` is another."""
        if self._access is not None and self._access.token == refused:
            self._access = None

    async def logout(self) -> None:
        """Ends this login, here and at the server. Raises HereaboutsError: signed out here all the same."""
        self._leaving = "logout"
        try:
            await self._http.send("POST", "/auth/logout", token=await self.token())
        finally:
            self.end("logout")
            self._leaving = None

    async def delete_account(self) -> None:
        """Raises HereaboutsError: the account is still there, and signed in."""
        self._leaving = "deleted"
        try:
            await self._http.send("DELETE", "/auth/me", token=await self.token())
            self.end("deleted")
        finally:
            self._leaving = None

    def end(self, cause: str) -> None:
        """Forgets the login here; the reason is `cause`, unless the user is leaving: then it is that."""
        signed_in, self.user = self.user is not None, None
        self._access = self.refresh_token = None
        if signed_in:  # else the sockets' close or an earlier answer has told it
            self.emit("signed_out", {"reason": self._leaving or cause})

    async def _take_up(self, user: User | None) -> User:
        if user is None:
            user = await self._http.send("GET", "/auth/me", token=await self.token())
        return self._signed_in(user)

    def _begin(self, answer: Mapping[str, Any]) -> User:
        self._keep(answer)
        return self._signed_in(answer["user"])

    def _signed_in(self, user: User) -> User:
        if self.user is not None and self.user["id"] != user["id"]:
            self.emit("signed_out", {"reason": "replaced"})  # its sockets close
        self.user = user
        self.emit("signed_in", {"user": user})
        return user

    def _keep(self, pair: Mapping[str, Any]) -> None:
        renew_at = time.monotonic() + RENEW_AFTER * pair["expires_in"]
        self._access = _Access(pair["access_token"], renew_at)
        self.refresh_token = pair["refresh_token"]
        self.emit("tokens", {"access_token": pair["access_token"], "refresh_token": pair["refresh_token"]})

    async def _refresh(self) -> None:
        if self.refresh_token is None:
            self.end("expired")
            raise HereaboutsError("unauthorized", "nobody is signed in")
        body = {"refresh_token": self.refresh_token}
        try:
            pair = await self._exchange(body)
        except HereaboutsError as error:
            if error.code == "unauthorized":
                self.end("expired")
            raise
        if self.refresh_token == body["refresh_token"]:  # not signed out meanwhile, nor in as another
            self._keep(pair)

    async def _exchange(self, body: Mapping[str, Any]) -> Any:
        for _ in range(REFRESH_TRIES - 1):
            try:
                return await self._http.send("POST", "/auth/refresh", body=body, timeout=REFRESH_TIMEOUT)
            except HereaboutsError as error:
                if error.code != "timeout":
                    raise
        return await self._http.send("POST", "/auth/refresh", body=body, timeout=REFRESH_TIMEOUT)

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # told to those who wait; if nobody does, the next one asks again
