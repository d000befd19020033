"""Further stages take what time the first one leaves, and give up what they cannot answer in time."""

import numpy as np
import pytest

from streamproc.scheduling import (
    Batching,
    CascadeScheduler,
    Idle,
    LaneSpec,
    LatencyModel,
    Reload,
    Run,
    SendLatency,
    StageSpec,
    Variant,
    WaitUntil,
)
from tests.scheduling.making import BOTH, MS, START_NS, offered

SEND_NS = 3 * MS
BUDGET_NS = 100 * MS


def latency(ms: int) -> LatencyModel:
    return LatencyModel([1, 8], [ms * MS, ms * MS], size_max=8)


def cascade(*, small_ms: int = 1, full_ms: int = 10, slots: int | None = None) -> CascadeScheduler:
    """``full`` and ``small``; a batch takes each the same time whatever its size."""
    return CascadeScheduler(
        first=1,
        stages=[StageSpec(0, slots)],
        batching=Batching(max_size=8),
        shed=BOTH,
        ordering="none",
        variants=[Variant("full", 1.0, latency(full_ms)), Variant("small", 0.9, latency(small_ms))],
        send=SendLatency(ceiling_ns=20 * MS, first_ns=SEND_NS),
        slots=1,
        lanes=[LaneSpec("default", budget_ns=BUDGET_NS)],
    )


def run_of(scheduler: CascadeScheduler, now_ns: int) -> Run:
    action = scheduler.next_action(now_ns, draining=True).action
    assert isinstance(action, Run)
    return action


def test_the_first_stage_is_the_cheap_one_and_the_further_one_shares_its_slot() -> None:
    scheduler = cascade()
    scheduler.offer(offered([1, 2], [START_NS + BUDGET_NS] * 2), START_NS)
    first = run_of(scheduler, START_NS)
    assert (first.variant, first.stage, first.number.tolist()) == (1, 0, [1, 2])
    scheduler.escalate(1, offered([1], [START_NS + BUDGET_NS]), START_NS)
    assert isinstance(scheduler.next_action(START_NS).action, Idle)
    scheduler.complete(first.run, START_NS + MS)
    second = run_of(scheduler, START_NS + MS)
    assert (second.variant, second.stage, second.number.tolist()) == (0, 1, [1])
    assert second.run != first.run
    scheduler.complete(second.run, START_NS + 11 * MS)
    assert scheduler.queue_depth == 0


def test_one_with_slots_of_its_own_runs_beside_the_first() -> None:
    scheduler = cascade(slots=2)
    scheduler.offer(offered([1], [START_NS + BUDGET_NS]), START_NS)
    run_of(scheduler, START_NS)
    for number in (2, 3):
        scheduler.escalate(1, offered([number], [START_NS + BUDGET_NS]), START_NS)
        assert run_of(scheduler, START_NS).stage == 1
    scheduler.escalate(1, offered([4], [START_NS + BUDGET_NS]), START_NS)
    assert isinstance(scheduler.next_action(START_NS).action, Idle)


@pytest.mark.parametrize(("slack_ms", "runs"), [(30, True), (15, False)])
def test_it_may_take_half_of_what_waits_for_the_first_can_bear(
    slack_ms: int, *, runs: bool
) -> None:
    """An event waits for the first stage with so much time to spare; a batch of the other one takes 10 ms."""
    scheduler = cascade()
    scheduler.offer(offered([1], [START_NS + BUDGET_NS]), START_NS)
    scheduler.complete(run_of(scheduler, START_NS).run, START_NS + MS)
    now_ns = START_NS + MS
    scheduler.escalate(1, offered([1], [START_NS + BUDGET_NS]), now_ns)
    scheduler.offer(offered([2], [now_ns + SEND_NS + MS + slack_ms * MS]), now_ns)
    assert run_of(scheduler, now_ns).stage == int(runs)


def test_both_take_turns_where_both_have_something_to_run() -> None:
    scheduler = cascade(full_ms=5)
    now_ns, stages = START_NS, []
    for number in range(0, 12, 2):
        scheduler.offer(offered([number], [now_ns + BUDGET_NS]), now_ns)
        scheduler.escalate(1, offered([number + 1], [now_ns + BUDGET_NS]), now_ns)
    for _ in range(6):
        run = run_of(scheduler, now_ns)
        stages.append(run.stage)
        now_ns += 5 * MS if run.stage else MS
        scheduler.complete(run.run, now_ns)
        scheduler.offer(offered([100 + len(stages)], [now_ns + BUDGET_NS]), now_ns)
        scheduler.escalate(1, offered([200 + len(stages)], [now_ns + BUDGET_NS]), now_ns)
    assert stages == [0, 1, 0, 1, 0, 1]


def test_what_it_cannot_answer_in_time_is_not_wanted_and_what_waited_too_long_stands() -> None:
    scheduler = cascade()
    deadline_ns = np.array([START_NS + 12 * MS, START_NS + 14 * MS])
    assert scheduler.wanted(1, deadline_ns, START_NS).tolist() == [False, True]
    scheduler.escalate(1, offered([7], [START_NS + 14 * MS]), START_NS)
    step = scheduler.next_action(START_NS + 2 * MS)
    assert step.stand is not None
    assert step.stand.tolist() == [7]
    assert not step.shed
    assert scheduler.queue_depth == 0


def test_what_has_become_hopeless_stands_while_the_slot_is_taken() -> None:
    scheduler = cascade()
    scheduler.wanted(1, np.array([START_NS]), START_NS)
    scheduler.offer(offered([1], [START_NS + BUDGET_NS]), START_NS)
    run_of(scheduler, START_NS)
    scheduler.escalate(1, offered([7], [START_NS + 14 * MS]), START_NS)
    step = scheduler.next_action(START_NS + 2 * MS)
    assert step.stand is not None
    assert step.stand.tolist() == [7]


def test_where_a_cheaper_variant_is_to_decide_nothing_is_wanted() -> None:
    scheduler = cascade()
    scheduler.hold_variant(1)
    assert not scheduler.wanted(1, np.array([START_NS + BUDGET_NS]), START_NS).any()
    scheduler.hold_variant(0)
    assert scheduler.wanted(1, np.array([START_NS + BUDGET_NS]), START_NS).all()
    assert scheduler.variant == 1


def test_what_has_its_answer_waits_no_more_and_what_is_withdrawn_is_told_once() -> None:
    scheduler = cascade()
    scheduler.escalate(1, offered([1, 2, 3], [START_NS + BUDGET_NS] * 3, 5), START_NS)
    scheduler.offer(offered([4], [START_NS + BUDGET_NS], 5), START_NS)
    assert (scheduler.queue_depth, scheduler.queue_depths) == (4, [4])
    scheduler.forget(np.array([2]))
    assert scheduler.queue_depth == 3
    assert scheduler.withdraw(5).tolist() == [4]
    assert scheduler.queue_depth == 0


def test_a_slower_model_is_told_to_all_stages() -> None:
    scheduler = cascade()
    options = Reload(
        batching=Batching(max_size=8),
        shed=BOTH,
        variants=[Variant("full", 1.0, latency(90)), Variant("small", 0.9, latency(1))],
        lanes=[LaneSpec("default", budget_ns=BUDGET_NS)],
        send_ceiling_ns=20 * MS,
    )
    scheduler.reload(options)
    deadline_ns = np.array([START_NS + 50 * MS])
    assert not scheduler.wanted(1, deadline_ns, START_NS).any()


def test_it_waits_a_moment_for_others_as_the_first_does() -> None:
    scheduler = cascade()
    scheduler.escalate(1, offered([1], [START_NS + BUDGET_NS]), START_NS)
    action = scheduler.next_action(START_NS).action
    assert action == WaitUntil(START_NS + 2 * MS)
