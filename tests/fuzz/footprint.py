"""What a server holds for its clients, counted from outside and inside: before and after, it has to be the same."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections import Counter
from functools import partial
from time import monotonic

from tornado.ioloop import IOLoop

from tests.harness import PATIENCE, Server

# Of these there is one for each socket or request.
PASSING = frozenset({"Call", "FrameParser", "Outbox", "RestHandler", "Socket", "SocketConnection", "Wire"})
# What the driver's pool of connections may grow by, and the test's own keep-alives.
OTHERS_DESCRIPTORS = 40


def of(server: Server) -> dict[str, int]:
    node = server.app.node
    gc.collect()
    kinds = Counter(
        type(thing).__name__
        for thing in gc.get_objects()
        if type(thing).__name__ in PASSING and type(thing).__module__.startswith(("handlers.", "server."))
    )
    return {
        "chat connections": node.chat.connection_count,
        "signal connections": node.signal.connection_count,
        "users": node.chat.user_count,
        "rooms": node.chat.room_count,
        "positions": len(node.proximity),
        **{f"calls {state}": count for state, count in node.calls.stats().items()},
        "requests under way": node.requests_under_way,
        "messages to be written": node.store.writer.pending,
        "bytes for slow readers": sum(each.backlog for hub in (node.chat, node.signal) for each in hub),
        "open wires": len(server.app._wires.open),
        "descriptors": len(os.listdir("/dev/fd")),
        **{f"objects {kind}": kinds[kind] for kind in PASSING},
    }


def settles_at(server: Server, io_loop: IOLoop, before: dict[str, int]) -> None:
    """Waits until the server holds what it held before, and no more. Garbage is collected between the loop's turns."""
    until = monotonic() + PATIENCE
    while left := grown(before, of(server)):
        assert monotonic() < until, f"left behind (before, after): {left}"
        io_loop.run_sync(partial(asyncio.sleep, 0.1))


def is_idle(server: Server, io_loop: IOLoop) -> None:
    """Waits until nothing of any client is held; descriptors are the process's too."""
    settles_at(server, io_loop, dict.fromkeys(of(server), 0) | {"descriptors": 100_000})


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    before = before | {"descriptors": before["descriptors"] + OTHERS_DESCRIPTORS}
    return {name: (before[name], count) for name, count in after.items() if count > before[name]}


def memory_mb() -> float:
    """The most that this process has held at once; the system gives KiB, macOS bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if most < 2**31 else most / 2**20
