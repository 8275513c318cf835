"""A TCP proxy that loses what a test tells it to: the network between two machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Proxy:
    """Passes everything on until told otherwise.

    `lose_requests`: what is sent does not arrive. `lose_answers`: it arrives, and what it is answered
    does not come back. Either way the sender hears nothing until its deadline. `delay`: seconds that
    each answer takes longer. `freeze`: connections of before lead nowhere, new ones are as good as ever.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.lose_requests = False
        self.lose_answers = False
        self.delay = 0.0
        self._frozen: set[asyncio.StreamWriter] = set()
        self._streams: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """The URI of a mongod behind it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def pass_on(self) -> None:
        """Loses nothing any more. Connections are closed, as half a message may be out on them."""
        self.lose_requests = self.lose_answers = False
        self.cut()

    def freeze(self) -> None:
        self._frozen.update(self._streams)

    def cut(self) -> None:
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._streams.append(writer)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._streams.append(up_writer)
            await asyncio.gather(
                self._pump(reader, up_writer, lambda: self.lose_requests),
                self._pump(up_reader, writer, lambda: self.lose_answers, lambda: self.delay),
            )
        except asyncio.CancelledError:
            return  # stopped
        finally:
            writer.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lost: Callable[[], bool],
        delay: Callable[[], float] = float,
    ) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(delay())
                if not lost() and writer not in self._frozen:
                    writer.write(data)
        except ConnectionError:
            return
        finally:
            writer.close()
