"""The bodies of requests: read piece by piece, and no further than they may be long.

Tornado by itself answers a body above its bound with a bare 400, or hangs up on a client that is still
writing, whose system then throws the answer away unread.
"""

from __future__ import annotations

import sys
from typing import Final

from tornado.http1connection import HTTP1Connection
from tornado.web import stream_request_body

from handlers.base import Base
from server.errors import ApiError
from server.node import Node

# Of a body that is refused, how much is read off while the client still writes.
READ_OFF_BYTES: Final = 16_777_216


@stream_request_body
class BodyHandler(Base):
    """A handler whose `body` is whole when its method runs, and never above the setting `body_bytes`.

    Its methods begin with `if self.is_refused(): return`.
    """

    def initialize(self, node: Node) -> None:
        super().initialize(node)
        self.body = bytearray()
        self._received = 0
        self._refused = False

    def prepare(self) -> None:
        assert isinstance(self.request.connection, HTTP1Connection)
        self.request.connection.set_max_body_size(sys.maxsize)  # we count ourselves
        try:
            announced = int(self.request.headers.get("Content-Length", "0"))
        except ValueError:
            announced = 0  # Tornado refuses what is no number, and we what is too much when it comes
        self._check(announced)

    def data_received(self, chunk: bytes) -> None:
        self._received += len(chunk)
        self._check(self._received)
        if not self._refused:
            self.body += chunk
        elif self._received > READ_OFF_BYTES:
            self.finish()

    def is_refused(self) -> bool:
        """Ends what was refused before: by now all of it is read off."""
        if self._refused and not self._finished:
            self.finish()
        return self._refused

    def _check(self, size: int) -> None:
        most = self.node.settings.body_bytes
        if size <= most or self._refused:
            return
        self._refused = True
        self.body.clear()
        error = ApiError("too_large", f"expected a body of {most} bytes at most")
        try:
            self.node.quotas.admit(self.address, sign_in=False)
        except ApiError as limited:
            self.refuse(limited)  # and hang up
            return
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection)
        connection._disconnect_on_finish = True  # Tornado then says so in the headers
        answer = self.refusal(error)
        if "Expect" in self.request.headers:
            self.finish(answer)  # nothing comes, as nobody told it to
            return
        # Said now, for a client that looks before it has sent all; finished when the body is over.
        self.set_header("Content-Length", str(len(answer)))
        self.write(answer)
        self.flush()
