"""Rows of tables: in parts of a bounded size, and known when they come again."""

import numpy as np

from streamproc.core import PartOfAll, TablesSeen
from streamproc.core.table_rows import ROWS_MAX
from tests.support.tables import all_of, rows_of


def test_all_that_a_table_holds_comes_in_parts() -> None:
    held = all_of({f"k{n}": float(n) for n in range(ROWS_MAX + 2)}, 5, end=9)
    first, last = held.parts()
    assert (first.part, last.part) == (
        PartOfAll(0, ROWS_MAX + 2),
        PartOfAll(ROWS_MAX, ROWS_MAX + 2),
    )
    assert [*first.keys, *last.keys] == held.keys
    assert np.concatenate([first.numbers, last.numbers]).tolist() == held.numbers.tolist()
    (empty,) = all_of({}, 5, end=0).parts()
    assert (empty.part, len(empty)) == (PartOfAll(0, 0), 0)


def test_what_was_told_before_is_known() -> None:
    seen = TablesSeen()
    assert not seen.is_new(rows_of({"a": 1.0}, 1, end=1))  # of a table that nobody knows
    assert seen.is_new(all_of({"a": 1.0}, 1, end=4))
    assert not seen.is_new(all_of({"a": 1.0}, 1, end=4))  # the next file's beginning
    assert not seen.is_new(rows_of({"a": 0.0}, 2, end=3))  # of a worker that is behind
    assert seen.is_new(rows_of({"a": 2.0}, 3, end=5))
    assert not seen.is_new(all_of({"a": 1.0}, 4, end=4))
    assert seen.is_new(all_of({"a": 7.0}, 5, end=8))


def test_parts_that_were_cut_are_taken_again() -> None:
    first, last = all_of({f"k{n}": 1.0 for n in range(ROWS_MAX + 1)}, 5, end=9).parts()
    seen = TablesSeen()
    assert [seen.is_new(rows) for rows in (first, first, last, first, last)] == [
        *(True, True, True, False, False)
    ]
