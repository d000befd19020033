"""What the scheduler itself costs: CPU time for each event, by planner, size of the batch and what else is asked of it.

    python -m tests.benchmarks.scheduling_cost

An event is offered, planned, run and acknowledged; nothing is decoded or inferred. Medians of the rounds, in CPU time
of the thread, so that other programs disturb little.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, get_args

import numpy as np

from streamproc.scheduling import (
    Batching,
    Conflate,
    Expired,
    LaneSpec,
    LatencyModel,
    Offered,
    Planner,
    PlannerName,
    Run,
    Scheduler,
    SendLatency,
    Utility,
    Variant,
)
from tests.benchmarks.conditions import RESULTS, machine, write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamproc.core import Int64Array
    from streamproc.scheduling import ShedPolicy

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
SIZES = (1, 16, 64, 256, 1_024)
BUDGET_NS = 50 * MS
BATCHES = 300
BOTH = (Expired(), Planner())
LIMITS_NS = {64: 2_000, 256: 500}
"""Promised, for each event at these batch sizes."""


def cost_ns(
    size: int,
    *,
    policy: PlannerName = "early_drop",
    shed: Sequence[ShedPolicy] = BOTH,
    lanes: int = 1,
    overload: int = 1,
) -> float:
    """The CPU time of one event in ns.

    Args:
        size: events of a batch; each offer brings as many.
        policy: the planner.
        shed: the policies.
        lanes: how many lanes the events are spread over.
        overload: how many offers come for each batch.
    """
    curve = range(MS, MS + size * 10_000, 10_000)
    scheduler = Scheduler(
        batching=Batching(policy=policy, max_size=size),
        shed=shed,
        ordering="key",
        variants=[Variant("full", 1.0, LatencyModel(range(1, size + 1), curve, size_max=size))],
        send=SendLatency(ceiling_ns=BUDGET_NS // 2, first_ns=MS),
        slots=1,
        lanes=[LaneSpec(f"lane {n}", n, 0.1, BUDGET_NS) for n in range(lanes)],
    )
    offers = [_offer(n, size, lanes, keys=scheduler.wants_keys) for n in range(BATCHES * overload)]
    took_ns = curve[-1]
    begun_ns = time.thread_time_ns()
    now_ns = START_NS
    for number, offer in enumerate(offers):
        scheduler.offer(offer, now_ns)
        if (number + 1) % overload:
            continue
        action = scheduler.next_action(now_ns, draining=True).action
        if isinstance(action, Run):
            scheduler.complete(action.run, now_ns + took_ns)
            scheduler.acknowledged(now_ns + took_ns, now_ns + took_ns + MS)
        scheduler.next_action(now_ns)  # as the engine asks until it is idle
        now_ns += 4 * MS
    return (time.thread_time_ns() - begun_ns) / (len(offers) * size)


def _offer(number: int, size: int, lanes: int, *, keys: bool) -> Offered:
    first = number * size
    event: Int64Array = np.arange(first, first + size)
    return Offered(
        event,
        START_NS + number * 4 * MS + BUDGET_NS + np.arange(size),
        0,
        lane=event % lanes if lanes > 1 else None,
        key=event % 64 if keys else None,
    )


def main() -> int:
    """Measure, print and write it."""
    parser = argparse.ArgumentParser(
        prog="scheduling_cost", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    began = datetime.now(UTC)
    asked: dict[str, dict[str, object]] = {
        f"`{name}`": {"policy": name} for name in get_args(PlannerName)
    }
    asked |= {
        "`early_drop`, two lanes": {"lanes": 2},
        "`early_drop`, 4 times the load": {"overload": 4},
        "and `conflate`": {"overload": 4, "shed": (*BOTH, Conflate())},
        "and `utility`": {"overload": 4, "shed": (*BOTH, Utility("value"))},
    }
    found = {
        name: {
            size: median(cost_ns(size, **settings) for _ in range(options.rounds))  # type: ignore[arg-type]
            for size in SIZES
        }
        for name, settings in asked.items()
    }
    print("ns of CPU time an event, by the size of the batch\n")
    print("| | " + " | ".join(f"{size:,}" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name, costs in found.items():
        print(f"| {name} | " + " | ".join(f"{cost:,.0f}" for cost in costs.values()) + " |")
    file = write_result(options.out, "scheduling-cost", began, {"ns_per_event": found})
    print(f"\n{machine()['cpu']}; written to {file}")
    first = found["`early_drop`"]
    return 0 if all(first[size] <= limit_ns for size, limit_ns in LIMITS_NS.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
