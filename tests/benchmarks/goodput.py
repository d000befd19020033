"""Goodput of the planners beside the exact clairvoyant optimum, on simulated executors: no noise, no broker.

    python -m tests.benchmarks.goodput            # the tables of docs/scheduling.md: some minutes
    python -m tests.benchmarks.goodput --quick    # one seed, the default planner: a minute

Each figure is the mean over seeds of (events answered in time) / (the most that could have been, all arrivals
known beforehand). The exit status is 1 where the default falls short of what is promised.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from streamproc.replay import Recording
from streamproc.replay.simulation import (
    Machine,
    Rules,
    SimulatedVariant,
    Traffic,
    bursty,
    busy_stretches,
    capacity_per_s,
    exact,
    poisson,
    recorded,
    simulate,
    straight_line,
)
from streamproc.scheduling import Batching, LaneSpec, PlannerName
from tests.benchmarks.conditions import RESULTS, ROOT, write_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamproc.core import Int64Array

MS = 1_000_000
DEFAULT: PlannerName = "early_drop"
PLANNERS: tuple[PlannerName, ...] = get_args(PlannerName)
LOADS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
SEEDS = 10
OTHERS_SEEDS = 3
"""Seeds for the planners that are there to compare: they differ by tens of percent."""
BURSTS = 20
"""In each bursty and recorded trace, at least."""
RECORDED_EVENTS = 15_000
"""Of the recording, from a place that the seed gives: 20 to 93 bursts (windows of 10 ms with 20 times the mean)."""
WORST_MIN, MEAN_MIN = 0.95, 0.98
MARKET = ROOT / "replay" / "market" / "btcusdt.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Device:
    """A simulated executor, its largest batch and the budget of its events."""

    fixed_ms: float
    per_event_ms: float
    size_max: int
    budget_ms: int

    def __str__(self) -> str:
        return f"{self.fixed_ms:g} + {self.per_event_ms:g}, {self.size_max}, {self.budget_ms}"

    @property
    def budget_ns(self) -> int:
        return self.budget_ms * MS

    @property
    def run_ns(self) -> Int64Array:
        fixed_ns, per_event_ns = round(self.fixed_ms * MS), round(self.per_event_ms * MS)
        return straight_line(fixed_ns=fixed_ns, per_event_ns=per_event_ns, size_max=self.size_max)

    @property
    def capacity_per_s(self) -> float:
        return capacity_per_s(self.run_ns, budget_ns=self.budget_ns)


DEVICES = (
    Device(2, 0.1, 64, 20),
    Device(2, 0.5, 64, 20),
    Device(5, 1, 32, 20),
    Device(1, 0.2, 16, 5),
)


class Case(NamedTuple):
    """One trace on one executor."""

    device: Device
    arrivals: str
    load: float
    seed: int


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    case: Case
    events: int
    bursts: int
    optimum: int
    in_time: dict[str, int]
    late: dict[str, int]

    def share(self, planner: str) -> float:
        return self.in_time[planner] / self.optimum


def poisson_trace(rng: np.random.Generator, device: Device, rate_per_s: float) -> Int64Array:
    """As long as the bursty one."""
    profile = poisson(duration_ns=BURSTS * 8 * device.budget_ns)
    return profile.arrivals(rng, rate_per_s=rate_per_s)


def bursty_trace(rng: np.random.Generator, device: Device, rate_per_s: float) -> Int64Array:
    """Bursts of two budgets, gaps of six, on average."""
    times = {"burst_ns": 2 * device.budget_ns, "gap_ns": 6 * device.budget_ns}
    profile = bursty(rng, bursts_min=BURSTS, **times)
    return profile.arrivals(rng, rate_per_s=rate_per_s)


def market_trace(rng: np.random.Generator, device: Device, rate_per_s: float) -> Int64Array:
    """A part of the recorded market data, squeezed to the rate."""
    return recorded(rng, _market_ns(), rate_per_s=rate_per_s, count=RECORDED_EVENTS)


ARRIVALS = {"Poisson": poisson_trace, "bursty": bursty_trace, "market": market_trace}


@cache
def _market_ns() -> Int64Array:
    return Recording(MARKET).timestamp_ns()


def _bursts(case: Case, arrival_ns: Int64Array) -> int:
    """How many bursts a trace has; Poisson's have none."""
    if case.arrivals == "market":
        scale = len(arrival_ns) / float(arrival_ns[-1]) / (len(_market_ns()) / np.ptp(_market_ns()))
        return busy_stretches(arrival_ns, window_ns=max(1, round(10 * MS / scale)), times=20)
    return BURSTS if case.arrivals == "bursty" else 0


def play(case: Case, planners: tuple[PlannerName, ...], cache_folder: Path) -> Found:
    """One trace: the optimum, and all planners on it."""
    device = case.device
    rng = np.random.default_rng([case.seed, *case.arrivals.encode()])
    rate_per_s = case.load * device.capacity_per_s
    arrival_ns = ARRIVALS[case.arrivals](rng, device, rate_per_s)
    deadline_ns = arrival_ns + device.budget_ns
    traffic = Traffic(arrival_ns=arrival_ns, deadline_ns=deadline_ns)
    machine = Machine(variants=[SimulatedVariant(device.run_ns)])
    in_time, late = {}, {}
    for planner in planners:
        rules = Rules(
            batching=Batching(policy=planner, max_size=device.size_max),
            lanes=[LaneSpec("default", budget_ns=device.budget_ns)],
        )
        result = simulate(traffic, machine, rules, rng=rng)
        in_time[planner], late[planner] = result.in_time, result.late
    optimum = _optimum(arrival_ns, deadline_ns, device.run_ns, cache_folder)
    return Found(case, len(traffic), _bursts(case, arrival_ns), optimum, in_time, late)


def _optimum(
    arrival_ns: Int64Array, deadline_ns: Int64Array, run_ns: Int64Array, folder: Path
) -> int:
    """The exact optimum, remembered by what it is of: it costs more than all planners together."""
    digest = hashlib.sha256()
    for column in (arrival_ns, deadline_ns, run_ns):
        digest.update(column.tobytes())
    file = folder / f"{digest.hexdigest()[:32]}.json"
    if file.exists():
        return int(json.loads(file.read_text()))
    best = exact(arrival_ns, deadline_ns, run_ns=run_ns)
    file.write_text(json.dumps(best))
    return best


def cases(options: argparse.Namespace) -> Iterator[tuple[Case, tuple[PlannerName, ...]]]:
    """All traces, with the planners that are to be tried on each; the dear ones first."""
    for load in sorted(options.loads, reverse=True):
        for device in DEVICES:
            for arrivals in options.arrivals:
                for place in range(options.seeds):
                    wanted = options.planners if place < OTHERS_SEEDS else options.planners[:1]
                    yield Case(device, arrivals, load, options.first_seed + place), wanted


def shares(found: list[Found], planner: str) -> dict[tuple[Device, str, float], float]:
    """The share of the optimum by device, arrivals and load: means over the seeds."""
    by_case: dict[tuple[Device, str, float], list[float]] = {}
    for one in found:
        if planner in one.in_time:
            by_case.setdefault(one.case[:3], []).append(one.share(planner))
    return {case: mean(values) for case, values in by_case.items()}


def show(found: list[Found], options: argparse.Namespace) -> bool:
    """Print the tables; True where the first planner keeps what is promised."""
    first = options.planners[0]
    table = shares(found, first)
    loads = sorted(options.loads)
    print(f"\n`{first}`: share of the exact optimum, mean of {options.seeds} seeds\n")
    print("| executor: ms a batch + ms an event, largest batch, budget ms | capacity/s | arrivals | "
          + " | ".join(f"{load:g}x" for load in loads) + " |")  # fmt: skip
    print("|---|---|---|" + "---|" * len(loads))
    for device in DEVICES:
        for arrivals in options.arrivals:
            cells = " | ".join(f"{table[device, arrivals, load]:.3f}" for load in loads)
            print(f"| {device} | {device.capacity_per_s:,.0f} | {arrivals} | {cells} |")
    print("\n| planner | worst | mean | late, of all events |\n|---|---|---|---|")
    for planner in options.planners:
        values = shares(found, planner)
        tried = [one for one in found if planner in one.in_time]
        late = sum(one.late[planner] for one in tried) / sum(one.events for one in tried)
        print(
            f"| `{planner}` | {min(values.values()):.3f} | {mean(values.values()):.3f} | {late:.2%} |"
        )
    worst_case, worst = min(table.items(), key=lambda item: item[1])
    late = sum(one.late[first] for one in found)
    bursts = min((one.bursts for one in found if one.case.arrivals != "Poisson"), default=BURSTS)
    print(f"\n{first}: worst {worst:.4f} ({worst_case[0]}; {worst_case[1]} at {worst_case[2]:g}x), "
          f"mean {mean(table.values()):.4f}, late {late}; at least {bursts} bursts a trace")  # fmt: skip
    return worst >= WORST_MIN and mean(table.values()) >= MEAN_MIN and not late


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="goodput", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--planners", default=",".join(PLANNERS), help="the first is judged (default: %(default)s)")  # fmt: skip
    parser.add_argument("--arrivals", default=",".join(ARRIVALS), help="default: %(default)s")
    parser.add_argument("--loads", default=",".join(map(str, LOADS)), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one seed, the first planner")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    options.planners = tuple(options.planners.split(","))
    options.arrivals = options.arrivals.split(",")
    options.loads = [float(load) for load in options.loads.split(",")]
    for kind, given, known in (
        ("planner", options.planners, PLANNERS),
        ("arrivals", options.arrivals, ARRIVALS),
    ):
        if unknown := set(given) - set(known):
            parser.error(f"no such {kind}: {', '.join(unknown)}; there are {', '.join(known)}")
    if options.quick:
        options.seeds, options.planners = 1, options.planners[:1]
    return options


def main() -> int:
    """Run, print and write it."""
    options, began = arguments(), datetime.now(UTC)
    folder = options.out / "optimum"
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=2) as pool:
        todo = list(cases(options))
        jobs = [pool.submit(play, case, planners, folder) for case, planners in todo]
        found = []
        for number, job in enumerate(jobs, start=1):
            found.append(job.result())
            if number % 48 == 0 or number == len(jobs):
                spent_s = (datetime.now(UTC) - began).total_seconds()
                print(f"{number} of {len(jobs)} traces, {spent_s:.0f} s", file=sys.stderr)
    kept = show(found, options)
    runs = [
        {**one.case._asdict(), "device": asdict(one.case.device), **asdict(one)} for one in found
    ]
    for run in runs:
        run.pop("case")
    file = write_result(options.out, "goodput", began, {"runs": runs})
    print(f"written to {file}", file=sys.stderr)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
