"""Signing up, in and out; passwords; the end of an account.

Password hashing (Argon2id) runs in a few threads of its own, so that fifty logins at once queue
up there and not in the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.addresses import limited_as
from server.clock import DAY_MS, Clock
from server.errors import ApiError, conflict, crowded, forbidden, not_found, unauthorized
from server.ids import digest, new_id, new_secret
from server.limits import SignInThrottle
from server.logs import log
from server.passwords import check_new
from server.protocol import rest
from server.protocol.shapes import TokenPairShape
from server.security import SecurityLog
from server.settings import Settings
from server.views import user_shape
from storage.errors import Duplicate, RefreshTokenReused, RefreshTokenUnknown, StorageError
from storage.logins import Logins
from storage.records import Login, User
from storage.users import Users, username_key

if TYPE_CHECKING:
    from server.services.bans import Bans
    from server.services.people import People
    from server.services.tokens import Claims, Tokens

REFRESH_GRACE_MS: Final = 10_000  # the answer to a refresh may be lost on its way


class Accounts:
    """Users, their passwords and their logins."""

    def __init__(
        self,
        settings: Settings,
        users: Users,
        logins: Logins,
        people: People,
        tokens: Tokens,
        bans: Bans,
        clock: Clock,
        security: SecurityLog,
    ) -> None:
        self._users = users
        self._logins = logins
        self._people = people
        self._tokens = tokens
        self._bans = bans
        self._clock = clock
        self._security = security
        self._throttled = settings.rate_limits
        self._most_waiting = settings.sign_ins_waiting
        self._waiting = {"sign-ins": 0, "refreshes": 0}
        self._tries = SignInThrottle(
            settings.account_login_burst, settings.address_login_burst, settings.login_delay
        )
        self._refresh_ms = settings.refresh_days * DAY_MS
        # 19 MiB, two passes, one lane: OWASP's recommendation for Argon2id.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(settings.password_workers, thread_name_prefix="password")
        self._nobody = self._hasher.hash(new_secret())
        # Told of a login's end, so that its sockets close; set by the app.
        self.on_login_ended: Callable[[str], None] = lambda login_id: None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def queue(self, what: Literal["sign-ins", "refreshes"]) -> Iterator[None]:
        """To be held by whoever signs somebody in. `unavailable`, before anything is done, behind too many others."""
        if self._throttled and self._waiting[what] >= self._most_waiting:
            raise crowded(what)
        self._waiting[what] += 1
        try:
            yield
        finally:
            self._waiting[what] -= 1

    async def register(self, body: rest.Register, address: str) -> TokenPairShape:
        self._check_passwords_kept()
        check_new(body.password, body.username)
        user = User(
            id=new_id(),
            username=body.username,
            display_name=body.display_name or body.username,
            password_hash=await self._hash(body.password),
            created_at=self._clock.now(),
        )
        try:
            await self._users.insert(user)
        except Duplicate:
            raise conflict("this username is taken") from None
        return await self._sign_in(user, "signed_up", address)

    async def login(self, body: rest.Login, address: str) -> TokenPairShape:
        self._check_passwords_kept()
        self._begin_try(body.username, address)
        user = await self._users.by_username(body.username)
        # An unknown name costs the same work as a wrong password: time tells nothing.
        if not await self._matches(body.password, user) or user is None:
            self._security.refused("sign_in_refused", address, user_id=user.id if user else None)
            raise unauthorized("the username or the password is wrong")
        self._end_try(body.username, address)
        self._check_ban(user.id, address, "sign-in")
        return await self._sign_in(user, "signed_in", address)

    async def _sign_in(self, user: User, event: str, address: str) -> TokenPairShape:
        login = Login(new_id(), user.id, self._clock.now())
        refresh_token = new_secret()
        await self._logins.create(login, digest(refresh_token), self._clock.now() + self._refresh_ms)
        self._security.tell(event, user_id=user.id, login_id=login.id, address=address)
        return self._pair(user, login, refresh_token)

    def _pair(self, user: User, login: Login, refresh_token: str) -> TokenPairShape:
        return {
            "user": user_shape(user),
            "access_token": self._tokens.issue(user.id, login.id),
            "token_type": "bearer",
            "expires_in": self._tokens.seconds,
            "refresh_token": refresh_token,
        }

    async def refresh(self, body: rest.Refresh, address: str) -> TokenPairShape:
        self._check_passwords_kept()
        used, fresh = digest(body.refresh_token), new_secret()
        now = self._clock.now()
        try:
            login = await self._logins.rotate(
                used,
                digest(fresh),
                now=now,
                grace_ms=REFRESH_GRACE_MS,
                expires_at=now + self._refresh_ms,
            )
        except RefreshTokenUnknown:
            self._security.refused("refresh_refused", address)
            raise unauthorized("the refresh token is not valid") from None
        except RefreshTokenReused as error:
            self._security.tell("refresh_reused", login_id=error.login_id, address=address)
            await self.end_login(error.login_id)
            raise unauthorized("the refresh token was used before; sign in again") from None
        self._check_ban(login.user_id, address, "refresh")
        pair = self._pair(await self._people.get(login.user_id), login, fresh)
        try:
            await self._logins.used(used, now=now)
        except StorageError as error:
            # The new pair is good. The old token is used up when the new one is.
            log.warning("refresh_token_not_used_up", login_id=login.id, error=str(error))
        return pair

    async def log_out(self, claims: Claims, address: str) -> None:
        await self.end_login(claims.login_id)
        self._security.tell("signed_out", user_id=claims.user_id, login_id=claims.login_id, address=address)

    async def end_login(self, login_id: str) -> None:
        until = self._tokens_gone_by()
        await self._logins.end(login_id, now=self._clock.now(), keep_until=until)
        self._forget_login(login_id, until)

    async def _end_all(self, user_id: str, *, keep: str | None = None) -> int:
        """How many there were."""
        until = self._tokens_gone_by()
        ended = await self._logins.end_all(user_id, now=self._clock.now(), keep_until=until, keep=keep)
        for login_id in ended:
            self._forget_login(login_id, until)
        return len(ended)

    def _forget_login(self, login_id: str, until: int) -> None:
        self._tokens.end_login(login_id, until)
        self.on_login_ended(login_id)

    def _tokens_gone_by(self) -> int:
        # A provider's tokens may live longer than ours; a day covers what providers issue.
        return self._clock.now() + (DAY_MS if self._tokens.from_provider else self._tokens.seconds * 1000)

    async def change_password(self, claims: Claims, body: rest.ChangePassword, address: str) -> None:
        self._check_passwords_kept()
        user_id = claims.user_id
        user = await self._users.get(user_id)
        username = (user and user.username) or ""
        check_new(body.new, username)
        self._begin_try(username, address)
        if not await self._matches(body.old, user):
            self._security.refused("password_change_refused", address, user_id=user_id)
            raise forbidden("the old password is wrong")
        self._end_try(username, address)
        await self._people.change(user_id, password_hash=await self._hash(body.new))
        ended = await self._end_all(user_id, keep=claims.login_id)
        self._security.tell("password_changed", user_id=user_id, address=address, logins_ended=ended)

    async def end_every_login(self, claims: Claims) -> None:
        """All of a user's, and the one that asks: a provider's token belongs to no login of ours."""
        await self._end_all(claims.user_id)
        self._forget_login(claims.login_id, self._tokens_gone_by())

    async def erase(self, claims: Claims) -> None:
        """The name, the password and the blocks go; the id stays, so that messages keep a place.

        A provider's other tokens live on: until they have run out, their subject is refused, or the
        next request of a forgotten device would make the account anew.
        """
        if claims.subject is not None:
            until = max(self._tokens_gone_by(), claims.expires_at)
            await self._users.bar(digest(claims.subject), keep_until=until)
        await self._users.erase(claims.user_id)
        self._people.forget(claims.user_id)

    async def identify(self, claims: Claims) -> Claims:
        """Turns a provider's subject into a user of ours, made at first sight. Raises Banned."""
        if claims.subject is not None:
            claims = await self._identify(claims, claims.subject)
        self._bans.check(claims.user_id)
        return claims

    async def _identify(self, claims: Claims, subject: str) -> Claims:
        user = await self._users.by_subject(subject)
        if user is None and await self._users.is_barred(digest(subject), now=self._clock.now()):
            raise unauthorized("this account is deleted")
        for attempt in range(20):
            if user is not None:
                break
            user = await self._meet(claims, attempt)
        if user is None:
            raise conflict("no free username could be found for this person")
        return replace(claims, user_id=user.id)

    async def _meet(self, claims: Claims, attempt: int) -> User | None:
        assert claims.subject is not None
        name = _as_username(claims.name or "", claims.subject)
        if attempt:
            name = f"{name[:26]}-{new_id()[-5:]}"
        display = (claims.name or name)[:64]
        user = User(new_id(), name, display, None, self._clock.now(), subject=claims.subject)
        try:
            await self._users.insert(user)
        except Duplicate as error:
            return await self._users.by_subject(claims.subject) if error.field == "subject" else None
        return user

    def _check_passwords_kept(self) -> None:
        if self._tokens.from_provider:
            raise not_found("route: an identity provider signs people in")

    def _check_ban(self, user_id: str, address: str, over: str) -> None:
        try:
            self._bans.check(user_id)
        except ApiError:
            self._security.refused("banned_refused", address, user_id=user_id, over=over)
            raise

    def _begin_try(self, username: str, address: str) -> None:
        """To be called before a password is looked at; `_end_try` after, if it was right."""
        if not self._throttled:
            return
        wait, by = self._tries.begin(_account(username), limited_as(address), self._clock.monotonic())
        if wait:
            self._security.refused("sign_in_throttled", address, by=by)
            raise ApiError(
                "rate_limited", f"too many wrong passwords for this {by}", retry_after=round(wait, 3)
            )

    def _end_try(self, username: str, address: str) -> None:
        if self._throttled:
            self._tries.succeeded(_account(username), limited_as(address), self._clock.monotonic())

    async def _hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def _matches(self, password: str, user: User | None) -> bool:
        stored = user.password_hash if user and user.password_hash else self._nobody

        def verify() -> bool:
            try:
                return self._hasher.verify(stored, password)
            except (VerificationError, InvalidHashError):
                return False

        matches = await asyncio.get_running_loop().run_in_executor(self._threads, verify)
        return matches and stored is not self._nobody


def _account(username: str) -> str:
    """What tries are counted under, whether there is such an account or not: one for all spellings that are
    one name to the store. A digest, since a password may be typed there."""
    return digest(username_key(username)).hex()


def _as_username(name: str, subject: str) -> str:
    """A provider's name made to fit ours: foreign characters become `-`, too short ones a piece of the subject."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "-" for c in name).strip("-")[:32]
    return kept if len(kept) >= 3 else f"user-{digest(subject).hex()[:8]}"
