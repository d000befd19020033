"""Texts of many rows beside the slow obvious way of making each alone."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs.pieces import count_texts, joined, run_starts, spread
from streamproc.core import InvariantError

RUNS = st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 90)), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(RUNS, st.integers(0, 3))
def test_neighbours_that_are_alike_share_one_text(runs: list[tuple[int, int]], every: int) -> None:
    column = np.repeat([value for value, _ in runs], [length for _, length in runs])
    other = np.arange(len(column)) // 50 * every
    starts = run_starts(column, other)
    if starts is None:
        return
    texts = [b"%d %d" % (column[row], other[row]) for row in starts.tolist()]
    assert spread(texts, starts, len(column)) == [
        b"%d %d" % pair for pair in zip(column.tolist(), other.tolist(), strict=True)
    ]


def test_runs_are_looked_for_where_that_pays() -> None:
    assert run_starts(np.zeros(8, np.int64)) is None
    assert run_starts(np.arange(1_000)) is None
    starts = run_starts(np.arange(1_000) // 500)
    assert starts is not None
    assert starts.tolist() == [0, 500]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20_000)))
def test_texts_of_counts(numbers: list[int]) -> None:
    assert count_texts(np.array(numbers, np.int64)) == [b"%d" % number for number in numbers]


def test_pieces_are_joined_row_by_row_and_none_may_be_missing() -> None:
    rows = [[b"a", b"b"], repeat(b"-"), [b"1", b"2"]]
    assert joined(rows, 2) == [b"a-1", b"b-2"]
    with pytest.raises(InvariantError, match="2 rows, but pieces for 1"):
        joined([[b"a", b"b"], [b"1"]], 2)
