"""Real faults, at times and of lengths that a seed decides: processes killed and stopped, networks broken.

Each begins and ends by itself and is written into the history, with the clients that it hits and the
moment from which recovery counts: where a process was ended, that is when its start begins. Processes and
networks fail independently of each other, so that one may fail while the other is still down.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from typing import Final

from tests.journeys.process import Process, alive, until
from tests.torture.history import Fault, Healed, History
from tests.torture.network import Mode, Network

# (the shortest, the longest) in seconds.
Span = tuple[float, float]

SERVER_KILLED: Final = "server killed"
MONGOD_KILLED: Final = "mongod killed"
BOTH_KILLED: Final = "both killed"
SERVER_STOPPED: Final = "server stopped"
MONGOD_STOPPED: Final = "mongod stopped"
TERMINATED: Final = "server terminated"
CUT: Final = "network cut"
LOSSY: Final = "network lossy"
HALF_OPEN: Final = "network half-open"
SLOW: Final = "network slow"
STALLED: Final = "readers stalled"

# How long each lasts: down for so long, or stopped (SIGSTOP), some beyond the storage's deadline.
PROCESS_FAULTS: Final[dict[str, Span]] = {
    SERVER_KILLED: (0.0, 1.0),
    MONGOD_KILLED: (0.0, 0.0),  # its supervisor starts it again
    BOTH_KILLED: (0.0, 1.0),
    SERVER_STOPPED: (0.5, 4.0),
    MONGOD_STOPPED: (0.5, 4.0),
    TERMINATED: (0.0, 1.0),
}
NETWORK_FAULTS: Final[dict[str, tuple[Mode, Span]]] = {
    CUT: (Mode.CUT, (0.0, 3.0)),
    LOSSY: (Mode.LOSSY, (1.0, 6.0)),
    HALF_OPEN: (Mode.HALF_OPEN, (1.0, 6.0)),
    SLOW: (Mode.SLOW, (1.0, 5.0)),
    STALLED: (Mode.STALLED, (6.0, 9.0)),  # until buffers are full, and 4008
}
ENDS_THE_SERVER: Final = frozenset({SERVER_KILLED, BOTH_KILLED, TERMINATED})
# With writes under way: before both are killed, the database stands still for so long.
UNDER_WAY_SECONDS: Final = 0.4
PAUSE: Final[Span] = (1.0, 4.0)  # between two, in which most are back


class Faults:
    def __init__(self, process: Process, network: Network, history: History, random: Random) -> None:
        self._process = process
        self._network = network
        self._history = history
        self._random = random
        self.restarts = 0

    async def storm(self, kinds: Sequence[str], going: Callable[[], bool], pause: Span = PAUSE) -> None:
        """Faults of these kinds, in rounds of all of them, until told to stop and the last one is over."""
        await self._series(kinds, going, pause, None)

    async def round(self, kinds: Sequence[str], pause: Span = PAUSE) -> None:
        """Each of these kinds once."""
        await self._series(kinds, lambda: True, pause, 1)

    async def _series(
        self, kinds: Sequence[str], going: Callable[[], bool], pause: Span, rounds: int | None
    ) -> None:
        """Processes and networks at the same time, each in an order of its own."""
        processes = [kind for kind in kinds if kind in PROCESS_FAULTS]
        networks = [kind for kind in kinds if kind in NETWORK_FAULTS]
        await asyncio.gather(
            *(
                self._one_after_the_other(_rounds(some, Random(self._random.random()), rounds), going, pause)
                for some in (processes, networks)
                if some
            )
        )

    async def _one_after_the_other(
        self, kinds: Iterator[str], going: Callable[[], bool], pause: Span
    ) -> None:
        random = Random(self._random.random())
        for kind in kinds:
            await asyncio.sleep(random.uniform(*pause))
            if not going():
                return
            span = PROCESS_FAULTS[kind] if kind in PROCESS_FAULTS else NETWORK_FAULTS[kind][1]
            clients = list(self._network)
            some = random.sample(clients, random.randint(1, len(clients)))
            await self.happen(kind, random.uniform(*span), some)

    async def happen(self, kind: str, seconds: float, clients: Sequence[str] = ()) -> None:
        """One fault, from its beginning to its end; `clients` for those of the network."""
        if kind in NETWORK_FAULTS:
            await self._break_network(kind, seconds, clients)
            return
        self._history.add(Fault(kind, f"for {seconds:.1f} s"))
        if kind in (SERVER_STOPPED, MONGOD_STOPPED):
            await self._stop(kind, seconds)
        elif kind == MONGOD_KILLED:
            await self._kill_mongod(kind)
        else:
            await self._end_server(kind, seconds)

    async def _break_network(self, kind: str, seconds: float, clients: Sequence[str]) -> None:
        mode, _ = NETWORK_FAULTS[kind]
        self._history.add(Fault(kind, f"for {seconds:.1f} s", tuple(clients)))
        hit = [self._network[client] for client in clients]
        for link in hit:
            link.mode = mode
        await asyncio.sleep(seconds)
        self._history.add(Healed(kind, tuple(clients)))
        for link in hit:
            link.mode = Mode.OPEN

    async def _stop(self, kind: str, seconds: float) -> None:
        pid = self._process.process.pid if kind == SERVER_STOPPED else self._process.mongod
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
        self._history.add(Healed(kind))

    async def _kill_mongod(self, kind: str) -> None:
        pid = self._process.mongod
        os.kill(pid, signal.SIGKILL)
        self._history.add(Healed(kind))
        await until(lambda: self._process.mongod != pid, "another mongod")

    async def _end_server(self, kind: str, seconds: float) -> None:
        mongod = self._process.mongod
        if kind == BOTH_KILLED:
            os.kill(mongod, signal.SIGSTOP)
            await asyncio.sleep(UNDER_WAY_SECONDS)
            os.kill(mongod, signal.SIGKILL)
        self._process.signal(signal.SIGTERM if kind == TERMINATED else signal.SIGKILL)
        code = await self._process.exit_code()
        assert code == (0 if kind == TERMINATED else -signal.SIGKILL), self._process.stderr.read_text()
        await until(lambda: not alive(mongod), "the end of mongod")
        await asyncio.sleep(seconds)
        self._history.add(Healed(kind))
        await self.start()
        self.restarts += 1

    async def start(self) -> None:
        await self._process.start()
        self._network.port = self._process.port


def _rounds(kinds: Sequence[str], random: Random, rounds: int | None) -> Iterator[str]:
    """All of them in some order, and again, so many times."""
    for _ in range(rounds) if rounds is not None else count():
        yield from random.sample(kinds, len(kinds))
