"""Slow readers: what the server holds for one, and for a thousand, who read nothing in a land in full flow.

`python -m tests.torture readers`. They are let go with 4008 in the end, come back and miss nothing; what the
others of the room notice is the time that a message takes to them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from time import time_ns
from typing import Any, Final

from tests.journeys.process import Process
from tests.torture.crowd import PATIENCE, Crowd, Light, served
from tests.torture.report import quantile
from tests.torture.resources import resident

STALLED: Final = (0, 1, 1_000)
OTHERS: Final = 50  # who read, in the same land
RATE: Final = 100.0  # messages a second
LENGTH: Final = 2_000  # characters of each
QUIET_SECONDS: Final = 5.0  # of flow that is measured where nobody stalls
SAMPLE_SECONDS: Final = 0.1


async def run(folder: Path, counts: Sequence[int] = STALLED) -> list[dict[str, Any]]:
    """A row for each number of stalled readers, each on a server of its own."""
    return [await _measure(folder / str(count), count) for count in counts]


async def _measure(folder: Path, count: int) -> dict[str, Any]:
    async with served(folder, count + OTHERS, 1, rate_limits=False) as (process, population):
        crowd = Crowd(process.port, population.tokens, population.lands)
        stalled, others = crowd.clients[:count], crowd.clients[count:]
        delays: list[float] = []

        def heard(client: Light, event: dict[str, Any]) -> None:
            if not client.stalled and client in reading:
                delays.append((time_ns() - int(event["content"].split()[0])) / 1e9)

        reading = set(others)
        talking: asyncio.Task[None] | None = None
        try:
            await crowd.come()
            pid = process.process.pid
            before = peak = resident(pid)
            crowd.forget()
            crowd.on_message = heard
            talking = asyncio.create_task(crowd.talk(others, RATE, LENGTH))
            for client in stalled:
                client.stall()

            async def watch() -> None:
                nonlocal peak
                while True:
                    peak = max(peak, resident(pid))
                    await asyncio.sleep(SAMPLE_SECONDS)

            watching = asyncio.create_task(watch())
            if stalled:
                await _all_let_go(process, count)
            else:
                await asyncio.sleep(QUIET_SECONDS)
            watching.cancel()
            crowd.on_message = lambda client, event: None
            for client in stalled:
                client.read_on()
            await crowd.all_ready()
            return {
                "stalled": count,
                "others": OTHERS,
                "before": before,
                "peak": peak,
                "after": resident(pid),
                "p50": round(quantile(delays, 0.5), 4),
                "p99": round(quantile(delays, 0.99), 4),
                "let_go": await _let_go(process),
                "gaps": crowd.gaps,
                "messages": len(delays) // OTHERS,
            }
        finally:
            if talking is not None:
                talking.cancel()
            crowd.close()


async def _all_let_go(process: Process, count: int) -> None:
    """Until the server has closed so many with 4008."""
    async with asyncio.timeout(PATIENCE):
        while await _let_go(process) < count:
            await asyncio.sleep(SAMPLE_SECONDS)


async def _let_go(process: Process) -> int:
    answer = await process.fetch("GET", f"{process.origin}/metrics")
    found = re.search(r'^hereabouts_closes_total\{code="4008"\} (\d+)', answer.body.decode(), re.MULTILINE)
    return int(found[1]) if found else 0


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'stalled':>8}{'before':>10}{'peak':>10}{'after':>10}{'others p50':>12}{'p99':>10}{'4008':>7}{'gaps':>6}"
    ]
    lines += [
        f"{row['stalled']:>8,}{row['before'] / 1e6:>7.0f} MB{row['peak'] / 1e6:>7.0f} MB{row['after'] / 1e6:>7.0f} MB"
        f"{row['p50'] * 1000:>9.1f} ms{row['p99'] * 1000:>7.1f} ms{row['let_go']:>7,}{row['gaps']:>6,}"
        for row in rows
    ]
    return "\n".join(lines)
