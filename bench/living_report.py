"""The living world's table and plot, from the steps of each server, into docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from bench.ladder import TICK_MS, Climb, Step
from bench.peer import Peer
from bench.processes import ROOT
from bench.report import PAGE, machine
from bench.rows import OURS

PLOT: Final = ROOT / "docs/images/living.svg"
BEGIN: Final = "<!-- What follows is written by `make bench-living`. -->"
END: Final = "<!-- End of what `make bench-living` writes. -->"
LOADED: Final = 0.9  # of the load's core: what is late then may be late in the load
FEW: Final = 100
MUST: Final = 1_000  # people on one core, every tick on time
AIM: Final = 2_000
COLOURS: Final = ("#0f766e", "#7c3aed", "#c4b5fd", "#b45309", "#64748b")

HEAD: Final = (
    "| | people | late, p99 ms | a position's age, p50 / p99 ms | KB/s a client | server, ms/s a mover"
    " | its core | the load's |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)


def write(
    climbs: Sequence[Climb], peers: Sequence[Peer], commands: Mapping[str, str], runs: int, seconds: float
) -> None:
    """Replaces what stands between the two marks of the page."""
    plot(climbs)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    section = _section(climbs, peers, commands, runs, seconds)
    PAGE.write_text(f"{before}{BEGIN}\n\n{section}\n{END}{after}")


def _section(
    climbs: Sequence[Climb], peers: Sequence[Peer], commands: Mapping[str, str], runs: int, seconds: float
) -> str:
    present = ", ".join(f"{peer.name} {peer.version}" for peer in peers if not peer.absent)
    return "\n".join(
        [
            f"{datetime.now(UTC):%d %B %Y}, {machine()}. Each figure is of the run in the middle of {runs}"
            f" alternating ones of {seconds:g} s.",
            f"Beside it: {present}. numpy {version('numpy')}.",
            "",
            HEAD,
            *(_row(climb.subject, step) for climb in climbs for step in _shown(climb)),
            "",
            *_words(climbs),
            _quiet(climbs),
            "",
            "![Lateness, age of positions, bytes and processor time, by how many walk](images/living.svg)",
            "",
            "<details><summary>Every step, and the commands</summary>",
            "",
            HEAD,
            *(_row(climb.subject, step) for climb in climbs for step in climb.steps),
            "",
            "```",
            *(f"{subject}: walkers {command}" for subject, command in commands.items()),
            "```",
            "",
            "</details>",
            "",
        ]
    )


def _shown(climb: Climb) -> list[Step]:
    """With a hundred people, with a thousand, with the most it took, and with too many."""
    limit = climb.limit
    wanted = {FEW, MUST, limit.people if limit else 0}
    too_late = [step for step in climb.steps if not step.on_time][:1]
    return [step for step in climb.steps if step.people in wanted or step in too_late]


def _row(subject: str, step: Step) -> str:
    if step.why:
        return f"| {subject} | {step.people:,} | {step.why} | | | | | |"
    f = step.figures
    name, people = (f"**{subject}**" if subject == OURS else subject), f"{step.people:,}"
    late = f"{f['late_p99_ms']:,.0f}" + ("" if step.on_time else " ✗")
    load = f"{f['load_busy']:.0%}" + (" (full)" if f["load_busy"] > LOADED else "")
    return (
        f"| {name} | {people} | {late} | {f['age_p50_ms']:,.0f} / {f['age_p99_ms']:,.0f}"
        f" | {f['bytes_per_s'] / 1000:,.1f} | {step.cpu_ms:.2f} | {f['server_busy']:.0%} | {load} |"
    )


def _words(climbs: Sequence[Climb]) -> list[str]:
    limits = ", ".join(
        f"{climb.subject} {climb.limit.people:,}" if climb.limit else f"{climb.subject} none"
        for climb in climbs
    )
    lines = [f"The most people each told in time, of those tried: {limits}."]
    for climb in climbs:
        if climb.subject != OURS:
            continue
        most = climb.limit.people if climb.limit else 0
        goals = ((MUST, "must"), (AIM, "aim"))
        lines.append(
            "; ".join(f"{kind}: {goal:,} {'✓' if most >= goal else '✗'}" for goal, kind in goals)
            + f". An `update_location` was answered in {_answers(climb)}."
        )
    return lines


def _quiet(climbs: Sequence[Climb]) -> str:
    steps = [(step.kept, climb.subject, step) for climb in climbs for step in climb.steps if step.on_time]
    if not steps:
        return ""
    kept, subject, step = max(steps, key=lambda each: each[0])
    return (
        f"Of those in time, the longest that server or load waited for a core that something else had:"
        f" {kept:.1%} of the time ({subject}, {step.people:,})."
    )


def _answers(climb: Climb) -> str:
    """How long an answer took, at the steps that the table shows."""
    return ", ".join(
        f"{step.figures['answer_p50_ms']:.1f} ms (p99 {step.figures['answer_p99_ms']:.0f}) with {step.people:,}"
        for step in _shown(climb)
        if step.on_time
    )


def plot(climbs: Sequence[Climb]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "hereabouts", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator

    panels: list[tuple[str, str, Callable[[Step], float]]] = [
        ("Lateness, p99", "ms", lambda step: max(1.0, step.figures["late_p99_ms"])),
        ("Age of a position when it arrives, p50", "ms", lambda step: step.figures["age_p50_ms"]),
        ("What a client receives", "KB/s", lambda step: step.figures["bytes_per_s"] / 1000),
        ("The server's processor time for a mover", "ms/s", lambda step: step.cpu_ms),
    ]
    figure, axes = plt.subplots(2, 2, figsize=(10, 7))
    people = sorted({step.people for climb in climbs for step in climb.steps})
    for axis, (title, unit, value) in zip(axes.flat, panels, strict=True):
        for climb, colour in zip(climbs, COLOURS, strict=False):
            steps = [step for step in climb.steps if not step.why]
            xs, ys = [step.people for step in steps], [value(step) for step in steps]
            ours = climb.subject == OURS
            axis.plot(
                xs,
                ys,
                color=colour,
                linewidth=2.4 if ours else 1.4,
                zorder=3 if ours else 2,
                label=climb.subject,
            )
            for step, y in zip(steps, ys, strict=True):
                face = colour if step.on_time else "white"
                axis.plot(step.people, y, "o", color=colour, markerfacecolor=face, markersize=5, zorder=4)
        if title.startswith("Lateness"):
            axis.axhline(TICK_MS, color="#dc2626", linewidth=0.8, linestyle=":")
            axis.text(people[0], 1.12 * TICK_MS, "one tick", color="#dc2626", fontsize=8)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(title, loc="left", fontsize=9.5, color="#0f172a")
        axis.set_ylabel(unit, color="#64748b")
        axis.set_xticks(people, [f"{count:,}" for count in people], rotation=45, fontsize=8)
        low, high = axis.get_ylim()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
        axis.minorticks_off()
        axis.grid(color="#e2e8f0", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color("#cbd5e1")
        axis.tick_params(colors="#334155", length=0)
    for axis in axes[1]:
        axis.set_xlabel("people who walk", color="#64748b")
    lines, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        lines, labels, loc="lower center", bbox_to_anchor=(0.5, 0.02), ncols=len(labels), frameon=False
    )
    figure.text(0.5, 0.005, "hollow: too late, or the core is full", ha="center", fontsize=8, color="#64748b")
    figure.patch.set_facecolor("white")
    figure.tight_layout(h_pad=1.6, w_pad=2.4, rect=(0, 0.07, 1, 1))
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)
