"""What the latency benchmark finds, run by run, and its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

FLOOR = "floor"
"""Not a program: the receiver reads what the generator sends, with nothing between."""
LAG_HELD_MS = 1.0
BEHIND_HELD_MS = 100.0
"""A generator whose p99 of lag, or whose backlog at the end, is above these does not hold its rate: the figures
tell of it and its broker, not of the program."""
LINE = "{:<18} {:>22} {:>22} {:>8} {:>10} {:>15}  {}"


@dataclass
class Run:
    """What one program did in one round at one rate; latencies in ms.

    Attributes:
        lag_ms: how late the generator was: p50, p99 and max.
        behind_ms: how long after the last event was due the broker had all of them.
        p50_ms: from when an event was due to when its decision was read, over the measured events.
        p99_ms: the same.
        p999_ms: the same.
        max_ms: the same.
        own_ms: streamproc's part of it, from fetched to handed to the producer, by its own books.
        cpu_us: CPU time of the program an event of the schedule, warm-up included.
        own_cpu_us: that of its first process alone.
        measured: decisions that count in these.
        missing: events without a decision.
        repeated: decisions beyond one an event.
        wrong: decisions with another class than the model's.
        status: the program's exit status.
        load_1m: the machine's load average before it.
    """

    program: str
    rate: int
    round: int
    load_1m: float
    lag_ms: dict[str, float] = field(default_factory=dict)
    behind_ms: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    max_ms: float = 0.0
    own_ms: dict[str, float] = field(default_factory=dict)
    cpu_us: float = 0.0
    own_cpu_us: float = 0.0
    measured: int = 0
    missing: int = 0
    repeated: int = 0
    wrong: int = 0
    status: int = 0

    @property
    def held(self) -> bool:
        """Whether the generator kept to its schedule, and the broker took what it sent."""
        in_time = self.lag_ms.get("p99", 0.0) <= LAG_HELD_MS and self.behind_ms <= BEHIND_HELD_MS
        return in_time and self.measured > 0

    @property
    def fault(self) -> str:
        """What makes the run worthless; empty if nothing."""
        faults = {
            f"status {self.status}": self.status != 0,
            f"{self.missing} missing": self.missing,
            f"{self.repeated} repeated": self.repeated,
            f"{self.wrong} wrong": self.wrong,
        }
        return ", ".join(text for text, found in faults.items() if found)


def summarise(runs: list[Run]) -> dict[str, Any]:
    """Medians of the rounds by rate and program, and what streamproc is beside the floor and the better loop."""
    summary: dict[str, Any] = {}
    for rate in dict.fromkeys(run.rate for run in runs):
        programs: dict[str, Any] = {}
        for program in dict.fromkeys(run.program for run in runs):
            mine = [run for run in runs if (run.rate, run.program) == (rate, program)]
            if not mine:
                continue
            programs[program] = {
                "p50_ms": _spread([run.p50_ms for run in mine]),
                "p99_ms": _spread([run.p99_ms for run in mine]),
                "p999_ms": _spread([run.p999_ms for run in mine]),
                "cpu_us": _spread([run.cpu_us for run in mine]),
                "lag_p99_ms": _spread([run.lag_ms.get("p99", 0.0) for run in mine]),
                "held": sum(run.held for run in mine),
                "rounds": len(mine),
                "fault": "; ".join(sorted({run.fault for run in mine if run.fault})),
            }
            if own := [run.own_ms for run in mine if run.own_ms]:
                programs[program]["own_p50_ms"] = _spread([each["p50"] for each in own])
                programs[program]["own_p99_ms"] = _spread([each["p99"] for each in own])
        summary[str(rate)] = {"programs": programs, "beside": _beside(programs)}
    return summary


def _spread(values: list[float]) -> dict[str, float]:
    found = {"median": median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def _beside(programs: dict[str, Any]) -> dict[str, float | str]:
    """How far streamproc's p50 lies above the floor's, and how many times the better loop's its figures are."""

    def at(program: str, name: str) -> float:
        return float(programs[program][name]["median"])

    programs = {name: values for name, values in programs.items() if not values["fault"]}
    loops = [name for name in programs if name not in (FLOOR, "streamproc")]
    found: dict[str, float | str] = {}
    if "streamproc" not in programs:
        return found
    if FLOOR in programs:
        found["p50_above_floor_ms"] = round(at("streamproc", "p50_ms") - at(FLOOR, "p50_ms"), 3)
    for name in ("p50_ms", "p99_ms") if loops else ():
        best = min(at(loop, name) for loop in loops)
        if best:
            found[f"{name[:3]}_of_better_loop"] = round(at("streamproc", name) / best, 3)
    return found


def show(summary: dict[str, Any]) -> None:
    for rate, found in summary.items():
        print(f"\n{int(rate):,} events/s: median of the rounds (least - most), ms")
        print(
            LINE.format(
                "program", "p50", "p99", "p99.9", "CPU us/ev", "lag p99 (held)", "own p50 / p99"
            )
        )
        for program, values in found["programs"].items():
            own = ""
            if "own_p99_ms" in values:
                p50, p99 = values["own_p50_ms"]["median"], values["own_p99_ms"]["median"]
                own = f"{p50:.2f} / {p99:.2f}"
            held = f"{values['lag_p99_ms']['median']:.2f} ({values['held']}/{values['rounds']})"
            p999 = f"{values['p999_ms']['median']:.1f}"
            spreads = [_text(values[name]) for name in ("p50_ms", "p99_ms")]
            cpu = f"{values['cpu_us']['median']:.0f}" if program != FLOOR else ""
            print(
                LINE.format(program, *spreads, p999, cpu, held, f"{own}  {values['fault']}".strip())
            )
        beside = found["beside"]
        if "p50_above_floor_ms" in beside:
            print(f"  streamproc's p50 above the floor's: {beside['p50_above_floor_ms']:.2f} ms")
        if "p50_of_better_loop" in beside:
            print(
                f"  streamproc / better loop: p50 {beside['p50_of_better_loop']:.2f}, p99 {beside['p99_of_better_loop']:.2f}"
            )


def _text(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['min']:.2f}-{spread['max']:.2f})"
