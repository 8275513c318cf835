"""How loud, and from where, those in earshot are heard."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from handlers.socket import SocketConnection
from server.services import voice as voice_service
from spatial.hearing import gain, pan
from tests.harness import Server
from tests.server.speakers import counted, speakers, ticks, two


async def test_gains_follow_the_positions(server: Server) -> None:
    """Falling with the distance, to the side of x; to each as they hear it, of their own links alone."""
    ann, bob, _ = await two(server)
    (far,) = await speakers(server, 50)
    loud = round(gain(3, 10), 3)
    assert await ann.signal.next("voice_gains") == {"type": "voice_gains", "gains": [[bob.id, loud, 1.0]]}
    assert await bob.signal.next("voice_gains") == {"type": "voice_gains", "gains": [[ann.id, loud, -1.0]]}
    await bob.stand(-4, 6)
    heard = (await ann.signal.next("voice_gains"))["gains"]
    assert heard == [[bob.id, round(gain(6, 10), 3), round(pan(-4, 6, 10), 3)]]
    await bob.stand(-11, 0)
    assert (await ann.signal.next("voice_gains"))["gains"] == [[bob.id, 0, -1]]
    await far.signal.quiet()


async def test_what_nobody_would_hear_is_not_told(server: Server) -> None:
    """Small steps are told when together they make a difference."""
    ann, bob, _ = await two(server)
    await ann.signal.next("voice_gains")
    for x in (3.01, 3.02, 3.03):
        await bob.stand(x)
        await ticks(server)
        await ann.signal.quiet("voice_gains")
    await bob.stand(3.5)
    await ann.signal.next("voice_gains")


async def test_gains_come_once_a_tick_and_replace_older_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often somebody moves; while a reader is behind, the newest takes the place of those that wait."""
    ann, bob, _ = await two(server)
    await ann.signal.next("voice_gains")
    keys: list[Hashable] = []
    send = SocketConnection.send

    def noted(self: SocketConnection, frame: bytes, key: Hashable | None = None) -> None:
        if b"voice_gains" in frame and self.user_id == ann.id:
            keys.append(key)
        send(self, frame, key)

    monkeypatch.setattr(SocketConnection, "send", noted)
    with counted(server) as looks:
        for number in range(60):
            await bob.stand(number % 10)
        await ticks(server)
    assert 1 <= len(keys) <= looks.call_count + 2
    assert set(keys) == {"voice_gains"} and voice_service.TICK_SECONDS >= 0.1


async def test_gains_come_again_to_who_comes_back(server: Server) -> None:
    """Though nobody has moved: a page that was reloaded knows of none."""
    ann, bob, _ = await two(server)
    told = await ann.signal.next("voice_gains")
    await ann.signal.close()
    ann.signal = await ann.person.signal()
    await ann.join()
    assert await ann.signal.next("voice_gains") == told
    await bob.signal.next("voice_gains")
    await ticks(server)
    await bob.signal.quiet("voice_gains")
    await bob.signal.ask("voice_peers", type="voice_leave")
    await bob.join()
    assert await ann.signal.next("voice_gains") == told
