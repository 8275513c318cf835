"""`make bench`: every row beside its peers, alternating, into docs/performance.md; `make bench-quick`: a look.

Linux alone: it needs two cores to pin to, and reads /proc.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tqdm import tqdm

from bench.living import look
from bench.peer import Peer, echo_peer, fanout_peers
from bench.processes import Failed, build
from bench.report import Result, line, table, write
from bench.rows import World, rows

# What a look compares with: the two that the goals name, and the least there can be.
QUICK_PEERS: Final = ("C, joined", "socketify", "FastAPI")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each row, nothing written")
    parser.add_argument("--rows", default="ABCDEFGH", help="letters of the rows to run")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs of each row")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a measurement")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("bench: two cores are needed, one for the server and one for the load", file=sys.stderr)
        return 1
    if options.quick:
        options.runs, options.seconds = 1, 0.6
    peers = [peer for peer in fanout_peers() if not options.quick or peer.name in QUICK_PEERS]
    echo = echo_peer()
    try:
        build("load.c", "-lm")
        with tempfile.TemporaryDirectory(prefix="hereabouts-bench-") as folder:
            results = measure(options, Path(folder), peers, echo)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        for peer in (*peers, echo):
            peer.stop()
    print(table(results))
    return 0


def measure(options: argparse.Namespace, folder: Path, peers: list[Peer], echo: Peer) -> list[Result]:
    for peer in (*peers, echo):
        peer.start()
        if peer.absent:
            print(f"absent: {peer.name}: {peer.absent}", file=sys.stderr)
    world = World(folder, peers, echo, options.seconds)
    try:
        chosen = [
            row for row in rows(world, idle=1_000 if options.quick else 9_000) if row.letter in options.rows
        ]
        results = []
        with tqdm(total=sum(len(row.subjects) for row in chosen) * options.runs, leave=False) as progress:
            for row in chosen:
                figures: dict[str, list[float]] = {name: [] for name in row.subjects}
                for _ in range(options.runs):
                    for name, subject in row.subjects.items():
                        progress.set_description(f"{row.letter} {name}")
                        figures[name].append(subject())
                        progress.update()
                results.append(Result(row, figures))
                progress.write(line(results[-1]))
        if options.quick:
            progress.write(look(folder))
        world.check_stored()
        if not options.quick and options.rows == "ABCDEFGH":
            write(results, [*peers, echo], world.loaded, world.commands, options.runs)
        return results
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
