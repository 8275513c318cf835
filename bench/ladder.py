"""The ladder of people that a server of the living world is driven up, and where on it each server ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LADDER: Final = (25, 50, 100, 200, 400, 700, 1_000, 1_500, 2_000, 3_000)
START: Final = 100
FULL: Final = 0.97  # of the server's core: what comes on top only waits
TICK_MS: Final = 100.0


@dataclass(frozen=True)
class Step:
    """What the load says of so many people; `why` it is no figure, if the server could not take them at all."""

    people: int
    figures: Mapping[str, Any]
    why: str = ""

    @property
    def on_time(self) -> bool:
        return not self.why and self.figures["late_p99_ms"] < TICK_MS and self.figures["server_busy"] < FULL

    @property
    def cpu_ms(self) -> float:
        """The server's processor time for each person, a second."""
        return float(1000 * self.figures["server_busy"] / self.people)

    @property
    def kept(self) -> float:
        """The share of the time for which server or load waited for a core that somebody else had."""
        return float(max(self.figures["server_kept"], self.figures["load_kept"]))


class Climb:
    """One server's way up the ladder: its steps, and where it ended."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.steps: list[Step] = []

    def next(self) -> int | None:
        """How many people are to be tried now; less than at first, if they were too many."""
        if not self.steps:
            return START
        tried = [step.people for step in self.steps]
        if not any(step.on_time for step in self.steps):
            fewer = [people for people in LADDER if people < min(tried)]
            return fewer[-1] if fewer else None
        more = [people for people in LADDER if people > max(tried)]
        return more[0] if more and all(step.on_time for step in self.steps) else None

    def take(self, runs: Sequence[Step]) -> Step:
        """The run in the middle; a server that could not take the people in one of them does not hold them."""
        failed = [step for step in runs if step.why]
        ordered = failed or sorted(runs, key=lambda step: float(step.figures["late_p99_ms"]))
        self.steps.append(ordered[(len(ordered) - 1) // 2])
        self.steps.sort(key=lambda step: step.people)
        return ordered[(len(ordered) - 1) // 2]

    @property
    def limit(self) -> Step | None:
        return max((step for step in self.steps if step.on_time), key=lambda step: step.people, default=None)
