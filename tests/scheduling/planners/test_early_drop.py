"""Early drop, against a search of all batches that could leave now."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import DeadlineQueue, Offered
from streamproc.scheduling.planners import EarlyDrop
from streamproc.scheduling.queue import block_of
from tests.scheduling.making import MS, RUN_NS, SEND_NS, START_NS
from tests.scheduling.planners.views import taken, view


def best_rate(after_ms: list[float], run_ns: list[int], cost: list[float] | None = None) -> float:
    """The most events per ns of any batch of neighbours that is in time as a whole."""
    best = 0.0
    for start in range(len(after_ms)):
        of_start = 0.0
        for stop in range(start + 1, len(after_ms) + 1):
            size = stop - start if cost is None else int(np.ceil(sum(cost[start:stop]) - 1e-9))
            if size <= len(run_ns) and run_ns[size - 1] + SEND_NS <= after_ms[start] * MS:
                rate = (stop - start) / run_ns[size - 1]
                # With costs, only batches that no event could be added to are compared.
                of_start = rate if cost is not None else max(of_start, rate)
        best = max(best, of_start)
    return best


deadlines = st.lists(st.integers(0, 40).map(float), min_size=1, max_size=10).map(sorted)
steps = st.lists(st.integers(0, 9), min_size=1, max_size=6)


def curve(step_ms: list[int]) -> list[int]:
    """A curve that never goes down, with stairs as a device has them that pads its batches."""
    return [(5 + sum(step_ms[: n + 1])) * MS for n in range(len(step_ms))]


@settings(max_examples=300, deadline=None)
@given(deadlines, steps)
def test_no_batch_answers_more_for_its_time(after_ms: list[float], step_ms: list[int]) -> None:
    run_ns = curve(step_ms)
    seen = view(after_ms, run_ns=run_ns)
    plan = EarlyDrop().plan(seen)
    best = best_rate(after_ms, run_ns)
    if not plan.count:
        assert best == 0.0
        assert plan.wait_until_ns is None
        return
    places = taken(seen, plan.count, plan.reach_ns)
    assert len(places) == plan.count
    assert after_ms[places[0]] * MS >= run_ns[plan.count - 1] + SEND_NS, "late by plan"
    assert plan.count / run_ns[plan.count - 1] == best


different = st.lists(st.integers(0, 40).map(float), min_size=1, max_size=10, unique=True).map(
    sorted
)


@settings(max_examples=200, deadline=None)
@given(different, steps, st.data())
def test_with_costs_too(after_ms: list[float], step_ms: list[int], data: st.DataObject) -> None:
    run_ns = curve(step_ms)
    cost = data.draw(
        st.lists(
            st.sampled_from([0.5, 1.0, 1.5, 2.0]),
            min_size=len(after_ms),
            max_size=len(after_ms),
        )
    )
    cost = [min(one, len(run_ns)) for one in cost]
    seen = view(after_ms, run_ns=run_ns, cost=cost)
    plan = EarlyDrop().plan(seen)
    best = best_rate(after_ms, run_ns, cost)
    if not plan.count:
        assert best == 0.0
        return
    assert plan.cost_max is not None
    queue = DeadlineQueue(keep_order=False)
    offer = Offered(np.arange(len(cost)), seen.deadline_ns, 0, cost=np.array(cost))
    queue.push(block_of(offer, START_NS))
    batch = queue.take(plan.count, reach_ns=plan.reach_ns, drop=False, cost_max=plan.cost_max)
    size = int(np.ceil(batch.cost))
    assert size == int(np.ceil(sum(cost[place] for place in batch.number.tolist())))
    assert run_ns[size - 1] + SEND_NS <= after_ms[int(batch.number[0])] * MS, "late by plan"
    assert len(batch.number) / run_ns[size - 1] >= best


def test_events_that_are_worth_more_are_preferred() -> None:
    after_ms = [15.0, 30.0, 30.0]
    plain = view(after_ms)
    assert taken(plain, EarlyDrop().plan(plain).count, EarlyDrop().plan(plain).reach_ns) == [1, 2]
    dear = view(after_ms, value=[9.0, 1.0, 1.0])
    plan = EarlyDrop().plan(dear)
    assert taken(dear, plan.count, plan.reach_ns)[0] == 0


def test_a_staircase_is_not_climbed_for_one_event() -> None:
    # A batch of 3 takes as long as one of 4, and three times as long as one of 2.
    run_ns = [10 * MS, 10 * MS, 30 * MS, 30 * MS]
    seen = view([100.0] * 3, run_ns=run_ns)
    assert EarlyDrop().plan(seen).count == 2


def test_where_nothing_may_be_dropped_the_first_is_served_first() -> None:
    seen = view([15.0, 60.0, 60.0], may_drop=False)
    plan = EarlyDrop().plan(seen)
    assert (plan.count, plan.bound) == (1, "deadline")
    assert taken(seen, plan.count, plan.reach_ns) == [0]


def test_the_sizes_are_learned_anew_with_the_curve() -> None:
    planner = EarlyDrop()
    assert planner.plan(view([100.0] * 4, run_ns=[10 * MS] * 4)).count == 4
    steep = [10 * MS, 30 * MS, 60 * MS, 90 * MS]
    assert planner.plan(view([100.0] * 4, run_ns=steep)).count == 1


def test_a_batch_that_is_not_full_waits_a_moment_for_others() -> None:
    fresh = view([60.0, 60.0], waited_ms=0)
    plan = EarlyDrop().plan(fresh)
    assert (plan.count, plan.wait_until_ns) == (0, START_NS + RUN_NS[0] // 5)
    assert EarlyDrop().plan(view([60.0, 60.0], waited_ms=3)).count == 2
    assert EarlyDrop().plan(view([60.0] * 4, waited_ms=0)).count == 4, "it is full"
    assert EarlyDrop().plan(view([60.0], waited_ms=0, draining=True)).count == 1
    assert EarlyDrop().plan(view([17.5, 70.0], waited_ms=0)).count == 2, "one more would be late"


def test_a_quick_model_waits_for_nobody() -> None:
    assert EarlyDrop().plan(view([60.0], waited_ms=0, run_ns=[4 * MS, 5 * MS])).count == 1
