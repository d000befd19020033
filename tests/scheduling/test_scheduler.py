"""The scheduler: every event is run or given up, once, and none is given up in vain."""

from collections.abc import Sequence

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

from streamproc.core import EventBatch, InvariantError, Reason, object_column
from streamproc.scheduling import (
    PROBE_EVERY_NS,
    Batching,
    Idle,
    LatencyModel,
    Ordering,
    Run,
    Scheduler,
    SendLatency,
    ShedPolicy,
)

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
SIZE_MAX = 4
RUN_NS = [(10 + 2 * size) * MS for size in range(1, SIZE_MAX + 1)]
SEND_NS = 3 * MS


def events(number: Sequence[int], deadline_ns: Sequence[int], partition: int = 0) -> EventBatch:
    columns = [np.array(column, np.int64) for column in (number, deadline_ns)]
    for column in columns:
        column.setflags(write=False)
    numbers, deadlines = columns
    zero = np.zeros(len(number), np.int64)
    none = object_column([None] * len(number))
    return EventBatch(
        numbers, zero + partition, numbers, numbers, zero, zero, zero, deadlines, none, none, none
    )


def scheduler(
    *,
    shed: Sequence[ShedPolicy] = ("expired",),
    ordering: Ordering = "none",
    slots: int = 1,
    size_max: int = SIZE_MAX,
    ceiling_ns: int = 20 * MS,
) -> Scheduler:
    return Scheduler(
        batching=Batching(max_size=size_max),
        shed=shed,
        ordering=ordering,
        latency=LatencyModel(range(1, SIZE_MAX + 1), RUN_NS, size_max=SIZE_MAX),
        send=SendLatency(ceiling_ns=ceiling_ns, first_ns=SEND_NS),
        slots=slots,
    )


class SchedulerMachine(RuleBasedStateMachine):
    """Offers, steps, completions and lost partitions in any order, and what must hold throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = START_NS
        self.next_number = 0
        self.waiting: dict[int, tuple[int, int]] = {}
        self.running: dict[int, tuple[int, int]] = {}
        self.ended: set[int] = set()
        self.last_number: dict[int, int] = {}
        self.last_run_ns = 0

    @initialize(
        sheds=st.booleans(),
        ordering=st.sampled_from(["none", "partition"]),
        slots=st.integers(1, 3),
        constant=st.booleans(),
    )
    def start(self, sheds: bool, ordering: Ordering, slots: int, constant: bool) -> None:
        self.sheds, self.ordering, self.slots, self.constant = sheds, ordering, slots, constant
        self.scheduler = scheduler(
            shed=("expired",) if sheds else (), ordering=ordering, slots=slots
        )

    @rule(
        after_ms=st.lists(st.integers(-10, 60), max_size=6),
        partition=st.integers(0, 2),
    )
    def offer(self, after_ms: list[int], partition: int) -> None:
        numbers = range(self.next_number, self.next_number + len(after_ms))
        deadlines = [self.now_ns + ms * MS for ms in after_ms]
        self.next_number += len(after_ms)
        self.scheduler.offer(events(numbers, deadlines, partition), partition)
        for number, deadline_ns in zip(numbers, deadlines, strict=True):
            self.waiting[number] = (deadline_ns, partition)

    @rule(ms=st.integers(0, 40) | st.just(300))
    def wait(self, ms: int) -> None:
        self.now_ns += ms * MS

    @rule()
    def step(self) -> None:
        before = dict(self.waiting)
        probe_due = not self.running and self.now_ns - self.last_run_ns >= PROBE_EVERY_NS
        step = self.scheduler.next_action(self.now_ns)
        shed = [number for part in step.shed for number in part.number.tolist()]
        assert shed == sorted(set(shed))
        assert all(part.reason == Reason.EXPIRED and len(part.number) for part in step.shed)
        shed_deadlines = [self._leave(number)[0] for number in shed]
        run = step.action.number.tolist() if isinstance(step.action, Run) else []
        if isinstance(step.action, Run):
            self._began(step.action, run)
        run_deadlines = [before[number][0] for number in run]
        if not self.sheds:
            assert not shed
        elif self.constant:
            # Room for one more in the batch that leaves now: it would not have helped.
            answer_ns = self.now_ns + RUN_NS[min(SIZE_MAX, len(run) + 1) - 1] + SEND_NS
            assert all(deadline_ns < answer_ns for deadline_ns in shed_deadlines)
            in_time_ns = self.now_ns + (RUN_NS[len(run) - 1] if run else 0) + SEND_NS
            late = [deadline_ns for deadline_ns in run_deadlines if deadline_ns < in_time_ns]
            assert not late or (len(run) == 1 and probe_due), "a batch that is late by plan"
        if not isinstance(step.action, Run):
            assert not self.waiting or len(self.running) == self.slots, "idle with work to do"
        if self.ordering == "none" and run:
            rest = [deadline_ns for deadline_ns, _ in self.waiting.values()]
            assert not rest or max(run_deadlines) <= min(rest)

    def _began(self, action: Run, run: list[int]) -> None:
        assert len(self.running) < self.slots
        assert action.run not in self.running
        assert run == sorted(run)
        assert 1 <= len(run) <= SIZE_MAX
        assert action.reason == ("full" if len(run) == SIZE_MAX else "idle")
        for number in run:
            _, partition = self._leave(number)
            if self.ordering == "partition":
                assert self.last_number.get(partition, -1) < number, "an event was overtaken"
                self.last_number[partition] = number
        self.running[action.run] = (self.now_ns, len(run))
        self.last_run_ns = self.now_ns

    def _leave(self, number: int) -> tuple[int, int]:
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
        theirs = {number for number, (_, p) in self.waiting.items() if p == partition}
        found = self.scheduler.withdraw(partition).tolist()
        assert len(found) == len(theirs)
        assert {self._leave(number) and number for number in found} == theirs

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
            assert self.scheduler.queue_depth == len(self.waiting)

    def teardown(self) -> None:
        """Everything comes to an end: run, or given up."""
        if not hasattr(self, "scheduler"):
            return
        while self.waiting:
            self.step()
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
            max_examples=80,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_the_worked_example() -> None:
    one = scheduler()
    after_ms = [5, 14, 15, 20, 60, 61]
    one.offer(events(range(6), [START_NS + ms * MS for ms in after_ms]), 0)
    step = one.next_action(START_NS)
    # Four take 18 ms and 3 to send: the first three cannot be in time beside the others.
    assert [part.number.tolist() for part in step.shed] == [[0, 1, 2]]
    assert isinstance(step.action, Run)
    assert step.action.number.tolist() == [3, 4, 5]
    assert one.next_action(START_NS).action == Idle()


def test_one_slot_runs_one_batch_at_a_time() -> None:
    one = scheduler(slots=2)
    one.offer(events(range(12), [START_NS + 60 * MS] * 12), 0)
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
    one.offer(events(range(9), [START_NS + 60 * MS] * 9), 0)
    action = one.next_action(START_NS).action
    assert isinstance(action, Run)
    assert len(action.number) == size


def test_an_event_out_of_order_does_not_condemn_one_that_a_small_batch_would_answer() -> None:
    one = scheduler(ordering="partition")
    after_ms = [16, 9, 8, 7]  # the first inherits the last one's place; alone it is in time
    one.offer(events(range(4), [START_NS + ms * MS for ms in after_ms]), 0)
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
        one.offer(events([tick], [now_ns + 5 * MS]), 0)
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
        one.offer(events([number], [now_ns + 50 * MS]), 0)
        action = one.next_action(now_ns).action
        assert isinstance(action, Run)
        number += 1
        now_ns += RUN_NS[0] if run < before else 10_000 * MS
        one.complete(action.run, now_ns)
    probes = 0
    while True:
        now_ns += PROBE_EVERY_NS
        one.offer(events([number, number + 1], [now_ns + 50 * MS] * 2), 0)
        step = one.next_action(now_ns)
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
            one.offer(events(range(number, number + len(after_ms)), deadlines), 0)
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
        shed=("expired",),
        ordering="none",
        latency=LatencyModel([1], [MS], size_max=8),
        send=send,
        slots=1,
    )
    served = 0
    for second_part in range(100):  # a second: each 10 ms an event that has 20 ms left
        now_ns = START_NS + second_part * 10 * MS
        scheduler.offer(events([second_part], [now_ns + 20 * MS]), 0)
        action = scheduler.next_action(now_ns).action
        if isinstance(action, Run):
            scheduler.complete(action.run, now_ns + MS)
            scheduler.acknowledged(now_ns + MS, now_ns + 3 * MS)
            served += 1
    assert served > 70
