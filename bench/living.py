"""`make bench-living`: people who walk and see who is near, beside servers that tell everybody or keep rooms.

Each server is driven up a ladder of people until it no longer tells them in time; the figures of each step go into
docs/performance.md. `bench/walkers.c` walks and checks; every run has a server of its own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tqdm import tqdm

from bench.ladder import LADDER, Climb, Step
from bench.living_report import write
from bench.peer import Peer, land_peers
from bench.processes import LOAD_CORE, Failed, Process, build, python, run
from bench.rows import OURS

ALONE: Final = 0.03  # of the time waiting for the core; above it somebody else was there, and it is no figure
FOLLOWED: Final = 16  # of those who are told of everybody: to follow every view is more than one core can
KINDS: Final = {
    OURS: "hereabouts",
    "Colyseus room": "colyseus",
    "Colyseus views": "colyseus-views",
    "socket.io room": "socketio",
    "FastAPI to all": "json",
}


class Land:
    """Where they walk: one server after the other, each with nobody in it at first."""

    def __init__(self, folder: Path, peers: Sequence[Peer], seconds: float) -> None:
        self.folder = folder
        self.peers = {peer.name: peer for peer in peers}
        self.seconds = seconds
        self.commands: dict[str, str] = {}

    def walk(self, subject: str, people: int) -> Step:
        """One run. Raises Failed if what they were told is not true."""
        with self._serving(subject) as server:
            kind = KINDS[subject]
            options: list[object] = [kind, "-p", server.first_line, "-n", people, "-q", server.pid]
            if subject == OURS:
                options += ["-f", self.folder / "paths"]
            elif kind.startswith("colyseus"):
                options += ["-f", self._seats(int(server.first_line), people), "-V", FOLLOWED]
            else:
                options += [*self.peers[subject].open, "-V", FOLLOWED]
            options += ["-s", min(2.0, self.seconds), "-t", self.seconds]
            self._remember(subject, people, options)
            try:
                output = run(["taskset", "-c", LOAD_CORE, build("walkers.c", "-lm"), *map(str, options)])
            except Failed as error:
                return Step(people, {}, str(error).partition(f" {self.seconds}: ")[2] or str(error))
        step = Step(people, json.loads(output))
        figures = step.figures
        if figures["lost"] and not step.on_time:
            return Step(people, {}, f"{figures['lost']} connections were lost")
        # Who cannot keep up may still be behind at the end; ours may be late, and never wrong.
        checks = ("lost", "wrong", "broken", "unknown") if step.on_time else ("wrong", "broken")
        if (step.on_time or subject == OURS) and any(figures[name] for name in checks):
            raise Failed(f"{subject}, {people} people: what they see is not what is there: {output.strip()}")
        return step

    @contextmanager
    def _serving(self, subject: str) -> Iterator[Process]:
        if subject == OURS:
            server = Process(python("-m", "bench.server", self.folder))
            try:
                yield server
            finally:
                server.kill()
            return
        peer = self.peers[subject]
        peer.start()
        if peer.absent or peer.process is None:
            raise Failed(f"{subject}: {peer.absent}")
        try:
            with peer.running():
                yield peer.process
        finally:
            peer.process.kill()

    def _seats(self, port: int, people: int) -> Path:
        """Colyseus gives each client a seat over HTTP, and with it the path of its socket."""
        matchmaker = http.client.HTTPConnection("127.0.0.1", port)
        paths = self.folder / "seats"
        with paths.open("w") as file:
            for _ in range(people):
                matchmaker.request(
                    "POST", "/matchmake/joinOrCreate/land", "{}", {"Content-Type": "application/json"}
                )
                seat = json.loads(matchmaker.getresponse().read())
                file.write(f"/{seat['processId']}/{seat['roomId']}?sessionId={seat['sessionId']}\n")
        matchmaker.close()
        return paths

    def _remember(self, subject: str, people: int, options: Sequence[object]) -> None:
        shown = [str(option).replace(str(self.folder), "FOLDER") for option in options]
        for option, name in (("-p", "PORT"), ("-n", "N"), ("-q", "PID")):
            shown[shown.index(option) + 1] = name
        self.commands[subject] = " ".join(f"'{part}'" if set(part) & set("?&") else part for part in shown)


def line(subject: str, step: Step) -> str:
    if step.why:
        return f"{subject}, {step.people:,} people: {step.why}"
    f = step.figures
    return (
        f"{subject}, {step.people:,} people: late p50 {f['late_p50_ms']:.1f}, p99 {f['late_p99_ms']:.1f},"
        f" max {f['late_max_ms']:.0f} ms; positions {f['age_p50_ms']:.0f} ms old, p99 {f['age_p99_ms']:.0f};"
        f" {f['bytes_per_s'] / 1000:.1f} KB/s a client; {step.cpu_ms:.3f} ms/s a mover;"
        f" core {f['server_busy']:.0%}, load {f['load_busy']:.0%}; {'on time' if step.on_time else 'too late'}"
        + (f"; NOT ALONE: kept from its core for {step.kept:.0%} of the time" if step.kept > ALONE else "")
    )


def climb(land: Land, subjects: Sequence[str], runs: int) -> list[Climb]:
    climbs = [Climb(subject) for subject in subjects]
    with tqdm(total=len(LADDER), leave=False) as progress:
        while going := [(each, people) for each in climbs if (people := each.next())]:
            taken: dict[str, list[Step]] = {each.subject: [] for each, _ in going}
            for _ in range(runs):
                for each, people in going:
                    progress.set_description(f"{each.subject} {people:,}")
                    taken[each.subject].append(land.walk(each.subject, people))
            for each, _ in going:
                progress.write(line(each.subject, each.take(taken[each.subject])))
            progress.update()
    return climbs


def look(folder: Path) -> str:
    """For `make bench-quick`: one short run of ours."""
    return line(OURS, Land(folder, [], 2.0).walk(OURS, 200))


@contextmanager
def prepared(folder: Path, people: int) -> Iterator[None]:
    """A MongoDB, with so many who may come, in the folder."""
    mongod = Process(python("-m", "bench.mongod", folder / "mongod"), core=LOAD_CORE)
    try:
        arguments = (folder, "--mongodb-uri", mongod.first_line, "--people", str(people))
        run(python("-m", "bench.prepare", *arguments))
        yield
    finally:
        mongod.end_input()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.living", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement")
    parser.add_argument("--runs", type=int, default=3, help="alternating runs of each step")
    parser.add_argument(
        "--subjects", nargs="*", choices=KINDS, default=list(KINDS), help="servers to measure"
    )
    parser.add_argument("--people", type=int, help="this many alone, and nothing is written")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("bench: two cores are needed, one for the server and one for the load", file=sys.stderr)
        return 1
    peers = [peer for peer in land_peers() if peer.name in options.subjects]
    try:
        with tempfile.TemporaryDirectory(prefix="hereabouts-bench-") as name:
            land = Land(Path(name), peers, options.seconds)
            with prepared(land.folder, max(LADDER)):
                if options.people:
                    for subject in options.subjects * options.runs:
                        print(line(subject, land.walk(subject, options.people)), flush=True)
                    return 0
                climbs = climb(land, options.subjects, options.runs)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if set(options.subjects) == set(KINDS):
        write(climbs, peers, land.commands, options.runs, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
