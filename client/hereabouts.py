"""One object for one person at one server: who is signed in, the REST calls, the two sockets."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from client.api import Api
from client.auth import Auth, User
from client.chat import ChatSocket
from client.http import Http
from client.signaling import SignalSocket


class Hereabouts:
    """To be used with `async with`, which closes the connections at its end; the login stays valid."""

    def __init__(self, origin: str) -> None:
        """`origin` of the server: `https://world.example`. Where a loop runs."""
        root = f"{origin.rstrip('/')}/api/v1"
        sockets = root.replace("http", "ws", 1)
        self._http = Http(root)
        self.auth = Auth(self._http)
        self.api = Api(self._http, self.auth)
        self.chat = ChatSocket(f"{sockets}/ws/connect", self.auth, self.api)
        self.signal = SignalSocket(f"{sockets}/webrtc/signal", self.auth)
        self.auth.on("signed_in", lambda _: self.chat.open())
        self.auth.on("signed_out", lambda _: self._close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        await self.chat.ended()
        await self.signal.ended()
        self._http.close()

    @property
    def user(self) -> User | None:
        """Who is signed in."""
        return self.auth.user

    def retry_now(self) -> None:
        """The network is back, or the user asks: waiting sockets try at once."""
        self.chat.retry_now()
        self.signal.retry_now()

    def _close(self) -> None:
        self.chat.close()
        self.signal.close()
