"""Decisions in time under overload, on a simulated executor: no noise, so the numbers are exact.

A change of the scheduler that changes one of them is either meant, then write the new number here, or it
is not. The floor that must hold whatever is changed is asserted beside it.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Int64Array
from streamproc.replay.simulation import (
    Machine,
    Result,
    Rules,
    SimulatedVariant,
    Traffic,
    exact,
    simulate,
    straight_line,
)
from streamproc.scheduling import (
    Batching,
    Expired,
    LaneSpec,
    Ordering,
    Planner,
    PlannerName,
    ShedPolicy,
)

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
SECOND_NS = 1_000 * MS
BUDGET_NS = 20 * MS
SEND_NS = MS
SIZE_MAX = 64
RUN_NS: Int64Array = straight_line(fixed_ns=2 * MS, per_event_ns=MS // 10, size_max=SIZE_MAX)
"""2 ms a batch and 0.1 ms an event."""
CAPACITY = int(SECOND_NS // RUN_NS[-1]) * SIZE_MAX
"""Events of one second in full batches: 7,616."""
BOTH = (Expired(), Planner())


def play(
    arrival_ns: Int64Array,
    *,
    shed: tuple[ShedPolicy, ...] = BOTH,
    ordering: Ordering = "none",
    policy: PlannerName = "early_drop",
    earlier_ns: Int64Array | int = 0,
    executors: int = 1,
    lane: Int64Array | None = None,
    lanes: tuple[LaneSpec, ...] = (LaneSpec("default", budget_ns=BUDGET_NS),),
) -> Result:
    deadline_ns = arrival_ns + BUDGET_NS - earlier_ns
    return simulate(
        Traffic(arrival_ns=arrival_ns, deadline_ns=deadline_ns, lane=lane),
        Machine(variants=[SimulatedVariant(RUN_NS)], executors=executors, send_ns=SEND_NS),
        Rules(
            batching=Batching(policy=policy, max_size=SIZE_MAX),
            shed=shed,
            ordering=ordering,
            lanes=lanes,
        ),
        rng=np.random.default_rng(1),
    )


def poisson(load: float, seed: int = 7) -> Int64Array:
    """One second of arrivals at a multiple of the capacity."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(SECOND_NS / (CAPACITY * load), round(CAPACITY * load))
    return START_NS + np.cumsum(gaps).astype(np.int64)


def bursts(load: float) -> Int64Array:
    """The same number of events in bursts of 10 ms, one in 100 ms."""
    arrival_ns = poisson(load) - START_NS
    tenth, within = np.divmod(arrival_ns, 100 * MS)
    return START_NS + tenth * 100 * MS + within // 10


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0, 4.0])
def test_overload_costs_no_goodput(load: float) -> None:
    arrival_ns = poisson(load)
    played = play(arrival_ns)
    best = exact(arrival_ns, arrival_ns + BUDGET_NS - SEND_NS, run_ns=RUN_NS)
    assert played.late == 0
    assert played.in_time >= 0.97 * best


def test_without_shedding_overload_makes_almost_all_late() -> None:
    assert play(poisson(2.0), shed=()).in_time < 0.05 * CAPACITY


def test_serving_only_what_is_not_hopeless_is_a_trap() -> None:
    assert play(poisson(2.0), shed=(Expired(),)).in_time < 0.5 * CAPACITY


def test_bursts() -> None:
    arrival_ns = bursts(0.5)
    best = exact(arrival_ns, arrival_ns + BUDGET_NS - SEND_NS, run_ns=RUN_NS)
    assert play(arrival_ns).in_time >= 0.95 * best


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_deadlines_out_of_order(ordering: Ordering) -> None:
    earlier_ns = np.random.default_rng(3).integers(0, 5 * MS, round(CAPACITY * 4.0))
    played = play(poisson(4.0), ordering=ordering, earlier_ns=earlier_ns)
    assert played.late == 0
    assert played.in_time >= 0.8 * CAPACITY


def test_two_executors_answer_nearly_twice_as_many() -> None:
    one, two = (play(poisson(4.0), executors=n).in_time for n in (1, 2))
    assert two >= 1.9 * one


def test_a_high_lane_is_answered_while_four_times_the_capacity_comes() -> None:
    arrival_ns = poisson(4.0)
    lane = (np.random.default_rng(5).random(len(arrival_ns)) >= 0.05).astype(np.int64)
    lanes = (LaneSpec("high", 0, 0.0, BUDGET_NS), LaneSpec("low", 1, 0.0, BUDGET_NS))
    played = play(arrival_ns, lane=lane, lanes=lanes)
    (high, high_in_time), (_, low_in_time) = played.by_lane(2)
    assert high_in_time >= 0.99 * high
    assert high_in_time + low_in_time >= 0.9 * CAPACITY


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from([0.5, 1.0, 2.0, 4.0]), st.booleans())
def test_fewer_arrivals_never_lower_the_share_in_time(seed: int, load: float, bursty: bool) -> None:
    arrival_ns = poisson(load, seed) if not bursty else bursts(load)
    kept = np.random.default_rng(seed).random(len(arrival_ns)) >= 0.1
    fewer_ns = arrival_ns[kept]
    share = play(arrival_ns).in_time / len(arrival_ns)
    assert play(fewer_ns).in_time / len(fewer_ns) >= share - 0.02
