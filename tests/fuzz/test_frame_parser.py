"""The frame parser's fuzzer (`parse_frames.py`), in a process of its own: the coverage that it follows is one program's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.conftest import Budget

ROOT = Path(__file__).parents[2]
RUNS = 20_000  # of a round: two or three seconds
LEAST_COVERED = 60  # edges: some eighty in all are reached
# Where inputs that reached something new are kept, under `make fuzz`, to begin with the next time.
CORPUS = ROOT / ".fuzz"


def fuzz(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.parse_frames", "-print_final_stats=1", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")


def test_whatever_reaches_a_new_branch(budget: Budget, tmp_path: Path) -> None:
    """Nothing breaks it, and it has looked far: it knows most of the parser's branches by the end."""
    limit = [f"-max_total_time={budget.seconds:.0f}"] if budget.seconds else [f"-runs={RUNS}"]
    corpus = CORPUS if budget.seconds else tmp_path
    corpus.mkdir(exist_ok=True)
    done = fuzz(*limit, f"-artifact_prefix={tmp_path}/", str(corpus))
    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    assert runs and covered, done.stderr[-3000:]
    budget.count("frames' bytes, led by coverage", int(runs.group(1)))
    assert int(covered[-1]) >= LEAST_COVERED
