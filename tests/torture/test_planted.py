"""The checker is checked: each planted bug is found, by a torture that has the fault that it takes.

A patch of `planted/` is applied to a copy of the source, which then runs. Where one does not apply any more,
it has to follow the code.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.journeys.process import ROOT
from tests.torture import faults, report
from tests.torture.network import Mode
from tests.torture.torture import Outcome, Plan, Torture

PLANTED = Path(__file__).parent / "planted"
SOURCE = ("client", "server", "handlers", "storage", "spatial", "static", "run.py")
# Quick talk: what a fault of a second can break is under way at any moment of it.
RATE = 60.0
PAGES = 100  # of 5 KB each: more than the kernel and an outbox hold

pytestmark = pytest.mark.gen_test(timeout=90)
NewSource = Callable[[str], Path]


@pytest.fixture
def new_source(tmp_path: Path) -> NewSource:
    """A copy of the source with a patch applied."""

    def make(name: str) -> Path:
        copy = tmp_path / "source"
        copy.mkdir()
        for each in SOURCE:
            if (ROOT / each).is_dir():
                shutil.copytree(ROOT / each, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / each, copy / each)
        patch = PLANTED / f"{name}.patch"
        done = subprocess.run(
            ["patch", "--strip=1", "--forward", "--fuzz=3", f"--input={patch}"],
            cwd=copy,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{patch.name} has to follow the code: {done.stdout}{done.stderr}"
        return copy

    return make


async def tortured(plan: Plan, folder: Path, script: Callable[[Torture], Awaitable[None]]) -> Outcome:
    """The script is played once messages flow."""
    async with Torture(plan, folder) as torture:

        async def when_it_flows() -> None:
            await torture.wait(lambda: torture.history.counts["Acknowledged"] > 100)
            await script(torture)

        return await torture.play(when_it_flows)


def planted(root: Path, **more: object) -> Plan:
    return Plan(seconds=0, people=6, rate=RATE, churn=False, root=root, **more)  # type: ignore[arg-type]


def found(outcome: Outcome, kind: str) -> bool:
    """Whether there is a violation of this kind; they are printed, for when there is not."""
    print(report.evidence(outcome.violations))
    return any(violation.kind == kind for violation in outcome.violations)


async def test_acknowledged_before_the_write(new_source: NewSource, tmp_path: Path) -> None:
    """Killed with writes under way, the database lacks what was acknowledged."""

    async def script(torture: Torture) -> None:
        await torture.faults.happen(faults.BOTH_KILLED, 0.0)

    plan = planted(new_source("acknowledge_before_write"))
    assert found(await tortured(plan, tmp_path / "torture", script), "lost")


async def test_no_unique_index(new_source: NewSource, tmp_path: Path) -> None:
    """Where acknowledgements do not arrive, messages are sent again, and stored twice."""

    async def script(torture: Torture) -> None:
        await torture.faults.happen(faults.HALF_OPEN, 2.0, list(torture.network))

    plan = planted(new_source("no_unique_index"))
    assert found(await tortured(plan, tmp_path / "torture", script), "doubled")


async def test_resume_off_by_one(new_source: NewSource, tmp_path: Path) -> None:
    """Who was away for a moment comes back without the first message of it."""

    async def script(torture: Torture) -> None:
        clients = list(torture.network)
        await torture.faults.happen(faults.CUT, 2.0, clients[: len(clients) // 2])

    plan = planted(new_source("resume_off_by_one"))
    assert found(await tortured(plan, tmp_path / "torture", script), "incomplete")


async def test_sequence_without_its_lock(new_source: NewSource, tmp_path: Path) -> None:
    """While the database stands still two commits wait for it, with the same numbers."""

    async def script(torture: Torture) -> None:
        await torture.faults.happen(faults.MONGOD_STOPPED, 1.0)

    plan = planted(new_source("sequence_without_lock"))
    assert found(await tortured(plan, tmp_path / "torture", script), "doubled")


async def test_an_outbox_that_drops(new_source: NewSource, tmp_path: Path) -> None:
    """Readers who stall, and are not let go, do not see what was said last. (A client that is told a later
    message sees the gap and fills it: so nobody speaks after it.)"""

    async def script(torture: Torture) -> None:
        torture.hush()
        land, devices = torture.world.lands[0], torture.world.devices
        inside = [device for device in devices if land in device.rooms]
        stalled, speaker = inside[1:], inside[0]
        await torture.settle(devices)
        for device in stalled:
            torture.network[device.name].mode = Mode.STALLED
        for _ in range(PAGES):
            speaker.say(land, 4_000)
        await torture.settle([speaker])

    plan = planted(
        new_source("outbox_drops"),
        # A client must not think that the connection is dead, and resume.
        options=("--buffer-bytes", "8192", "--heartbeat-seconds", "30"),
    )
    assert found(await tortured(plan, tmp_path / "torture", script), "missed")
