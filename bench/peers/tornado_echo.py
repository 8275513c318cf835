"""Tornado as it comes: sends each message back with `write_message`. Prints its port."""

import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


async def main() -> None:
    (listening,) = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([("/", Echo)])).add_sockets([listening])
    print(listening.getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
