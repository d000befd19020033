"""Events that wait are found again, each once, whatever order they are taken in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import EventBatch, InvariantError, object_column
from streamproc.engine.pending import PendingEvents


def events(numbers: list[int]) -> EventBatch:
    n = np.array(numbers, np.int64)
    objects = object_column([None] * len(n))
    return EventBatch(
        number=n, partition=n, ordinal=n, offset=n * 10, event_time_ns=n, arrival_ns=n, admitted_ns=n,
        deadline_ns=n, key=objects, record_key=objects, value=objects, columns={"x": n * 2},
    )  # fmt: skip


@given(st.data(), st.lists(st.integers(0, 5), min_size=1, max_size=8), st.randoms())
def test_each_event_is_found_once(data: st.DataObject, sizes: list[int], rng: object) -> None:
    pending, waiting, next_number = PendingEvents(), [], 0
    for size in sizes:
        numbers = []
        for _ in range(size):
            next_number += data.draw(st.integers(1, 3))  # rejected rows leave gaps
            numbers.append(next_number)
        pending.add(events(numbers))
        waiting += numbers
    while waiting:
        chosen = sorted(data.draw(st.lists(st.sampled_from(waiting), min_size=1, unique=True)))
        taken = pending.take(np.array(chosen, np.int64))
        found = np.concatenate([batch.number for batch in taken]).tolist()
        assert found == chosen
        assert all((batch["x"] == batch.number * 2).all() for batch in taken)
        assert all((batch.offset == batch.number * 10).all() for batch in taken)
        waiting = [n for n in waiting if n not in chosen]


def test_what_is_not_there_is_a_bug() -> None:
    pending = PendingEvents()
    with pytest.raises(InvariantError, match="event 1 is not waiting"):
        pending.take(np.array([1]))
    pending.add(events([1, 2]))
    assert pending.take(np.empty(0, np.int64)) == []
    pending.take(np.array([1, 2]))
    with pytest.raises(InvariantError, match="event 2 is not waiting"):
        pending.take(np.array([2]))
