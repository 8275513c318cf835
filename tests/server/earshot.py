"""People who stand somewhere and speak: what the tests of speech share."""

from __future__ import annotations

from typing import Any

from tests.harness import Person, Socket


async def stand(socket: Socket, x: float = 0, y: float = 0, **more: Any) -> None:
    await socket.ask("location_updated", type="update_location", x=x, y=y, **more)


async def at(person: Person, x: float = 0, y: float = 0, **more: Any) -> Socket:
    """A chat socket of somebody who stands there."""
    socket = await person.chat()
    await stand(socket, x, y, **more)
    return socket


async def say(socket: Socket, content: str = "hello", **more: Any) -> dict[str, Any]:
    return await socket.ask("speech_ack", type="say", content=content, **more)


async def read(person: Person, query: str = "") -> list[str]:
    """What somebody said or heard, newest first."""
    return [speech["content"] for speech in (await person.ok("GET", f"/chat/speech{query}"))["speech"]]


async def deaf(*sockets: Socket) -> None:
    """Holds if none of them has heard anything; whoever spoke has an acknowledgement."""
    for socket in sockets:
        await socket.quiet("speech")
