"""One torture: a server as `run.py` has it, people who talk, faults, healing, and the judgement.

`Torture` owns the order of things; what the result says is `report`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from tests.journeys.process import ROOT, Process
from tests.torture.checker import Violation, check
from tests.torture.faults import NETWORK_FAULTS, PAUSE, PROCESS_FAULTS, Faults, Span
from tests.torture.history import History
from tests.torture.network import Network
from tests.torture.people import Device
from tests.torture.resources import Resources
from tests.torture.world import World

EVERY_FAULT: Final = (*PROCESS_FAULTS, *NETWORK_FAULTS)
# What the server runs with: deadlines and buffers small enough that a fault of seconds passes them. Tokens outlive
# a run: a refresh whose answer is lost for more than ten seconds ends the login, which is another matter.
OPTIONS: Final = (
    *("--storage-timeout", "2", "--heartbeat-seconds", "4", "--buffer-bytes", "32768"),
    *("--token-seconds", "86400", "--offline-seconds", "0.5"),
)
# After the healing: a 1012 sends up to 10 s away, a refusal up to a few.
SETTLE_SECONDS: Final = 90.0
# All is acknowledged, and given to whoever was there: what was in doubt is looked into within a second.
QUIET_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seconds: float
    seed: int = 1
    people: int = 12
    rate: float = 50.0  # messages a second, of all together
    kinds: Sequence[str] = EVERY_FAULT
    pause: Span = PAUSE  # between two faults
    churn: bool = True
    options: Sequence[str] = ()  # of the server, besides `OPTIONS`
    root: Path = ROOT  # of the source that runs


@dataclass(slots=True)
class Outcome:
    """What came of it: the history, what is wrong with it, and how the server's resources went."""

    plan: Plan
    history: History
    resources: Resources
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0
    restarts: int = 0


class Torture:
    """`async with` it: at its end nothing of it runs any more."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """`folder` gets the server's data, what it printed, and the history."""
        folder.mkdir(parents=True, exist_ok=True)
        self.plan = plan
        self.folder = folder
        random = Random(plan.seed)
        self.history = History(folder / "history.jsonl")
        self.process = Process(folder / "data", *OPTIONS, *plan.options)
        self.process.root = plan.root
        self.network = Network()
        self.faults = Faults(self.process, self.network, self.history, Random(random.random()))
        self.world = World(self.process, self.network, self.history, Random(random.random()))
        self.outcome = Outcome(plan, self.history, Resources(self.process))
        self._going = True
        self._talking: list[asyncio.Task[None]] = []
        self._talkers: set[Device] = set()

    async def __aenter__(self) -> Torture:
        await self.faults.start()
        await self.world.make(self.plan.people)
        await self.settle(self.world.devices)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._going = False
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        with suppress(TimeoutError):  # of a server that does not answer any more
            async with asyncio.timeout(POLL_SECONDS * 100):
                await asyncio.gather(*(device.close() for device in self.world.devices))
        await self.network.stop()
        await self.process.kill()
        self.history.close()

    async def run(self) -> Outcome:
        """Faults for as long as the plan says, then healing, then the judgement."""
        end = monotonic() + self.plan.seconds

        def going() -> bool:
            return self._going and monotonic() < end

        return await self.play(lambda: self.faults.storm(self.plan.kinds, going, self.plan.pause))

    async def play(self, script: Callable[[], Awaitable[None]]) -> Outcome:
        """People talk, come and go while the script is played; then healing, and the judgement."""
        started = monotonic()
        sampling = asyncio.create_task(self.outcome.resources.sample())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._talk())
                if self.plan.churn:
                    group.create_task(self.world.churn(lambda: self._going))
                await script()
                self.hush()
            self.outcome.seconds = monotonic() - started
        finally:
            sampling.cancel()
        await self._judge()
        return self.outcome

    def hush(self) -> None:
        """Nobody says anything more, comes or goes."""
        self._going = False

    async def settle(self, devices: Iterable[Device]) -> None:
        """Waits until all that these have sent is acknowledged, or given up."""
        some = list(devices)
        await self.wait(lambda: all(device.settled for device in some), SETTLE_SECONDS)

    async def _talk(self) -> None:
        """Everybody talks, those who come later too."""
        while self._going:
            for device in self.world.devices:
                if device not in self._talkers:
                    self._talkers.add(device)
                    talking = device.talk(self._pause, lambda: self._going)
                    self._talking.append(asyncio.create_task(talking))
            await asyncio.sleep(POLL_SECONDS)

    def _pause(self) -> float:
        return max(1, len(self.world.devices)) / self.plan.rate

    async def _judge(self) -> None:
        """Heals what is broken, waits until everybody is back and everything has settled, and checks."""
        self.network.heal()
        await self.settle(self.world.devices)
        await self._until_quiet()
        await self.world.read_store()
        self.outcome.restarts = self.faults.restarts
        self.outcome.violations = await asyncio.to_thread(check, self.history.records)

    async def wait(self, condition: Callable[[], bool], seconds: float = SETTLE_SECONDS) -> None:
        """Or for so many seconds: what has not come by then is the checker's to find."""
        deadline = monotonic() + seconds
        while not condition() and monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)

    async def _until_quiet(self) -> None:
        """Until nothing more has come to anybody for a while."""
        deadline = monotonic() + SETTLE_SECONDS
        records, since = -1, monotonic()
        while monotonic() < min(deadline, since + QUIET_SECONDS):
            if len(self.history.records) != records:
                records, since = len(self.history.records), monotonic()
            await asyncio.sleep(POLL_SECONDS)
