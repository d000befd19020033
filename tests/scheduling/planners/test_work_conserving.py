"""Where the next batch begins, against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Int64Array
from streamproc.scheduling.planners import work_conserving

NOW_NS = 1_700_000_000_000_000_000


def by_a_loop(deadline_ns: list[int], now_ns: int, run_ns: list[int], send_ns: int) -> int:
    """The definition, word for word."""
    for start, deadline in enumerate(deadline_ns):
        size = min(len(deadline_ns) - start, len(run_ns))
        if now_ns + run_ns[size - 1] + send_ns <= deadline:
            return start
    return len(deadline_ns)


def read_only(values: list[int]) -> Int64Array:
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


curves = st.lists(st.integers(1, 30), min_size=1, max_size=8).map(sorted)
deadlines = st.lists(st.integers(-20, 80), min_size=1, max_size=25).map(sorted)


@settings(max_examples=300, deadline=None)
@given(deadlines, curves, st.integers(0, 20), st.integers(-(10**15), 10**15))
def test_it_agrees_with_a_loop_at_any_time(
    deadline: list[int], run: list[int], send: int, shift: int
) -> None:
    expected = by_a_loop(deadline, 0, run, send)
    for offset in (0, NOW_NS, NOW_NS + shift):
        deadline_ns = read_only([offset + d for d in deadline])
        found = work_conserving(deadline_ns, now_ns=offset, run_ns=read_only(run), send_ns=send)
        assert found == expected


@pytest.mark.parametrize(
    ("deadline", "start"),
    [
        ([100] * 3, 0),
        ([14, 100, 100], 0),  # a batch of three takes 12, and 2 to send: just in time
        ([13, 100, 100], 1),
        ([10, 13, 100], 1),
        ([10, 10, 11], 3),
        ([10, 10, 12], 2),
        ([13] * 4, 2),
    ],
)
def test_worked_examples(deadline: list[int], start: int) -> None:
    run_ns = read_only([10, 11, 12])
    assert work_conserving(read_only(deadline), now_ns=0, run_ns=run_ns, send_ns=2) == start
