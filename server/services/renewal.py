"""What keeps a connection going: pings of the client's own, and a fresh token before the old one runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.clock import Clock, rfc3339
from server.errors import unauthorized
from server.hub import Connection
from server.protocol import requests

if TYPE_CHECKING:
    from server.services.accounts import Accounts
    from server.services.tokens import Tokens


class Renewal:
    """Serves both sockets."""

    def __init__(self, tokens: Tokens, accounts: Accounts, clock: Clock) -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._clock = clock

    async def ping(self, connection: Connection, request: requests.Ping) -> None:
        connection.answer({"type": "pong", "server_time": rfc3339(self._clock.now())}, request.ref)

    async def renew(self, connection: Connection, request: requests.RenewToken) -> None:
        claims = await self._accounts.identify(self._tokens.verify(request.access_token))
        if claims.user_id != connection.user_id:
            raise unauthorized("this token is another user's")
        # Verified anew: the login may have ended while the user was looked up.
        self._tokens.check_login(claims)
        connection.expires_at = claims.expires_at
        connection.login_id = claims.login_id
        connection.answer({"type": "token_renewed", "expires_at": rfc3339(claims.expires_at)}, request.ref)
