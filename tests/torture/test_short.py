"""Nothing acknowledged is ever lost: every kind of fault, once, in half a minute. `make torture` has more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import report
from tests.torture.torture import EVERY_FAULT, Plan, Torture


@pytest.mark.gen_test(timeout=240)
async def test_half_a_minute_of_every_fault(tmp_path: Path) -> None:
    """Processes killed and stopped, networks broken, readers stalled: the checker finds nothing."""
    plan = Plan(seconds=0, people=6)
    async with Torture(plan, tmp_path) as torture:
        outcome = await torture.play(lambda: torture.faults.round(EVERY_FAULT, (0.2, 1.0)))
    found = report.figures(outcome)
    assert not outcome.violations, report.evidence(outcome.violations)
    assert found["faults"] == dict.fromkeys(EVERY_FAULT, 1)
    assert found["stored"] >= found["acknowledged"] > 100
