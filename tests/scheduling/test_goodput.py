"""Decisions in time under overload, on a pretended executor: no noise, so the numbers are exact.

A change of the scheduler that changes one of them is either meant, then write the new number here, or it
is not. The floor that must hold whatever is changed is asserted beside it.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from streamproc.core import Int64Array
from streamproc.scheduling import (
    Batching,
    LatencyModel,
    Ordering,
    Run,
    Scheduler,
    SendLatency,
    ShedPolicy,
)
from tests.scheduling.test_scheduler import events

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
SECOND_NS = 1_000 * MS
BUDGET_NS = 20 * MS
SEND_NS = MS
SIZE_MAX = 64
SIZES = np.arange(1, SIZE_MAX + 1)
RUN_NS: Int64Array = 2 * MS + SIZES * (MS // 10)
"""2 ms a batch and 0.1 ms an event, as in the design's measurements."""
CAPACITY = int(SECOND_NS // RUN_NS[-1]) * SIZE_MAX
"""Events of one second in full batches: 7,616."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the events of a simulation ended."""

    in_time: int
    late: int
    shed: int


def simulate(
    arrival_ns: Int64Array,
    *,
    shed: tuple[ShedPolicy, ...] = ("expired",),
    ordering: Ordering = "none",
    jitter_ns: Int64Array | int = 0,
    slowdown: float = 1.0,
) -> Tally:
    """One executor, one loop: it sleeps until the next arrival or the end of the run."""
    scheduler = Scheduler(
        batching=Batching(max_size=SIZE_MAX),
        shed=shed,
        ordering=ordering,
        latency=LatencyModel(SIZES.tolist(), RUN_NS.tolist(), size_max=SIZE_MAX),
        send=SendLatency(ceiling_ns=BUDGET_NS // 2, first_ns=SEND_NS),
        slots=1,
    )
    deadline_ns = arrival_ns + BUDGET_NS - jitter_ns
    now_ns, offered, in_time, late, given_up = START_NS, 0, 0, 0, 0
    while offered < len(arrival_ns) or scheduler.queue_depth:
        ready = int(np.searchsorted(arrival_ns, now_ns, side="right"))
        scheduler.offer(events(range(offered, ready), deadline_ns[offered:ready].tolist()), 0)
        offered = ready
        step = scheduler.next_action(now_ns)
        given_up += sum(len(part.number) for part in step.shed)
        if isinstance(step.action, Run):
            number = step.action.number
            now_ns += round(RUN_NS[len(number) - 1] * slowdown)
            scheduler.complete(step.action.run, now_ns)
            scheduler.acknowledged(now_ns, now_ns + SEND_NS)
            good = int(np.count_nonzero(now_ns + SEND_NS <= deadline_ns[number]))
            in_time += good
            late += len(number) - good
        elif offered < len(arrival_ns):
            now_ns = int(arrival_ns[offered])
    return Tally(in_time, late, given_up)


def poisson(load: float) -> Int64Array:
    """One second of arrivals at a multiple of the capacity."""
    rng = np.random.default_rng(7)
    gaps = rng.exponential(SECOND_NS / (CAPACITY * load), round(CAPACITY * load))
    return START_NS + np.cumsum(gaps).astype(np.int64)


def bursts(load: float) -> Int64Array:
    """The same number of events in bursts of 10 ms, one in 100 ms."""
    arrival_ns = poisson(load) - START_NS
    tenth, within = np.divmod(arrival_ns, 100 * MS)
    return START_NS + tenth * 100 * MS + within // 10


@pytest.mark.parametrize(
    ("load", "in_time"), [(0.5, 3_808), (1.0, 7_534), (2.0, 7_724), (4.0, 7_770)]
)
def test_overload_costs_no_goodput(load: float, in_time: int) -> None:
    tally = simulate(poisson(load))
    assert tally.late == 0
    assert tally.in_time + tally.shed == round(CAPACITY * load)
    assert tally.in_time >= 0.8 * min(load, 1.0) * CAPACITY
    assert tally.in_time == in_time


def test_without_shedding_overload_makes_almost_all_late() -> None:
    assert simulate(poisson(2.0), shed=()) == Tally(in_time=189, late=15_043, shed=0)


def test_bursts() -> None:
    assert simulate(bursts(0.5)) == Tally(in_time=1_937, late=0, shed=1_871)


@pytest.mark.parametrize(("ordering", "in_time"), [("none", 7_760), ("partition", 7_758)])
def test_deadlines_out_of_order(ordering: Ordering, in_time: int) -> None:
    jitter_ns = np.random.default_rng(3).integers(0, 5 * MS, round(CAPACITY * 4.0))
    tally = simulate(poisson(4.0), ordering=ordering, jitter_ns=jitter_ns)
    assert tally.late == 0
    assert tally.in_time >= 0.8 * CAPACITY
    assert tally.in_time == in_time


def test_an_executor_twice_as_slow_as_measured_is_learned_at_once() -> None:
    tally = simulate(poisson(4.0), slowdown=2.0)
    assert tally == Tally(in_time=3_871, late=0, shed=26_593)
