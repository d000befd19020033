"""The scheduler: every event is run or given up, once, and none is given up in vain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streamproc.core import InvariantError, Reason
from streamproc.scheduling import (
    PROBE_EVERY_NS,
    Batching,
    CoDel,
    Conflate,
    Expired,
    Idle,
    LaneSpec,
    LatencyModel,
    Ordering,
    Planner,
    PlannerName,
    Priority,
    Run,
    Scheduler,
    SendLatency,
    ShedPolicy,
    TailDrop,
    Variant,
    WaitUntil,
)
from tests.scheduling.making import (
    BOTH,
    MS,
    RUN_NS,
    SEND_NS,
    SIZE_MAX,
    START_NS,
    offered,
    scheduler,
)

SHEDS: list[tuple[ShedPolicy, ...]] = [
    (),
    (Expired(),),
    BOTH,
    (*BOTH, TailDrop(max_queue=5)),
    (*BOTH, Conflate()),
    (*BOTH, CoDel(), Priority()),
    (TailDrop(max_queue=3),),
]
REASONS: dict[type, Reason] = {
    Expired: Reason.EXPIRED,
    Planner: Reason.PLANNER,
    TailDrop: Reason.TAIL_DROP,
    Conflate: Reason.CONFLATE,
    CoDel: Reason.CODEL,
    Priority: Reason.PRIORITY,
}


class Event(NamedTuple):
    deadline_ns: int
    partition: int
    key: int


class SchedulerMachine(RuleBasedStateMachine):
    """Offers, steps, completions and lost partitions in any order, and what must hold throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = START_NS
        self.next_number = 0
        self.waiting: dict[int, Event] = {}
        self.running: dict[int, tuple[int, int]] = {}
        self.ended: set[int] = set()
        self.last_of: dict[tuple[int, int], int] = {}
        self.last_run_ns = 0

    @initialize(
        shed=st.sampled_from(SHEDS),
        ordering=st.sampled_from(["none", "key", "partition"]),
        slots=st.integers(1, 3),
        lanes=st.integers(1, 3),
        policy=st.sampled_from(["early_drop", "work_conserving", "fixed", "aimd", "deferred"]),
        constant=st.booleans(),
    )
    def start(
        self,
        shed: Sequence[ShedPolicy],
        ordering: Ordering,
        slots: int,
        lanes: int,
        policy: PlannerName,
        constant: bool,
    ) -> None:
        self.lanes = 1 if ordering == "partition" else lanes
        self.ordering, self.slots, self.constant, self.policy = ordering, slots, constant, policy
        self.sheds = any(isinstance(one, Expired) for one in shed)
        self.reasons = {str(REASONS[type(one)]) for one in shed}
        self.scheduler = scheduler(
            shed=shed,
            ordering=ordering,
            slots=slots,
            policy=policy,
            lanes=[
                LaneSpec(f"lane {n}", priority=n, share=0.2, budget_ns=(20 + 20 * n) * MS)
                for n in range(self.lanes)
            ],
        )

    @rule(
        events=st.lists(
            st.tuples(st.integers(-10, 60), st.integers(0, 2), st.integers(0, 2)), max_size=6
        ),
        partition=st.integers(0, 2),
    )
    def offer(self, events: list[tuple[int, int, int]], partition: int) -> None:
        numbers = range(self.next_number, self.next_number + len(events))
        deadlines = [self.now_ns + ms * MS for ms, _, _ in events]
        lanes = [lane % self.lanes for _, lane, _ in events]
        keys = [partition * 10 + key for _, _, key in events]
        self.next_number += len(events)
        self.scheduler.offer(
            offered(
                numbers,
                deadlines,
                partition,
                lane=lanes if self.lanes > 1 else None,
                key=keys if self.scheduler.wants_keys else None,
            ),
            self.now_ns,
        )
        for number, deadline_ns, key in zip(numbers, deadlines, keys, strict=True):
            self.waiting[number] = Event(deadline_ns, partition, key)

    @rule(ms=st.integers(0, 40) | st.just(300))
    def wait(self, ms: int) -> None:
        self.now_ns += ms * MS

    @rule(draining=st.booleans())
    def step(self, draining: bool = False) -> None:
        probe_due = not self.running and self.now_ns - self.last_run_ns >= PROBE_EVERY_NS
        step = self.scheduler.next_action(self.now_ns, draining=draining)
        for part in step.shed:
            numbers = part.number.tolist()
            assert numbers
            assert numbers == sorted(set(numbers))
            assert str(part.reason) in self.reasons
            deadlines = [self._leave(number).deadline_ns for number in numbers]
            if self.constant and part.reason == Reason.EXPIRED:
                answer_ns = self.now_ns + RUN_NS[0] + SEND_NS
                assert all(deadline_ns < answer_ns for deadline_ns in deadlines)
        match step.action:
            case Run() as run:
                self._began(run, probe_due=probe_due, draining=draining)
            case WaitUntil(instant_ns=instant_ns):
                assert self.policy in ("fixed", "deferred", "early_drop")
                assert not draining
                assert instant_ns > self.now_ns, "it would spin"
            case _:
                assert not self.waiting or len(self.running) == self.slots, "idle with work to do"

    def _began(self, action: Run, *, probe_due: bool, draining: bool) -> None:
        run = action.number.tolist()
        assert len(self.running) < self.slots
        assert action.run not in self.running
        assert run == sorted(run)
        assert 1 <= len(run) <= SIZE_MAX
        assert action.reason != "drain" or draining
        left = [self._leave(number) for number in run]
        for number, event in zip(run, left, strict=True):
            of = (event.partition, event.key if self.ordering == "key" else 0)
            if self.ordering != "none":
                assert self.last_of.get(of, -1) < number, "an event was overtaken"
                self.last_of[of] = number
        by_deadline = self.policy in ("early_drop", "work_conserving", "deferred")
        if self.sheds and self.constant and by_deadline:
            done_ns = self.now_ns + RUN_NS[len(run) - 1] + SEND_NS
            late = [event for event in left if event.deadline_ns < done_ns]
            assert not late or (len(run) == 1 and probe_due), "a batch that is late by plan"
        self.running[action.run] = (self.now_ns, len(run))
        self.last_run_ns = self.now_ns

    def _leave(self, number: int) -> Event:
        assert number not in self.ended, "an event left twice"
        self.ended.add(number)
        return self.waiting.pop(number)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["usual", "failed", "slow", "quick"]))
    def complete(self, data: st.DataObject, how: str) -> None:
        run = data.draw(st.sampled_from(sorted(self.running)))
        began_ns, size = self.running.pop(run)
        factor = 1.0 if self.constant else {"slow": 3.0, "quick": 0.1}.get(how, 1.0)
        finished_ns = began_ns + round(RUN_NS[size - 1] * factor)
        self.now_ns = max(self.now_ns, finished_ns)
        self.scheduler.complete(run, finished_ns, failed=how == "failed")
        with pytest.raises(InvariantError, match=f"run {run} is not under way"):
            self.scheduler.complete(run, finished_ns)

    @rule(partition=st.integers(0, 2))
    def withdraw(self, partition: int) -> None:
        theirs = {n for n, event in self.waiting.items() if event.partition == partition}
        found = set(self.scheduler.withdraw(partition).tolist())
        assert found <= theirs
        for number in found:
            self._leave(number)
        # Those that a policy gave up already are told with the next step.

    @rule(ms=st.integers(-30, 70))
    def look_before_decoding(self, ms: int) -> None:
        deadline_ns = self.now_ns + ms * MS
        asked = self.scheduler.hopeless(np.array([deadline_ns]), self.now_ns).tolist()
        probe_due = not self.running and self.now_ns - self.last_run_ns >= PROBE_EVERY_NS
        if not self.sheds or probe_due:
            assert asked == [False]
        elif self.constant:
            assert asked == [ms * MS < RUN_NS[0] + SEND_NS]

    @invariant()
    def it_counts_what_waits(self) -> None:
        if hasattr(self, "scheduler"):
            assert self.scheduler.queue_depth <= len(self.waiting)
            assert sum(self.scheduler.queue_depths) == self.scheduler.queue_depth

    def teardown(self) -> None:
        """Everything comes to an end: run, or given up."""
        if not hasattr(self, "scheduler"):
            return
        while self.waiting:
            self.step(draining=True)
            for run, (began_ns, size) in list(self.running.items()):
                self.now_ns = max(self.now_ns, began_ns + RUN_NS[size - 1])
                del self.running[run]
                self.scheduler.complete(run, self.now_ns)
                self.constant = False
        assert self.ended == set(range(self.next_number))


def test_whatever_happens_each_event_is_run_or_given_up_once() -> None:
    run_state_machine_as_test(
        SchedulerMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_the_worked_example() -> None:
    one = scheduler()
    after_ms = [5, 14, 15, 20, 60, 61]
    one.offer(offered(range(6), [START_NS + ms * MS for ms in after_ms]), START_NS)
    step = one.next_action(START_NS)
    # One alone takes 12 ms and 3 to send: the first two are too late for any answer. Four take 18 and 3, so
    # the third would cost one of the others its answer... and three take 16 and 3, for which it is too late.
    shed = {part.reason: part.number.tolist() for part in step.shed}
    assert shed == {Reason.EXPIRED: [0, 1], Reason.PLANNER: [2]}
    assert isinstance(step.action, Run)
    assert step.action.number.tolist() == [3, 4, 5]
    assert one.next_action(START_NS).action == Idle()


def test_one_slot_runs_one_batch_at_a_time() -> None:
    one = scheduler(slots=2)
    one.offer(offered(range(12), [START_NS + 60 * MS] * 12), START_NS)
    first = one.next_action(START_NS).action
    second = one.next_action(START_NS).action
    assert isinstance(first, Run)
    assert isinstance(second, Run)
    assert first.number.tolist() == [0, 1, 2, 3]
    assert second.number.tolist() == [4, 5, 6, 7]
    assert one.next_action(START_NS).action == Idle()
    one.complete(second.run, START_NS + RUN_NS[3])
    third = one.next_action(START_NS + RUN_NS[3]).action
    assert isinstance(third, Run)
    assert third.number.tolist() == [8, 9, 10, 11]


def test_a_run_that_never_was_cannot_end() -> None:
    with pytest.raises(InvariantError, match="run 1 is not under way"):
        scheduler().complete(1, START_NS)


@pytest.mark.parametrize(("asked", "size"), [(2, 2), (100, SIZE_MAX)])
def test_the_batch_is_no_larger_than_asked_nor_than_measured(asked: int, size: int) -> None:
    one = scheduler(size_max=asked)
    one.offer(offered(range(9), [START_NS + 60 * MS] * 9), START_NS)
    action = one.next_action(START_NS).action
    assert isinstance(action, Run)
    assert len(action.number) == size


def test_an_event_out_of_order_does_not_condemn_one_that_a_small_batch_would_answer() -> None:
    one = scheduler(ordering="partition")
    after_ms = [16, 9, 8, 7]  # the first inherits the last one's place; alone it is in time
    one.offer(offered(range(4), [START_NS + ms * MS for ms in after_ms]), START_NS)
    step = one.next_action(START_NS)
    assert [part.number.tolist() for part in step.shed] == [[1, 2, 3]]
    assert isinstance(step.action, Run)
    assert step.action.number.tolist() == [0]


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_when_all_seem_hopeless_one_is_tried_from_time_to_time(ordering: Ordering) -> None:
    one = scheduler(ordering=ordering)
    runs = []
    for tick in range(100):  # 1 s, an event in 10 ms, a budget that is too short
        now_ns = START_NS + tick * 10 * MS
        one.offer(offered([tick], [now_ns + 5 * MS]), now_ns)
        action = one.next_action(now_ns).action
        if isinstance(action, Run):
            runs.append(tick)
            one.complete(action.run, now_ns + RUN_NS[0])
        assert one.queue_depth == 0
    assert runs == [0, 25, 50, 75]


def probes_until_it_serves_again(one: Scheduler, *, outliers: int, before: int) -> int:
    """Runs of an ever hopeless looking stream until one is not a probe any more."""
    now_ns, number = START_NS, 0
    for run in range(before + outliers):
        now_ns += 100 * MS
        one.offer(offered([number], [now_ns + 50 * MS]), now_ns)
        action = one.next_action(now_ns, draining=True).action  # no wait for others
        assert isinstance(action, Run)
        number += 1
        now_ns += RUN_NS[0] if run < before else 10_000 * MS
        one.complete(action.run, now_ns)
    probes = 0
    while True:
        now_ns += PROBE_EVERY_NS
        one.offer(offered([number, number + 1], [now_ns + 50 * MS] * 2), now_ns)
        step = one.next_action(now_ns, draining=True)
        number += 2
        assert isinstance(step.action, Run)
        one.complete(step.action.run, now_ns + RUN_NS[len(step.action.number) - 1])
        if not step.shed:
            return probes
        probes += 1


@pytest.mark.parametrize("before", [0, 1, 30, 200])
def test_one_outlier_does_not_stop_the_stream_for_long(before: int) -> None:
    assert probes_until_it_serves_again(scheduler(), outliers=1, before=before) <= 1


@pytest.mark.parametrize("outliers", [2, 10, 64, 1_000])
def test_it_serves_again_as_soon_as_a_stall_is_over(outliers: int) -> None:
    assert probes_until_it_serves_again(scheduler(), outliers=outliers, before=200) <= 1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(-10, 60), max_size=6), max_size=6),
    st.integers(0, 10**17),
    st.sampled_from(["none", "partition"]),
)
def test_a_shift_of_all_times_changes_nothing(
    offers: list[list[int]], shift: int, ordering: Ordering
) -> None:
    stories = []
    for begin_ns in (PROBE_EVERY_NS, PROBE_EVERY_NS + shift):
        one, now_ns, number, story = scheduler(ordering=ordering), begin_ns, 0, []
        for after_ms in offers:
            deadlines = [now_ns + ms * MS for ms in after_ms]
            one.offer(offered(range(number, number + len(after_ms)), deadlines), now_ns)
            number += len(after_ms)
            step = one.next_action(now_ns)
            story.append([part.number.tolist() for part in step.shed])
            now_ns += 7 * MS
            if isinstance(step.action, Run):
                story.append([step.action.number.tolist()])
                now_ns += 9 * MS
                one.complete(step.action.run, now_ns)
        stories.append(story)
    assert stories[0] == stories[1]


def test_a_slow_broker_is_allowed_for_up_to_the_ceiling() -> None:
    one = scheduler(ceiling_ns=8 * MS)
    assert one.send_ns == SEND_NS
    one.acknowledged(START_NS, START_NS + 5 * MS)
    assert one.send_ns == 5 * MS
    one.acknowledged(START_NS, START_NS + 5_000 * MS)
    assert one.send_ns == 8 * MS


@pytest.mark.parametrize(("sends", "stall_ms"), [(0, 0), (600, 25), (600, 10_000)])
def test_a_broker_that_stalled_is_tried_again(sends: int, stall_ms: int) -> None:
    """What is given up is never sent, so a send latency that is too high must be forgotten, not unlearned."""
    send = SendLatency(ceiling_ns=25 * MS, first_ns=25 * MS)
    for _ in range(sends):
        send.observe(stall_ms * MS)
    scheduler = Scheduler(
        batching=Batching(max_size=8),
        shed=BOTH,
        ordering="none",
        variants=[Variant("full", 1.0, LatencyModel([1], [MS], size_max=8))],
        send=send,
        slots=1,
    )
    served = 0
    for second_part in range(100):  # a second: each 10 ms an event that has 20 ms left
        now_ns = START_NS + second_part * 10 * MS
        scheduler.offer(offered([second_part], [now_ns + 20 * MS]), now_ns)
        action = scheduler.next_action(now_ns).action
        if isinstance(action, Run):
            scheduler.complete(action.run, now_ns + MS)
            scheduler.acknowledged(now_ns + MS, now_ns + 3 * MS)
            served += 1
    assert served > 70


def test_what_only_a_quicker_variant_can_still_answer_is_run_by_it() -> None:
    slow, quick = (LatencyModel([1], [ms * MS], size_max=8) for ms in (40, 4))
    one = Scheduler(
        batching=Batching(max_size=8),
        shed=BOTH,
        ordering="none",
        variants=[Variant("full", 1.0, slow), Variant("small", 0.9, quick)],
        send=SendLatency(ceiling_ns=0, first_ns=0),
        slots=1,
        lanes=[LaneSpec("default", budget_ns=100 * MS)],
    )
    one.offer(offered([0], [START_NS + 20 * MS]), START_NS)
    action = one.next_action(START_NS, draining=True).action
    assert isinstance(action, Run)
    assert action.variant == 1
