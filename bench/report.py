"""The table and the plot, from the medians, into docs/performance.md."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from bench.peer import Peer
from bench.processes import ROOT
from bench.rows import OURS, Goal, Row

PAGE: Final = ROOT / "docs/performance.md"
PLOT: Final = ROOT / "docs/images/performance.svg"
BEGIN: Final = "<!-- What follows is written by `make bench`. -->"
END: Final = "<!-- End of what `make bench` writes. -->"
OF_OURS: Final = ("tornado", "uvloop", "motor", "rtree", "msgspec", "ujson", "cryptography")


@dataclass(frozen=True)
class Result:
    row: Row
    figures: Mapping[str, Sequence[float]]

    def middle(self, subject: str) -> float:
        return median(self.figures[subject])

    def reached(self, goal: Goal) -> tuple[str, bool] | None:
        """The ratio (or the figure) in words, and whether it is enough; None if whom to compare with is absent."""
        if goal.against and goal.against not in self.figures:
            return None
        value = self.middle(goal.subject) / (self.middle(goal.against) if goal.against else 1)
        enough = value <= goal.factor if self.row.less_is_better else value >= goal.factor
        return (f"{value:.2f}" if goal.against else _figure(value)), enough


def line(result: Result) -> str:
    """A row as it comes in: each subject's median, least and most."""
    figures = (
        f"{name} {_figure(result.middle(name))} ({_figure(min(values))}–{_figure(max(values))})"
        for name, values in result.figures.items()
    )
    return f"{result.row.letter}  {', '.join(figures)} {result.row.unit}"


def table(results: Sequence[Result]) -> str:
    lines = [
        "| | what | Hereabouts | beside it | goal | reached |",
        "|---|---|---:|---|---|---|",
    ]
    for result in results:
        row = result.row
        others = "<br>".join(
            f"{name} {_figure(result.middle(name))}" for name in result.figures if name != OURS
        )
        goals, reached = [], []
        for goal in row.goals:
            outcome = result.reached(goal)
            bound = "≤" if row.less_is_better else "≥"
            subject = f"{goal.subject} " if goal.subject != OURS else ""
            times = f"{goal.factor:.2g} × {goal.against}" if goal.against else _figure(goal.factor)
            goals.append(f"{goal.kind}: {subject}{bound} {times}")
            reached.append("absent" if outcome is None else f"{outcome[0]} {'✓' if outcome[1] else '✗'}")
        lines.append(
            f"| {row.letter} | {row.what}, {row.unit} | **{_figure(result.middle(OURS))}** | {others} |"
            f" {'<br>'.join(goals)} | {'<br>'.join(reached)} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def write(
    results: Sequence[Result],
    peers: Sequence[Peer],
    loaded: Mapping[str, float],
    commands: Mapping[str, str],
    runs: int,
) -> None:
    """Replaces what stands between the two marks of the page."""
    plot(results)
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{section(results, peers, loaded, commands, runs)}\n{END}{after}")


def section(
    results: Sequence[Result],
    peers: Sequence[Peer],
    loaded: Mapping[str, float],
    commands: Mapping[str, str],
    runs: int,
) -> str:
    ours = ", ".join(f"{name} {version(name)}" for name in OF_OURS)
    present = ", ".join(f"{peer.name} {peer.version}" for peer in peers if not peer.absent)
    absent = [f"Absent: {peer.name} ({peer.absent})." for peer in peers if peer.absent]
    rows = [result.row.letter for result in results]
    busiest = {
        letter: max((share, label[2:]) for label, share in loaded.items() if label.startswith(f"{letter} "))
        for letter in rows
        if any(label.startswith(f"{letter} ") and share for label, share in loaded.items())
    }
    load = ", ".join(f"{letter} {share:.0%} ({who})" for letter, (share, who) in busiest.items())
    mine = ", ".join(
        f"{letter} {loaded[f'{letter} {OURS}']:.0%}" for letter in rows if loaded.get(f"{letter} {OURS}")
    )
    return "\n".join(
        [
            f"{datetime.now(UTC):%d %B %Y}, {machine()}. Medians of {runs} alternating runs.",
            f"Python {platform.python_version()}, {ours}. Beside it: {present}.",
            *absent,
            "",
            table(results),
            "",
            "![Row by row, Hereabouts and what it is compared with](images/performance.svg)",
            "",
            f"How busy the load's core was with Hereabouts: {mine}; at most with anybody: {load}.",
            "",
            "<details><summary>The commands</summary>",
            "",
            "```",
            *(f"{label}: {_shortened(command)}" for label, command in sorted(commands.items())),
            "```",
            "",
            "</details>",
            "",
        ]
    )


def _shortened(command: str) -> str:
    """What only makes a message long, by its number."""
    return re.sub("x{20,}", lambda padding: f"({len(padding[0])} times x)", command)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    return f"{len(models)} cores ({models[0] if models else platform.machine()}), {memory:.0f} GB, Linux {platform.release().partition('-')[0]}"


def plot(results: Sequence[Result]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "hereabouts", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot as plt

    shown = [result for result in results if len(result.figures) > 1]
    columns = 2
    lines = -(-len(shown) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(10, 2.3 * lines), squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, result in zip(axes.flat, shown, strict=False):
        names = sorted(result.figures, key=result.middle, reverse=result.row.less_is_better)
        values = [result.middle(name) for name in names]
        colours = ["#0f766e" if name == OURS else "#b6c2cc" for name in names]
        bars = axis.barh(names, values, color=colours, height=0.66)
        axis.bar_label(bars, [_figure(value) for value in values], padding=4, color="#334155")
        axis.set_title(f"{result.row.letter}  {result.row.what}", loc="left", fontsize=9.5, color="#0f172a")
        axis.set_xlim(0, 1.18 * max(values))
        axis.set_xlabel(
            f"{result.row.unit}, {'less' if result.row.less_is_better else 'more'} is better",
            color="#64748b",
        )
        axis.xaxis.set_ticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.spines["left"].set_color("#cbd5e1")
        axis.tick_params(colors="#334155", length=0)
    figure.patch.set_facecolor("white")
    figure.tight_layout(h_pad=1.6, w_pad=2.4)
    figure.savefig(PLOT, metadata={"Date": None})
