"""A MongoDB of three real members on loopback, with quick elections: what fails in it, a test makes fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from storage import mongod

MEMBERS = 3
ELECTION_MS = 1_000  # without a word from the primary, the others vote after so long
HEARTBEAT_MS = 200
START_SECONDS = 30.0
POLL_SECONDS = 0.05


class ReplicaSet:
    """Its members are numbered 0 to 2. What waits is called on a thread, from a loop; `run` is not, as a
    member lives no longer than the thread that starts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binary = mongod.find_mongod(folder)
        self._ports: list[int] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        while len(self._ports) < MEMBERS:
            if (port := mongod._free_port()) not in self._ports:
                self._ports.append(port)

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"mongodb://{hosts}/?replicaSet=three"

    def start(self) -> None:
        for member in range(MEMBERS):
            self.run(member)
        members = [{"_id": member, "host": f"127.0.0.1:{port}"} for member, port in enumerate(self._ports)]
        settings = {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": HEARTBEAT_MS}
        initiate = {"_id": "three", "members": members, "settings": settings}
        self._until(lambda: bool(self._ask(0, "replSetInitiate", initiate)), "a set of three")
        self.primary()
        self.whole()

    def run(self, member: int) -> None:
        """Starts it: for the first time, or again on its data and its port."""
        files = self._folder / f"member-{member}"
        files.mkdir(exist_ok=True)
        with files.with_suffix(".log").open("ab") as output:
            self._processes[member] = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", mongod._LAUNCH, str(os.getpid()), str(self._binary)),
                    *("--dbpath", str(files), "--port", str(self._ports[member]), "--bind_ip", "127.0.0.1"),
                    *("--replSet", "three", "--nounixsocket", "--noscripting", "--quiet"),
                    *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"),
                    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                    *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
                    # How long a follower holds on to a primary that does not answer: 5 by default.
                    *("--setParameter", "oplogNetworkTimeoutBufferSeconds=1"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                start_new_session=True,
            )

    def primary(self) -> int:
        """Waits for a member that a majority takes for the primary."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [
                member for member in range(MEMBERS) if self._ask(member, "hello").get("isWritablePrimary")
            ]
            return len(found) == 1

        self._until(look, "one primary")
        return found[0]

    def whole(self) -> None:
        """Waits until every member runs and follows."""

        states: list[str] = []

        def look() -> bool:
            members = self._ask(self.primary(), "replSetGetStatus").get("members", ())
            states[:] = [member["stateStr"] for member in members]
            return sorted(states) == ["PRIMARY", "SECONDARY", "SECONDARY"]

        self._until(look, states)

    def step_down(self) -> None:
        """The primary gives up its place, as an operator asks of it before an upgrade."""
        before = self.primary()
        # It is no candidate again for long enough that another one takes over.
        with self._client(before, 5_000) as client:
            client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=1)
        self._until(lambda: self.primary() != before, "another primary")

    def signal(self, member: int, number: signal.Signals) -> None:
        self._processes[member].send_signal(number)

    def kill(self, member: int) -> None:
        self.signal(member, signal.SIGKILL)
        self._processes[member].wait()

    def heal(self) -> None:
        """Whatever a test did to it: every member runs, one is the primary, the others follow."""
        for member, process in self._processes.items():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
            else:
                self.run(member)
        self.whole()

    def close(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def _ask(self, member: int, command: str, value: Any = 1) -> dict[str, Any]:
        """A member's own answer; an empty one if it has none."""
        with self._client(member, 500 if command == "hello" else 5_000) as client:
            try:
                return dict(client.admin.command(command, value))
            except PyMongoError:
                return {}

    def _client(self, member: int, milliseconds: int) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            "127.0.0.1",
            self._ports[member],
            directConnection=True,
            serverSelectionTimeoutMS=1_000,
            connectTimeoutMS=1_000,
            socketTimeoutMS=milliseconds,
        )

    def _until(self, condition: Callable[[], bool], what: object) -> None:
        deadline = monotonic() + START_SECONDS
        while not condition():
            assert monotonic() < deadline, f"not within {START_SECONDS:g} s: {what}"
            sleep(POLL_SECONDS)
