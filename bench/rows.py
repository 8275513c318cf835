"""The rows of the table: what is measured, beside whom, what has to come out, and what each run has to prove."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from bench.peer import Peer
from bench.processes import LOAD_CORE, Failed, Process, load, load_command, python, run

OURS: Final = "Hereabouts"
MEMBERS: Final = 500
WALKERS: Final = 1_000
COLUMNS: Final = 32  # of the walkers' grid
# Bytes of one `message` event as the load's shortest content makes it; the peers' publications are made as long.
EVENT_BYTES: Final = 266
MARK_DIGITS: Final = 14
# Distance between neighbours' homes. In the first nobody is within the radius (10) of another; in the second
# the eight around are, and their walking in step keeps them there.
APART: Final = 50
CLOSE: Final = 8

Measure = Callable[[], float]


@dataclass(frozen=True)
class Goal:
    """`factor` times what `against` did (or `factor` itself), at least or, of a cost, at most."""

    kind: str  # must or aim
    factor: float
    against: str = ""
    subject: str = OURS


@dataclass(frozen=True)
class Row:
    letter: str
    what: str
    unit: str
    subjects: dict[str, Measure]
    goals: Sequence[Goal]
    less_is_better: bool = False


class World:
    """Hereabouts over a MongoDB, and what the rows ask of it. `seconds` is the length of one measurement."""

    def __init__(self, folder: Path, peers: Sequence[Peer], echo: Peer, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.peers = {peer.name: peer for peer in peers if not peer.absent}
        self.echo = echo
        self.loaded: dict[str, float] = {}  # how busy the load's core was, by row and subject
        self.commands: dict[str, str] = {}
        self._published = 0
        self._mongod = Process(python("-m", "bench.mongod", folder / "mongod"), core=LOAD_CORE)
        run(python("-m", "bench.prepare", folder, "--mongodb-uri", self._mongod.first_line))
        self._world = json.loads((folder / "world.json").read_text())
        self._token = (folder / "token").read_text()
        self._servers: dict[int, Process] = {}

    def close(self) -> None:
        for server in self._servers.values():
            server.stop()
        self._mongod.end_input()

    def server(self, positions: int = 10_000) -> Process:
        """One with so many positions in the index once the walkers are there."""
        if positions not in self._servers:
            elsewhere = str(max(0, positions - WALKERS))
            self._servers[positions] = Process(
                python("-m", "bench.server", self.folder, "--positions", elsewhere)
            )
        return self._servers[positions]

    def run(self, label: str, mode: str, *options: object) -> dict[str, Any]:
        arguments = (mode, "-s", min(1.0, self.seconds), *options)
        answer = load(*arguments)
        if answer["lost"]:
            raise Failed(f"{label}: {answer['lost']} connections were lost")
        self.loaded[label] = max(self.loaded.get(label, 0), answer["load_cpu"] or 0)
        shown = [
            str(part).replace(str(self.folder), "FOLDER").replace(self._token, "TOKEN")
            for part in load_command(*arguments)
        ]
        shown[0] = "load"
        shown[shown.index("-p") + 1] = "PORT"
        self.commands.setdefault(
            label, " ".join(f"'{part}'" if set(part) & set(' "{') else part for part in shown)
        )
        return answer

    # A, B and G: everybody in a land hears everybody

    def fanout(self, label: str, *how: object) -> dict[str, Any]:
        land = self._world["land"]
        message = {"type": "send_message", "room_id": land, "content": "bench:{t}"}
        answer = self.run(
            f"{label} {OURS}",
            *("fanout", "-p", self.server().first_line, "-f", self.folder / "paths", "-n", MEMBERS),
            *("-o", "connected", "-j", _json({"type": "join_room", "room_id": land}), "-J", "joined_room"),
            *("-m", _json(message), "-a", "message_ack", *how),
        )
        self._published += answer["sent"]
        if not (answer["delivered"] == answer["expected"] and answer["answered"] == answer["sent"]):
            raise Failed(f"row {label}: not all was delivered and acknowledged: {answer}")
        return answer

    def check_stored(self) -> None:
        """Every message of A, B and G is in the store once, under a `seq` of its own, without a gap."""
        with MongoClient(self._world["mongodb_uri"]) as client:
            messages = client[self._world["database"]]["messages"]
            session = {"session": self._world["land"]}
            stored, seqs = messages.count_documents(session), len(messages.distinct("seq", session))
            last = messages.find_one(session, sort=[("seq", -1)])
        if not stored == seqs == self._published == (last or {}).get("seq"):
            raise Failed(f"published {self._published}, stored {stored}, numbers {seqs}, last {last}")

    def peer_fanout(self, label: str, peer: Peer, *how: object) -> dict[str, Any]:
        short = len(peer.message("").replace("{t}", "9" * MARK_DIGITS))
        with peer.running():
            return self.run(
                f"{label} {peer.name}",
                *("fanout", "-p", peer.port, "-n", MEMBERS, *peer.open),
                *("-m", peer.message(" " + "x" * max(0, EVENT_BYTES - 5 - short)), *how),
            )

    # C and D: people walk

    def walk(self, label: str, spacing: int, positions: int = 10_000) -> float:
        message = '{"type":"update_location","x":{x},"y":{y}}'
        answer = self.run(
            f"{label} {OURS}" + (f", {positions:,} positions" if label == "flat" else ""),
            *("echo", "-p", self.server(positions).first_line, "-f", self.folder / "paths", "-n", WALKERS),
            *("-o", "connected", "-m", message, "-a", "nearby_users", "-A", '"user_id"'),
            *("-S", spacing, "-C", COLUMNS, "-t", self.seconds),
        )
        neighbours = answer["counted"] / max(1, answer["answered"])
        # The first round finds half of the others in their places, and those at the edge have fewer around.
        expected = (0, 0) if spacing == APART else (6.5, 8)
        if answer["answered"] != answer["sent"] or not expected[0] <= neighbours <= expected[1]:
            raise Failed(f"row {label}: {neighbours:.2f} neighbours an answer: {answer}")
        return float(answer["answers_per_s"])

    def bare_echo(self, label: str) -> float:
        message = '{"type":"update_location","x":{x},"y":{y}}'
        with self.echo.running():
            answer = self.run(
                f"{label} {self.echo.name}",
                *("echo", "-p", self.echo.port, "-n", WALKERS, "-m", message, "-a", "update_location"),
                *("-S", CLOSE, "-C", COLUMNS, "-t", self.seconds),
            )
        if answer["answered"] != answer["sent"]:
            raise Failed(f"row {label}: not every message came back: {answer}")
        return float(answer["answers_per_s"])

    # E, F and H

    def idle_memory(self, connections: int) -> float:
        """Kilobytes of a server of its own for each connection that it holds, authenticated and idle."""
        server = Process(python("-m", "bench.server", self.folder))
        try:
            before = server.resident
            held = Process(
                load_command(
                    *("hold", "-p", server.first_line, "-f", self.folder / "paths"),
                    *("-n", connections, "-o", "connected"),
                ),
                core=LOAD_CORE,
            )
            after = server.resident
            held.end_input()
        finally:
            server.stop()
        return (after - before) / connections / 1024

    def connects(self) -> float:
        answer = self.run(
            f"F {OURS}",
            *("connect", "-p", self.server().first_line, "-f", self.folder / "paths"),
            *("-n", 3_000, "-c", 64, "-o", "connected", "-s", 0, "-t", 0),
        )
        self.server().rest()  # three thousand goings are written down one by one
        return float(answer["connects_per_s"])

    def page_over_rest(self, before: str = "") -> float:
        answer = self.run(
            f"H {OURS}" + (", older page" if before else ""),
            *("http", "-p", self.server().first_line, "-n", 1, "-t", self.seconds, "-A", '"content"'),
            *("-u", f"/api/v1/chat/sessions/{self._world['land']}/messages?limit=50{before}"),
            *("-H", f"Authorization: Bearer {self._token}"),
        )
        if answer["counted"] != 50 * answer["answered"]:
            raise Failed(f"row H: expected 50 messages in each page: {answer}")
        return float(answer["p50_ms"])

    def bare_read(self) -> float:
        output = run(["taskset", "-c", "0", *python("-m", "bench.driver", self.folder, str(self.seconds))])
        return float(json.loads(output)["p50_ms"])


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def rows(world: World, *, idle: int) -> list[Row]:
    seconds = ("-t", world.seconds)

    def fanout(letter: str, *how: object) -> dict[str, Measure]:
        def ours() -> float:
            return float(world.fanout(letter, *how, *seconds)["deliveries_per_s"])

        def theirs(peer: Peer) -> Measure:
            return lambda: float(world.peer_fanout(letter, peer, *how, *seconds)["deliveries_per_s"])

        return {OURS: ours, **{name: theirs(peer) for name, peer in world.peers.items()}}

    steady = ("-P", 10, "-R", 50)
    joined = world.peers["C, joined"]
    return [
        Row(
            "A",
            "500 members, 1 publisher, 8 messages under way",
            "deliveries/s",
            fanout("A", "-P", 1, "-W", 8),
            (
                Goal("must", 10, "FastAPI"),
                Goal("must", 0.55, "socketify"),
                Goal("aim", 0.65, "C, joined"),
            ),
        ),
        Row(
            "B",
            "500 members, 8 publishers, 64 under way",
            "deliveries/s",
            fanout("B", "-P", 8, "-W", 64),
            (
                Goal("must", 1.5, "socketify"),
                Goal("aim", 0.7, "C, joined"),
                Goal("aim", 3, "centrifuge"),
            ),
        ),
        Row(
            "C",
            "1,000 walk, nobody near, 10,000 positions",
            "answers/s",
            {OURS: lambda: world.walk("C", APART), world.echo.name: lambda: world.bare_echo("C")},
            (Goal("must", 2.5, world.echo.name), Goal("aim", 3, world.echo.name)),
        ),
        Row(
            "D",
            "1,000 walk, 8 near each, 10,000 positions",
            "answers/s",
            {
                OURS: lambda: world.walk("D", CLOSE),
                world.echo.name: lambda: world.bare_echo("D"),
                "1,000 positions": lambda: world.walk("flat", CLOSE, 1_000),
                "100,000 positions": lambda: world.walk("flat", CLOSE, 100_000),
            },
            (
                Goal("must", 1, world.echo.name),
                Goal("must", 1 / 1.5, "1,000 positions", subject="100,000 positions"),
                Goal("aim", 2, world.echo.name),
            ),
        ),
        Row(
            "E",
            f"an idle, authenticated connection, of {idle:,}",
            "KB",
            {OURS: lambda: world.idle_memory(idle)},
            (Goal("must", 16), Goal("aim", 10)),
            less_is_better=True,
        ),
        Row(
            "F",
            "connects, token checked, `connected` received",
            "connects/s",
            {OURS: world.connects},
            (Goal("must", 1_000), Goal("aim", 2_500)),
        ),
        Row(
            "G",
            "latency of a delivery, p99, 50 messages/s to 500 members",
            "ms",
            {
                OURS: lambda: float(world.fanout("G", *steady, *seconds)["p99_ms"]),
                joined.name: lambda: float(world.peer_fanout("G", joined, *steady, *seconds)["p99_ms"]),
            },
            (Goal("must", 3, joined.name), Goal("aim", 1.5, joined.name)),
            less_is_better=True,
        ),
        Row(
            "H",
            "newest page of 50 messages, decrypted, over REST, p50",
            "ms",
            {
                OURS: world.page_over_rest,
                # Not in memory: the newest are.
                "an older page": lambda: world.page_over_rest("&before=500"),
                "motor, bare": world.bare_read,
            },
            (Goal("must", 2, "motor, bare"), Goal("aim", 1.3, "motor, bare")),
            less_is_better=True,
        ),
    ]
