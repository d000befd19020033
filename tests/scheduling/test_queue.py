"""The queue, against a list that is sorted again and again."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamproc.core import Int64Array
from streamproc.scheduling import DeadlineQueue


def read_only(values: list[int]) -> Int64Array:
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


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
        self.queue.push(read_only(numbers), read_only(deadlines), partition)
        self.slow.push(numbers, deadlines, partition)

    @rule(count=st.integers(0, 6))
    def pop(self, count: int) -> None:
        taken = self.slow.events[:count]
        assert self.queue.pop(count).tolist() == self.slow.take(taken)
        for event in taken if self.slow.keep_order else ():
            assert self.left.get(event.partition, -1) < event.number, "an event was overtaken"
            self.left[event.partition] = event.number

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
        assert self.queue.deadline_ns.tolist() == deadlines
        assert self.queue.deadline_ns.dtype == np.int64
        if self.queue.ascending:
            assert deadlines == sorted(deadlines)
        if not self.slow.keep_order:
            assert self.queue.ascending


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
            numbers = read_only(list(range(number, number + len(deadlines))))
            queue.push(numbers, read_only([offset + d for d in deadlines]), place % 2)
            number += len(deadlines)
        answers.append((queue.ascending, queue.pop(number).tolist()))
    assert answers[0] == answers[1]


def test_the_earliest_deadline_leaves_first_and_equal_ones_in_order_of_arrival() -> None:
    queue = DeadlineQueue(keep_order=False)
    queue.push(read_only([1, 2, 3]), read_only([30, 10, 20]), 0)
    queue.push(read_only([4, 5]), read_only([20, 5]), 0)
    assert queue.pop(4).tolist() == [5, 2, 3, 4]
    assert queue.deadline_ns.tolist() == [30]


def test_an_urgent_event_pulls_those_before_it_in_its_partition_and_no_others() -> None:
    queue = DeadlineQueue(keep_order=True)
    queue.push(read_only([1, 2]), read_only([30, 40]), 0)
    queue.push(read_only([3]), read_only([20]), 1)
    assert queue.ascending
    queue.push(read_only([4]), read_only([10]), 0)
    assert not queue.ascending
    assert queue.deadline_ns.tolist() == [30, 40, 10, 20]  # their own, in order of service
    assert queue.pop(4).tolist() == [1, 2, 4, 3]
    assert queue.ascending


@pytest.mark.parametrize("keep_order", [False, True])
def test_what_was_handed_over_stays_as_it_was(keep_order: bool) -> None:
    queue = DeadlineQueue(keep_order=keep_order)
    number, deadline = np.arange(3), np.array([3, 1, 2])
    queue.push(number, deadline, 0)
    queue.push(np.array([3]), np.array([0]), 0)
    queue.pop(4)
    assert number.tolist() == [0, 1, 2]
    assert deadline.tolist() == [3, 1, 2]
