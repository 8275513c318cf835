"""What the server's process holds while it is tortured: memory and descriptors, and where they are going."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from tests.journeys.process import Process

EVERY_SECONDS: Final = 5.0
# A process that has just started is still growing into its work.
WARM_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    at: float  # seconds since its process was first sampled
    pid: int
    resident: int  # bytes
    descriptors: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Of the process that lived longest, without its first minute."""

    seconds: float
    resident: int  # bytes, at the end
    descriptors: int
    resident_slope: float  # bytes an hour
    descriptors_slope: float  # an hour


class Resources:
    def __init__(self, process: Process) -> None:
        self._process = process
        self.samples: list[Sample] = []

    async def sample(self) -> None:
        """Every few seconds, until cancelled."""
        began: dict[int, float] = {}
        while True:
            pid = self._process.process.pid
            at = monotonic() - began.setdefault(pid, monotonic())
            # Where it was killed a moment ago, the next sample is another's.
            with suppress(FileNotFoundError, ProcessLookupError, ValueError):
                self.samples.append(Sample(at, pid, resident(pid), descriptors(pid)))
            await asyncio.sleep(EVERY_SECONDS)

    def trend(self) -> Trend | None:
        """None where no process lived for long enough."""
        by_pid: dict[int, list[Sample]] = {}
        for sample in self.samples:
            if sample.at >= WARM_SECONDS:
                by_pid.setdefault(sample.pid, []).append(sample)
        longest = max(by_pid.values(), key=len, default=[])
        if len(longest) < 3:
            return None
        hours = [sample.at / 3600 for sample in longest]
        return Trend(
            longest[-1].at,
            longest[-1].resident,
            longest[-1].descriptors,
            slope(hours, [sample.resident for sample in longest]),
            slope(hours, [sample.descriptors for sample in longest]),
        )


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the straight line that fits best: least squares."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    square = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / square


def resident(pid: int) -> int:
    """Bytes in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no memory any more")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
