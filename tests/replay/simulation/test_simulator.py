"""The simulator: nothing lost, nothing too early, and never better than the best."""

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Duration, InvariantError, Outcome, Reason
from streamproc.replay.simulation import (
    Machine,
    Ran,
    Result,
    Rules,
    SimulatedVariant,
    Traffic,
    compare,
    load_one_per_s,
    optimum,
    poisson,
    simulate,
    straight_line,
)
from streamproc.replay.simulation.machine import run_time_ns
from streamproc.scheduling import (
    Batching,
    Expired,
    LaneSpec,
    Planner,
    PlannerName,
    Run,
    Shed,
    ShedPolicy,
)

MS = 1_000_000
BUDGET_NS = 20 * MS
RUN_NS = straight_line(fixed_ns=2 * MS, per_event_ns=MS // 10, size_max=64)
MACHINE = Machine(variants=[SimulatedVariant(RUN_NS)], send_ns=MS)
RULES = Rules(batching=Batching(max_size=64), lanes=[LaneSpec("default", budget_ns=BUDGET_NS)])
PLANNERS: tuple[PlannerName, ...] = get_args(PlannerName)
SHED: tuple[tuple[ShedPolicy, ...], ...] = ((), (Expired(),), (Expired(), Planner()))


def arrivals(load: float, *, duration_ns: int = 500 * MS, seed: int = 1) -> Traffic:
    rate_per_s = load * load_one_per_s(MACHINE, budget_ns=BUDGET_NS)
    profile = poisson(duration_ns=duration_ns)
    arrival_ns = profile.arrivals(np.random.default_rng(seed), rate_per_s=rate_per_s)
    return Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + BUDGET_NS)


def run(traffic: Traffic, machine: Machine = MACHINE, rules: Rules = RULES) -> Result:
    return simulate(traffic, machine, rules, rng=np.random.default_rng(7))


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    count = draw(st.integers(1, 40))
    gaps = draw(st.lists(st.integers(0, 4 * MS), min_size=count, max_size=count))
    budgets = draw(st.lists(st.integers(0, 30 * MS), min_size=count, max_size=count))
    arrival_ns = np.cumsum(np.array(gaps, np.int64))
    return Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + np.array(budgets, np.int64))


@given(
    traffics(), st.sampled_from(PLANNERS), st.sampled_from(SHED), st.integers(1, 3), st.booleans()
)
def test_whatever_comes(
    traffic: Traffic,
    planner: PlannerName,
    shed: tuple[ShedPolicy, ...],
    executors: int,
    ordered: bool,
) -> None:
    machine = replace(MACHINE, executors=executors, jitter=0.2)
    rules = replace(
        RULES,
        batching=Batching(policy=planner, max_size=8),
        shed=shed,
        ordering="key" if ordered else "none",
    )
    result = run(traffic, machine, rules)
    books = result.accounts("p", RULES.lanes)
    books.check()
    assert books.consumed == len(traffic)
    assert bool(shed) or books.outcomes[Outcome.SHED] == 0
    came_ns, due_ns = traffic.arrival_ns, traffic.deadline_ns
    for one in result.ran:
        assert len(one.run.number) <= 8
        assert came_ns[one.run.number].max() <= one.started_ns
        assert one.started_ns + RUN_NS[len(one.run.number) - 1] <= one.ended_ns
        assert one.ended_ns + MS <= one.acknowledged_ns
    on_time = result.outcome == Outcome.ON_TIME
    assert (result.acknowledged_ns[on_time] <= due_ns[on_time]).all()
    assert _most_at_once(result) <= executors
    best = optimum(came_ns, due_ns - MS, run_ns=RUN_NS[:8], executors=executors)
    assert result.in_time <= best.served


def _most_at_once(result: Result) -> int:
    starts = [(one.started_ns, 1) for one in result.ran]
    ends = [(one.ended_ns, -1) for one in result.ran]
    return int(np.cumsum([change for _, change in sorted(starts + ends)]).max(initial=0))


@pytest.mark.parametrize("planner", PLANNERS)
def test_the_time_of_the_day_changes_nothing(planner: PlannerName) -> None:
    rules = replace(RULES, batching=Batching(policy=planner, max_size=64))
    early = arrivals(1.5, duration_ns=200 * MS)
    shift_ns = 1_700_000_000_000 * MS
    late = Traffic(arrival_ns=early.arrival_ns + shift_ns, deadline_ns=early.deadline_ns + shift_ns)
    assert run(early, rules=rules).outcome.tolist() == run(late, rules=rules).outcome.tolist()


def test_a_seed_gives_the_same_again_and_another_one_does_not() -> None:
    machine, traffic = replace(MACHINE, jitter=0.3), arrivals(1.5)

    def ends(seed: int) -> list[int]:
        result = simulate(traffic, machine, RULES, rng=np.random.default_rng(seed))
        return [one.ended_ns for one in result.ran]

    assert ends(1) == ends(1) != ends(2)


def test_the_default_is_near_the_optimum_and_late_with_nothing() -> None:
    for load in (0.5, 2.0, 4.0):
        (trial,) = compare({load: arrivals(load)}, MACHINE, RULES, ["early_drop"], seed=0)
        assert trial.best.kind == "exact"
        assert trial.share_of_best >= 0.98
        assert trial.result.late == 0


def test_two_executors_do_about_twice_as_much() -> None:
    traffic = arrivals(4.0)
    one, two = run(traffic).in_time, run(traffic, replace(MACHINE, executors=2)).in_time
    assert 1.9 < two / one < 2.1


def test_what_became_of_each_event() -> None:
    traffic = Traffic(arrival_ns=np.zeros(4, np.int64), deadline_ns=np.array([10, 10, 5, 10]))
    machine = Machine(variants=[SimulatedVariant(RUN_NS), SimulatedVariant(RUN_NS, "small", 0.5)])
    first, second = (Run(1, np.array([0]), "idle"), Run(2, np.array([1, 2]), "full", variant=1))
    ran = [Ran(first, 0, 3, 4), Ran(second, 4, 9, 10)]
    result = Result.of(traffic, machine, ran, [Shed(np.array([3]), Reason.PLANNER)])
    assert [Outcome(code).word for code in result.outcome] == [
        "on_time",
        "degraded",
        "late",
        "shed",
    ]
    assert result.quality.tolist() == [1.0, 0.5, 0.0, 0.0]
    assert (result.in_time, result.late, result.duration_ns) == (2, 1, 10)
    books = result.accounts("p", RULES.lanes)
    assert books.batches["full"] == books.batches["idle"] == 1
    assert books.reasons == {"planner": 1}


@pytest.mark.parametrize("shed", [[], [0, 0], [0, 1]])
def test_an_event_with_no_outcome_or_two_is_a_bug(shed: list[int]) -> None:
    traffic = Traffic(arrival_ns=np.zeros(2, np.int64), deadline_ns=np.full(2, 10))
    ran = [Ran(Run(1, np.array([1]), "idle"), 0, 3, 4)]
    given_up = [Shed(np.array(shed, np.int64), Reason.EXPIRED)]
    with pytest.raises(InvariantError, match="events without an outcome"):
        Result.of(traffic, MACHINE, ran, given_up)


def test_events_of_unequal_cost() -> None:
    traffic = arrivals(0.2, duration_ns=100 * MS)
    dear = replace(traffic, cost=np.full(len(traffic), 8.0))
    result = run(dear)
    assert all(
        one.ended_ns - one.started_ns == run_time_ns(RUN_NS, 8.0 * len(one.run.number))
        for one in result.ran
    )


def test_a_cost_beyond_the_curve_takes_as_long_as_that_much_of_the_largest_batch() -> None:
    assert run_time_ns(RUN_NS, 64.0) == RUN_NS[63]
    assert run_time_ns(RUN_NS, 128.0) == 2 * RUN_NS[63]
    assert run_time_ns(RUN_NS, 0.2) == RUN_NS[0]


def test_what_waits_behind_a_running_batch_has_waited_since_it_arrived() -> None:
    """A batch is full after 4 events; the fifth and sixth arrive while it runs, and may wait 3 ms."""
    arrival_ns = np.array([0, 0, 0, 0, 2, 2]) * MS
    traffic = Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + 20 * MS)
    run_ns = straight_line(fixed_ns=4 * MS, per_event_ns=MS // 10, size_max=4)
    batching = Batching(policy="fixed", max_size=4, max_queue_delay=Duration.parse("3ms"))
    result = run(
        traffic, Machine(variants=[SimulatedVariant(run_ns)]), replace(RULES, batching=batching)
    )
    assert [one.started_ns for one in result.ran] == [0, 5 * MS]


def test_lanes_are_counted_apart() -> None:
    traffic = arrivals(3.0)
    lane = (np.arange(len(traffic)) % 5 > 0).astype(np.int64)
    lanes = [LaneSpec("high", 0, 0.5, BUDGET_NS), LaneSpec("low", 1, 0.0, BUDGET_NS)]
    result = run(replace(traffic, lane=lane), rules=replace(RULES, lanes=lanes))
    books = result.accounts("p", lanes).lane_outcomes["high"]
    (high, high_good), (low, low_good) = result.by_lane(2)
    assert (high, low) == ((lane == 0).sum(), (lane == 1).sum())
    assert high_good + low_good == result.in_time
    assert books[Outcome.ON_TIME] == high_good
    assert high_good / high > 0.9 > low_good / low


def test_the_books_of_a_simulation() -> None:
    result = run(arrivals(2.0))
    summary = result.accounts("p", RULES.lanes, exact_bounds_ns=[BUDGET_NS]).summary(1.0, 0.0)
    assert sum(summary["outcomes"].values()) == summary["consumed"] == len(result.traffic)
    assert sum(summary["reasons"].values()) == summary["outcomes"]["shed"]
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["max"] <= BUDGET_NS / MS
    assert summary["stages_ms"]["emit"] == {"p50": 1.0, "p99": 1.0}


def test_more_time_between_events_scales_the_arrivals_and_keeps_the_budgets() -> None:
    traffic = arrivals(1.0, duration_ns=50 * MS)
    doubled = traffic.scaled(2.0)
    assert doubled.rate_per_s == pytest.approx(2 * traffic.rate_per_s, rel=1e-3)
    assert (doubled.deadline_ns - doubled.arrival_ns == BUDGET_NS).all()
    assert all(b >= a for a, b in pairwise(doubled.arrival_ns.tolist()))


def test_nothing_comes() -> None:
    nothing = np.empty(0, np.int64)
    result = run(Traffic(arrival_ns=nothing, deadline_ns=nothing))
    assert (result.in_time, result.late, result.duration_ns, len(result.ran)) == (0, 0, 0, 0)


def test_traffic_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="ascending"):
        Traffic(arrival_ns=np.array([2, 1]), deadline_ns=np.array([5, 5]))
    with pytest.raises(ValueError, match="one row an event"):
        Traffic(arrival_ns=np.array([1, 2]), deadline_ns=np.array([5]))
    with pytest.raises(ValueError, match="a machine needs"):
        Machine(variants=[])


@pytest.mark.parametrize("load", [2.0, 4.0])
def test_noise_makes_few_late_under_overload(load: float) -> None:
    """The margin finds the noise: without it one event in a hundred is late at 2x, and two at 4x."""
    run_ns = straight_line(fixed_ns=10 * MS, per_event_ns=2 * MS, size_max=256)
    machine = Machine(variants=[SimulatedVariant(run_ns)], send_ns=5 * MS, jitter=0.1)
    rules = Rules(lanes=[LaneSpec("default", budget_ns=200 * MS)])
    profile = poisson(duration_ns=60_000 * MS)
    arrival_ns = profile.arrivals(np.random.default_rng(3), rate_per_s=load * 350)
    traffic = Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + 200 * MS)
    result = run(traffic, machine, rules)
    decided = np.concatenate([ran.run.number for ran in result.ran])
    ended_ns = np.concatenate([np.full(len(r.run.number), r.ended_ns) for r in result.ran])
    late = ended_ns + machine.send_ns > traffic.deadline_ns[decided]
    assert late.mean() < 0.003
