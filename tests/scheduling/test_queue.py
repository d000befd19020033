"""The queue, against a list that is sorted again and again."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamproc.core import Int64Array
from streamproc.scheduling import DeadlineQueue, Offered
from streamproc.scheduling.queue import DEADLINE, NUMBER, PARTITION, block_of, inherited

LAST = 1 << 62


def read_only(values: list[int]) -> Int64Array:
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


def push(queue: DeadlineQueue, numbers: list[int], deadlines: list[int], partition: int) -> None:
    queue.push(block_of(Offered(read_only(numbers), read_only(deadlines), partition), 0))


def pop(queue: DeadlineQueue, count: int) -> list[int]:
    return queue.take(count, reach_ns=-LAST, drop=False).number.tolist()


@dataclass(slots=True)
class Waiting:
    """An event that waits, and the deadline whose place it has."""

    number: int
    deadline: int
    order: int
    partition: int


class SlowQueue:
    """The obvious form: after every push each event is compared with all behind it."""

    def __init__(self, *, keep_order: bool) -> None:
        self.keep_order = keep_order
        self.events: list[Waiting] = []

    def push(self, numbers: list[int], deadlines: list[int], partition: int) -> None:
        new = zip(numbers, deadlines, strict=True)
        self.events += [Waiting(number, d, d, partition) for number, d in new]
        if self.keep_order:
            for event in self.events:
                behind = [e.order for e in self.events if e.partition == event.partition]
                place = [e.number for e in self.events if e.partition == event.partition]
                event.order = min(
                    order for order, n in zip(behind, place, strict=True) if n >= event.number
                )
        self.events.sort(key=lambda event: (event.order, event.number))

    def take(self, taken: list[Waiting]) -> list[int]:
        self.events = [event for event in self.events if event not in taken]
        return [event.number for event in taken]


class QueueMachine(RuleBasedStateMachine):
    """Both are told the same and must answer the same."""

    @initialize(keep_order=st.booleans())
    def start(self, keep_order: bool) -> None:
        self.slow = SlowQueue(keep_order=keep_order)
        self.queue = DeadlineQueue(keep_order=keep_order)
        self.next_number = 0
        self.left: dict[int, int] = {}

    @rule(deadlines=st.lists(st.integers(-9, 30), max_size=5), partition=st.integers(0, 2))
    def push(self, deadlines: list[int], partition: int) -> None:
        numbers = list(range(self.next_number, self.next_number + len(deadlines)))
        self.next_number += len(deadlines) + 1
        push(self.queue, numbers, deadlines, partition)
        self.slow.push(numbers, deadlines, partition)

    @rule(count=st.integers(0, 6))
    def pop(self, count: int) -> None:
        taken = self.slow.events[:count]
        assert pop(self.queue, count) == self.slow.take(taken)
        for event in taken if self.slow.keep_order else ():
            assert self.left.get(event.partition, -1) < event.number, "an event was overtaken"
            self.left[event.partition] = event.number

    @rule(count=st.integers(0, 4), reach=st.integers(-9, 30), drop=st.booleans())
    def take(self, count: int, reach: int, drop: bool) -> None:
        before = [event for event in self.slow.events if event.deadline < reach] if drop else []
        fitting = [event for event in self.slow.events if event.deadline >= reach][:count]
        taken = self.queue.take(count, reach_ns=reach, drop=drop)
        assert taken.dropped.tolist() == self.slow.take(before)
        assert taken.number.tolist() == self.slow.take(fitting)

    @precondition(lambda self: self.slow.keep_order)
    @rule(data=st.data())
    def extract_and_push_back(self, data: st.DataObject) -> None:
        """As when events change lanes, which they do for their order: what they inherited is worked out anew."""
        partitions = {event.partition for event in self.slow.events}
        partition = data.draw(st.sampled_from(sorted(partitions))) if partitions else 0
        block = self.queue.extract(self.queue.column(PARTITION) == partition)
        assert block[NUMBER].tolist() == sorted(block[NUMBER].tolist())
        self.queue.push(block, inherit=True)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        count = len(self.slow.events)
        mask = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
        marked = [event for event, wanted in zip(self.slow.events, mask, strict=True) if wanted]
        found = self.queue.remove(np.array(mask, np.bool_))
        assert found.tolist() == self.slow.take(marked)

    @rule(partition=st.integers(0, 2))
    def withdraw(self, partition: int) -> None:
        theirs = [event for event in self.slow.events if event.partition == partition]
        assert self.queue.withdraw(partition).tolist() == self.slow.take(theirs)

    @precondition(lambda self: self.slow.events)
    @rule()
    def drain(self) -> None:
        self.pop(len(self.slow.events))

    @invariant()
    def both_hold_the_same(self) -> None:
        deadlines = [event.deadline for event in self.slow.events]
        assert len(self.queue) == len(deadlines)
        assert self.queue.column(DEADLINE).tolist() == deadlines
        assert self.queue.deadlines_ns.tolist() == sorted(deadlines)
        if deadlines:
            assert self.queue.earliest_ns == min(deadlines)
            assert self.queue.latest_ns == max(deadlines)
        if self.queue.is_by_deadline:
            assert deadlines == sorted(deadlines)
        if not self.slow.keep_order:
            assert self.queue.is_by_deadline


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=5), st.integers(-(10**9), 10**18)
)
@example([[-2], [], [-1]], 10)
def test_a_shift_of_all_times_changes_nothing(pushes: list[list[int]], shift: int) -> None:
    answers = []
    for offset in (0, shift):
        queue, number = DeadlineQueue(keep_order=True), 0
        for place, deadlines in enumerate(pushes):
            numbers = list(range(number, number + len(deadlines)))
            push(queue, numbers, [offset + d for d in deadlines], place % 2)
            number += len(deadlines)
        answers.append((queue.is_by_deadline, pop(queue, number)))
    assert answers[0] == answers[1]


def test_the_earliest_deadline_leaves_first_and_equal_ones_in_order_of_arrival() -> None:
    queue = DeadlineQueue(keep_order=False)
    push(queue, [1, 2, 3], [30, 10, 20], 0)
    push(queue, [4, 5], [20, 5], 0)
    assert pop(queue, 4) == [5, 2, 3, 4]
    assert queue.deadlines_ns.tolist() == [30]


def test_an_urgent_event_pulls_those_before_it_in_its_partition_and_no_others() -> None:
    queue = DeadlineQueue(keep_order=True)
    push(queue, [1, 2], [30, 40], 0)
    push(queue, [3], [20], 1)
    assert queue.is_by_deadline
    push(queue, [4], [10], 0)
    assert not queue.is_by_deadline
    assert queue.column(DEADLINE).tolist() == [30, 40, 10, 20]  # their own, in order of service
    assert pop(queue, 4) == [1, 2, 4, 3]
    assert queue.is_by_deadline


def test_with_keys_only_those_of_the_same_key_are_pulled() -> None:
    queue = DeadlineQueue(keep_order=True)
    offered = Offered(read_only([1, 2, 3]), read_only([30, 40, 10]), 0, key=read_only([7, 8, 7]))
    queue.push(block_of(offered, 0))
    assert pop(queue, 3) == [1, 3, 2]


@pytest.mark.parametrize("keep_order", [False, True])
def test_what_was_handed_over_stays_as_it_was(keep_order: bool) -> None:
    queue = DeadlineQueue(keep_order=keep_order)
    number, deadline = np.arange(3), np.array([3, 1, 2])
    queue.push(block_of(Offered(number, deadline, 0), 0))
    push(queue, [3], [0], 0)
    assert sorted(pop(queue, 4)) == [0, 1, 2, 3]
    assert number.tolist() == [0, 1, 2]
    assert deadline.tolist() == [3, 1, 2]


def test_events_that_are_dropped_need_not_be_the_first() -> None:
    queue = DeadlineQueue(keep_order=True)
    push(queue, [0, 1], [15, 3], 0)  # the first inherits the place of the second
    assert queue.take(0, reach_ns=10, drop=True).dropped.tolist() == [1]
    assert pop(queue, 2) == [0]


def test_a_batch_is_filled_by_cost() -> None:
    queue = DeadlineQueue(keep_order=False)
    cost = np.array([1.5, 1.5, 4.0, 1.0])
    queue.push(block_of(Offered(read_only([0, 1, 2, 3]), read_only([1, 2, 3, 4]), 0, cost=cost), 0))
    taken = queue.take(4, reach_ns=0, drop=False, cost_max=3.5)
    assert (taken.number.tolist(), taken.cost) == ([0, 1], 3.0)
    beside = queue.take(4, reach_ns=0, drop=False, cost_max=3.5)
    assert (beside.number.tolist(), beside.cost) == ([3], 1.0), (
        "one that is too large is passed over"
    )
    alone = queue.take(4, reach_ns=0, drop=False, cost_max=3.5)
    assert (alone.number.tolist(), alone.cost) == ([2], 4.0), "but never for ever"


def test_memory_follows_what_waits_not_what_came() -> None:
    queue = DeadlineQueue(keep_order=False)
    for start in range(0, 100_000, 100):
        push(queue, list(range(start, start + 100)), list(range(start, start + 100)), 0)
        assert pop(queue, 100) == list(range(start, start + 100))
    assert queue._room.shape[1] <= 2_048


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 50)), max_size=12))
def test_what_is_inherited_is_the_least_behind(events: list[tuple[int, int]]) -> None:
    key = read_only([k for k, _ in events])
    order = read_only([o for _, o in events])
    expected = [min(o2 for k2, o2 in events[i:] if k2 == k) for i, (k, _) in enumerate(events)]
    assert inherited(key, read_only(list(range(len(events)))), order).tolist() == expected


@pytest.mark.parametrize("asked", [False, True])
def test_events_make_the_same_columns_one_by_one_as_together(asked: bool) -> None:
    number, deadline = read_only([7, 8, 9]), read_only([30, 10, 20])
    key = read_only([-5, 1 << 62, 0]) if asked else None
    cost = np.array([0.5, 2.0, 1.0]) if asked else None
    value = np.array([1.0, 0.0, 9.5]) if asked else None
    together = block_of(Offered(number, deadline, 3, key=key, cost=cost, value=value), 5)
    one_by_one = [
        block_of(
            Offered(
                number[row : row + 1],
                deadline[row : row + 1],
                3,
                key=None if key is None else key[row : row + 1],
                cost=None if cost is None else cost[row : row + 1],
                value=None if value is None else value[row : row + 1],
            ),
            5,
        )
        for row in range(3)
    ]
    assert np.array_equal(together, np.concatenate(one_by_one, axis=1))
