"""`python -m tests.torture --seconds 120 --seed 1`: the torture, its table, and exit code 1 on a violation.

`storm` and `readers` measure what thousands of light clients do to it; `check FILE` judges the history of
an earlier run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import uvloop

from tests.torture import readers, report, storm
from tests.torture.checker import check
from tests.torture.faults import ENDS_THE_SERVER
from tests.torture.history import read
from tests.torture.torture import EVERY_FAULT, Outcome, Plan, Torture

FOLDER = Path("test-output") / "torture"


async def torture(plan: Plan, folder: Path) -> Outcome:
    async with Torture(plan, folder) as running:
        progress = report.Progress(running.history, plan.seconds)

        async def show() -> None:
            while True:
                progress.show()
                await asyncio.sleep(0.5)

        showing = asyncio.create_task(show())
        try:
            return await running.run()
        finally:
            showing.cancel()
            progress.end()


def run(options: argparse.Namespace) -> int:
    plan = Plan(
        seconds=options.seconds,
        seed=options.seed,
        people=options.people,
        rate=options.rate,
        kinds=[kind for kind in EVERY_FAULT if not (options.spare_server and kind in ENDS_THE_SERVER)],
    )
    folder = options.folder / f"seed-{plan.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    outcome = asyncio.run(torture(plan, folder))
    found = report.figures(outcome)
    print(report.table(found))
    _write(found, options.json)
    if outcome.violations:
        print(f"\n{report.evidence(outcome.violations)}\n\nThe history is in {folder}/history.jsonl")
        return 1
    shutil.rmtree(folder)
    return 0


def judge(options: argparse.Namespace) -> int:
    violations = check(read(options.file))
    print(report.evidence(violations) or "clean")
    return 1 if violations else 0


def crowd(options: argparse.Namespace) -> int:
    """Storms, or slow readers: rows of figures, and exit code 1 if a client missed anything."""
    folder = options.folder / "crowd"
    shutil.rmtree(folder, ignore_errors=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(options.measure(folder, options))
    print(options.table(rows))
    _write(rows, options.json)
    shutil.rmtree(folder)
    return 1 if any(row["gaps"] for row in rows) else 0


def _write(found: Any, file: Path | None) -> None:
    if file is not None:
        file.write_text(json.dumps(found, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.set_defaults(command=run)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1, help="decides people, talk and faults")
    parser.add_argument("--people", type=int, default=12, help="with one to three devices each")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second, of all together")
    parser.add_argument(
        "--spare-server",
        action="store_true",
        help="no fault that ends the server's process: for a soak, where what it holds is watched",
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where a failed run is left to be looked at"
    )
    parser.add_argument("--json", type=Path, help="write the figures there too")
    commands = parser.add_subparsers(title="other commands")
    again = commands.add_parser("check", help="judge the history of an earlier run again")
    again.add_argument("file", type=Path)
    again.set_defaults(command=judge)
    storming = commands.add_parser("storm", help="thousands come back at once")
    storming.add_argument("--clients", type=int, default=storm.CLIENTS)
    storming.set_defaults(
        command=crowd,
        table=storm.table,
        measure=lambda folder, options: storm.run(folder, options.clients),
    )
    slow = commands.add_parser("readers", help="readers who stall: memory, and what the others notice")
    slow.add_argument("--stalled", type=int, nargs="+", default=readers.STALLED)
    slow.set_defaults(
        command=crowd,
        table=readers.table,
        measure=lambda folder, options: readers.run(folder, options.stalled),
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    code: int = options.command(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
