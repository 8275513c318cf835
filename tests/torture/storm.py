"""A storm: everybody comes back at once, because the server was killed, terminated, or cut off from all.

`python -m tests.torture storm`. What is measured is the time until the last one has resumed its room, how
many were sent away and told when to come again, and how often the database was read for it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

from tests.journeys.process import Process
from tests.torture.crowd import READS, WRITES, Crowd, operations, served
from tests.torture.report import quantile
from tests.torture.resources import resident

CLIENTS: Final = 5_000
ROOM: Final = 100  # clients in each land
# All of them come from one address here, which elsewhere is a school at most.
ONE_ADDRESS: Final = (
    *("--connections-per-address", "20000"),
    *("--rest-rate", "20000", "--rest-burst", "50000"),
    *("--address-request-rate", "200000", "--address-request-burst", "1000000"),
)
RATE: Final = 20.0  # messages a second, all the time, in all lands: there is something to be replayed


async def run(folder: Path, clients: int, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A row for each way in which they can lose their connections."""
    lands = max(1, clients // ROOM)
    async with served(folder, clients, lands, *ONE_ADDRESS, *options, rate_limits=True) as (
        process,
        population,
    ):
        crowd = Crowd(process.port, population.tokens, population.lands)
        talking: asyncio.Task[None] | None = None
        try:
            await crowd.come()
            talking = asyncio.create_task(crowd.talk(crowd.clients[:lands], RATE))
            rows = []
            for name, lose in WAYS.items():
                await asyncio.sleep(2.0)  # messages flow
                rows.append(await _storm(name, lose, crowd, process, population.uri))
            return rows
        finally:
            if talking is not None:
                talking.cancel()
            crowd.close()


async def _storm(
    name: str, lose: Callable[[Crowd, Process], Awaitable[None]], crowd: Crowd, process: Process, uri: str
) -> dict[str, Any]:
    before = await asyncio.to_thread(operations, uri)
    crowd.forget()
    await lose(crowd, process)
    await crowd.all_ready()
    after = await asyncio.to_thread(operations, uri)
    spent = after - before
    last = max(crowd.back)
    first = min(crowd.back)
    return {
        "storm": name,
        "clients": len(crowd.clients),
        "seconds": round(last, 2),
        "first": round(first, 2),
        "p50": round(quantile(crowd.back, 0.5), 2),
        "rate": round(len(crowd.clients) / max(last - first, 0.01)),
        "sent_away": crowd.closes[1013] + crowd.closes[503],
        "restarting": crowd.closes[1012],
        "refused": crowd.refused,
        "reads": sum(spent[name] for name in READS),
        "writes": sum(spent[name] for name in WRITES),
        "commands": {name: count for name, count in spent.items() if count},
        "gaps": crowd.gaps,
        "errors": dict(crowd.errors),
        "resident": resident(process.process.pid),
    }


async def _kill(crowd: Crowd, process: Process) -> None:
    process.signal(signal.SIGKILL)
    await process.exit_code()
    crowd.since = monotonic()
    await process.start()


async def _terminate(crowd: Crowd, process: Process) -> None:
    process.signal(signal.SIGTERM)
    assert await process.exit_code() == 0, process.stderr.read_text()
    crowd.since = monotonic()
    await process.start()


async def _cut(crowd: Crowd, process: Process) -> None:
    crowd.since = monotonic()
    for client in crowd.clients:
        client.abort()


# From when the seconds count: the start of a new server, or the cut.
WAYS: Final[dict[str, Callable[[Crowd, Process], Awaitable[None]]]] = {
    "the network is cut": _cut,
    "the server is killed": _kill,
    "the server is terminated": _terminate,
}


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'':<26}{'first':>8}{'p50':>8}{'last':>8}{'a second':>10}{'1013':>8}{'1012':>8}{'reads':>8}{'gaps':>6}{'memory':>10}"
    ]
    lines += [
        f"{row['storm']:<26}{row['first']:>6.1f} s{row['p50']:>6.1f} s{row['seconds']:>6.1f} s{row['rate']:>10,}"
        f"{row['sent_away']:>8,}{row['restarting']:>8,}{row['reads']:>8,}{row['gaps']:>6,}{row['resident'] / 1e6:>7.0f} MB"
        for row in rows
    ]
    return "\n".join(lines)
