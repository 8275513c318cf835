"""What a torture says while it runs, in one line, and in the end, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from tests.torture.checker import Violation
from tests.torture.history import (
    Closed,
    Disconnected,
    Fault,
    Healed,
    History,
    Opened,
    Record,
    Seen,
    Sent,
    Stored,
)
from tests.torture.torture import Outcome

EVIDENCE: Final = 20  # violations that are printed with what shows them
EVERYBODY: Final = "all, whatever failed meanwhile"
_LOST: Final = ("lost", "missed", "incomplete")


def recoveries(records: Sequence[Record]) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds from a fault's healing to the first message of each client that it hit.

    By kind of fault, of those alone whom no other fault hit before; and, in the second list, of all: where
    another fault comes in between, the time goes on.
    """
    undisturbed: dict[str, list[float]] = {}
    all_of_them: list[float] = []
    clients: set[str] = set()
    waiting: dict[str, list[Healed]] = {}
    disturbed: set[str] = set()
    for record in records:
        if isinstance(record, Opened):
            clients.add(record.client)
        elif isinstance(record, Closed):
            clients.discard(record.client)
            waiting.pop(record.client, None)
        elif isinstance(record, Fault):
            disturbed.update(record.clients or clients)
        elif isinstance(record, Healed):
            for client in clients.intersection(record.clients) if record.clients else clients:
                if client not in waiting:
                    disturbed.discard(client)
                waiting.setdefault(client, []).append(record)
        elif isinstance(record, Seen) and record.client in waiting:
            for healed in waiting.pop(record.client):
                all_of_them.append(record.at - healed.at)
                if record.client not in disturbed:
                    undisturbed.setdefault(healed.kind, []).append(record.at - healed.at)
    return undisturbed, all_of_them


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def figures(outcome: Outcome) -> dict[str, Any]:
    """What `--json` writes and the table shows; times in seconds."""
    history = outcome.history
    faults = Counter(record.kind for record in history.records if isinstance(record, Fault))
    times, everyone = recoveries(history.records)
    kinds = Counter(violation.kind for violation in outcome.violations)
    trend = outcome.resources.trend()
    return {
        "seconds": round(outcome.seconds, 1),
        "seed": outcome.plan.seed,
        "people": outcome.plan.people,
        "devices": history.counts["Opened"],
        "sent": history.counts["Sent"],
        "acknowledged": history.counts["Acknowledged"],
        "failed": history.counts["Failed"],
        "stored": sum(
            record.source == "database" for record in history.records if isinstance(record, Stored)
        ),
        "seen": history.counts["Seen"],
        "deleted": history.counts["DeletionAsked"],
        "connections": history.counts["Connected"],
        "closes": dict(
            Counter(
                str(record.code or "none") for record in history.records if isinstance(record, Disconnected)
            )
        ),
        "rooms_resumed": history.counts["Resumed"],
        "faults": dict(faults),
        "lost": sum(kinds[kind] for kind in _LOST),
        "doubled": kinds["doubled"],
        "violations": dict(kinds),
        "recovery": {
            kind: {
                "clients": len(some),
                "p50": round(quantile(some, 0.5), 2),
                "p99": round(quantile(some, 0.99), 2),
            }
            for kind, some in [(EVERYBODY, everyone), *sorted(times.items())]
            if some
        },
        "resources": dataclasses.asdict(trend) if trend else None,
    }


def table(found: dict[str, Any]) -> str:
    """For people to read."""
    rows: list[tuple[str, str]] = [
        ("time", f"{found['seconds']:,.0f} s, seed {found['seed']}"),
        ("people, devices", f"{found['people']}, {found['devices']}"),
        ("messages sent", f"{found['sent']:,}"),
        ("acknowledged", f"{found['acknowledged']:,}"),
        ("given up", f"{found['failed']:,}"),
        ("stored", f"{found['stored']:,}"),
        ("delivered", f"{found['seen']:,}"),
        ("deleted", f"{found['deleted']:,}"),
        ("connections", f"{found['connections']:,}"),
        ("  let go as too slow (4008)", f"{found['closes'].get('4008', 0):,}"),
        ("faults", f"{sum(found['faults'].values()):,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(found["faults"].items())),
        ("lost", f"{found['lost']:,}"),
        ("doubled", f"{found['doubled']:,}"),
        ("other violations", f"{sum(found['violations'].values()) - found['lost'] - found['doubled']:,}"),
    ]
    if found["recovery"]:
        rows.append(("from the healing to a client's first message", "p50, p99"))
        rows += [
            (f"  {kind}", f"{times['p50']:.2f} s, {times['p99']:.2f} s")
            for kind, times in found["recovery"].items()
        ]
    if trend := found["resources"]:
        rows += [
            ("the server's longest life", f"{trend['seconds']:,.0f} s"),
            (
                "  memory",
                f"{trend['resident'] / 1e6:.1f} MB, {trend['resident_slope'] / 1e6:+.1f} MB an hour",
            ),
            (
                "  descriptors",
                f"{trend['descriptors']}, {trend['descriptors_slope']:+.1f} an hour",
            ),
        ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def evidence(violations: Sequence[Violation]) -> str:
    """The first of them, each with the records that show it."""
    lines = []
    for violation in violations[:EVIDENCE]:
        lines.append(f"{violation.kind}: {violation.sentence}")
        lines += [f"    {record}" for record in violation.evidence]
    if len(violations) > EVIDENCE:
        lines.append(f"and {len(violations) - EVIDENCE} more")
    return "\n".join(lines)


class Progress:
    """One line that is written over, on a terminal; nothing elsewhere."""

    def __init__(self, history: History, seconds: float) -> None:
        self._history = history
        self._seconds = seconds
        self._started = monotonic()
        self._shown = sys.stderr.isatty()

    def show(self, what: str = "") -> None:
        if not self._shown:
            return
        counts = self._history.counts
        line = (
            f"{monotonic() - self._started:6.0f} of {self._seconds:.0f} s   "
            f"{counts[Sent.__name__]:,} sent, {counts['Acknowledged']:,} acknowledged, {counts['Seen']:,} seen   "
            f"{counts[Fault.__name__]} faults, {counts[Healed.__name__]} healed   {what}"
        )
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)
