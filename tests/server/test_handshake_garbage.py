"""What a connection leaves behind: with reference counts alone it is gone, since cycles are looked for seldom."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Person, Server


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """What the collector finds in what has come since, once `gc.collect` is called."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def handshake(server: Server, person: Person) -> asyncio.StreamWriter:
    """A client without any library, whose own cycles would be counted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.app.port)
    lines = [
        f"GET /api/v1/ws/connect?token={person.token} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    writer.write("\r\n".join([*lines, "\r\n"]).encode())
    received = b""
    while b'"connected"' not in received:
        received += await reader.read(4096)
    return writer


def left_by(garbage: list[Any], *packages: str) -> list[str]:
    """Other tests leave garbage too: a driver's thread may end late."""
    gc.collect()
    return [
        type(thing).__qualname__ for thing in garbage if type(thing).__module__.partition(".")[0] in packages
    ]


async def test_a_handshake_leaves_no_cycles(server: Server, garbage: list[Any]) -> None:
    """The handler, the request and all that HTTP needed go when the socket is ours."""
    (first, *others) = await server.people(6)
    writers = [await handshake(server, first)]
    gc.collect()
    garbage.clear()
    writers += [await handshake(server, person) for person in others]
    assert left_by(garbage, "handlers", "server", "tornado") == []
    for writer in writers:
        writer.close()


async def test_a_connection_leaves_no_cycles(server: Server, garbage: list[Any]) -> None:
    """Nor does one that ends."""
    people = await server.people(6)
    hub = server.app.node.chat

    async def come_and_go(person: Person) -> None:
        writer = await handshake(server, person)
        writer.close()
        await writer.wait_closed()
        while hub.is_online(person.id):
            await asyncio.sleep(0.01)

    await come_and_go(people[0])
    gc.collect()
    garbage.clear()
    for person in people[1:]:
        await come_and_go(person)
    assert left_by(garbage, "handlers", "server") == []
