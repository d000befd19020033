"""The other planners: each by an example of what makes it what it is."""

import numpy as np
import pytest

from streamproc.scheduling import Batching
from streamproc.scheduling.planners import (
    Aimd,
    Deferred,
    EarlyDrop,
    Fixed,
    WorkConserving,
    make_planner,
)
from tests.scheduling.making import MS, RUN_NS, SEND_NS, SIZE_MAX, START_NS
from tests.scheduling.planners.views import taken, view


def test_work_conserving_serves_the_most_urgent_that_can_be_in_time() -> None:
    seen = view([5.0, 16.0, 60.0, 60.0])
    plan = WorkConserving().plan(seen)
    assert taken(seen, plan.count, plan.reach_ns) == [1]
    assert plan.bound == "deadline"


def test_work_conserving_takes_all_that_waits_where_deadlines_allow() -> None:
    seen = view([60.0, 61.0])
    plan = WorkConserving().plan(seen)
    assert (plan.count, plan.bound) == (2, "idle")


def test_work_conserving_takes_what_is_late_where_nothing_may_be_given_up() -> None:
    seen = view([-50.0, -40.0, 60.0], may_expire=False)
    plan = WorkConserving().plan(seen)
    assert plan.count == 3
    assert taken(seen, plan.count, plan.reach_ns) == [0, 1, 2]


def test_work_conserving_has_nothing_to_run_where_all_is_hopeless() -> None:
    assert WorkConserving().plan(view([5.0, 6.0])).count == 0


def test_work_conserving_fills_by_cost() -> None:
    plan = WorkConserving().plan(view([60.0] * 3, cost=[2.0, 1.5, 1.0]))
    assert (plan.count, plan.cost_max) == (2, SIZE_MAX)


def test_deferred_waits_until_one_more_would_not_fit() -> None:
    plan = Deferred().plan(view([60.0, 70.0]))
    assert plan.count == 0
    assert plan.wait_until_ns == START_NS + 60 * MS - SEND_NS - RUN_NS[2]


def test_deferred_runs_at_the_last_moment_when_full_or_at_the_end() -> None:
    assert Deferred().plan(view([19.0, 70.0])).count == 2
    assert Deferred().plan(view([70.0] * 5)).count == SIZE_MAX
    assert Deferred().plan(view([70.0], draining=True)).count == 1


def test_fixed_waits_for_a_full_batch_or_for_the_delay() -> None:
    fixed = Fixed(5 * MS)
    waiting = fixed.plan(view([60.0] * 3, waited_ms=2))
    assert (waiting.count, waiting.wait_until_ns) == (0, START_NS + 3 * MS)
    assert fixed.plan(view([60.0] * 3, waited_ms=5)).count == 3
    assert fixed.plan(view([60.0] * 4)).bound == "full"
    assert fixed.plan(view([60.0] * 3, draining=True)).count == 3
    assert fixed.plan(view([60.0] * 3, cost=[2.0, 1.0, 1.0])).bound == "full"


def test_fixed_looks_at_no_deadline_but_gives_up_what_is_past_all_hope() -> None:
    seen = view([5.0, 15.0, 15.0, 15.0, 15.0])
    plan = Fixed(5 * MS).plan(seen)
    assert taken(seen, plan.count, plan.reach_ns) == [1, 2, 3, 4]
    assert Fixed(0).plan(view([5.0])).count == 0


def test_aimd_grows_by_one_and_shrinks_by_a_tenth() -> None:
    aimd = Aimd()
    sizes = []
    run_ns = [MS] * 100
    for in_time in [True] * 30 + [False] + [True] * 2:
        count = aimd.plan(view([60.0] * 200, run_ns=run_ns)).count
        sizes.append(count)
        aimd.completed(count, in_time=in_time)
    assert sizes[:30] == list(range(1, 31))
    assert sizes[31] == 27  # 31 less a tenth
    assert sizes[32] == 28


def test_aimd_does_not_grow_by_batches_that_were_not_full() -> None:
    aimd = Aimd()
    for _ in range(10):
        assert aimd.plan(view([60.0])).count == 1
        aimd.completed(1, in_time=True)
    # One batch of one filled the size of one; after that it takes two to fill it.
    assert aimd.plan(view([60.0] * 4)).count == 2


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("early_drop", EarlyDrop),
        ("work_conserving", WorkConserving),
        ("fixed", Fixed),
        ("aimd", Aimd),
        ("deferred", Deferred),
    ],
)
def test_each_name_has_its_planner(policy: str, kind: type) -> None:
    assert isinstance(make_planner(Batching(policy=policy)), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("planner", [EarlyDrop(), WorkConserving(), Deferred(), Fixed(0), Aimd()])
def test_what_they_are_told_stays_as_it_was(planner: EarlyDrop) -> None:
    seen = view([15.0, 30.0, 45.0], cost=[1.0, 1.0, 1.0])
    for column in (seen.deadline_ns, seen.run_ns, seen.since_ns):
        column.setflags(write=False)
    planner.plan(seen)
    assert np.array_equal(seen.deadline_ns, START_NS + np.array([15, 30, 45]) * MS)
