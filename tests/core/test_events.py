"""EventBatch: columns behave as the list of rows that they stand for."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import EventBatch, object_column

TIMES = (
    "event_time_ns",
    "arrival_ns",
    "admitted_ns",
    "deadline_ns",
    "timestamp_ns",
    "decoded_ns",
)
ARRAYS = (
    "number",
    "partition",
    "ordinal",
    "offset",
    *TIMES,
    "row",
    "lane",
    "arm",
    "key",
    "record_key",
    "value",
)


def batch_of(count: int, first: int = 0) -> EventBatch:
    """Every value differs; all arrays are read-only; every third event has headers."""
    number = np.arange(first, first + count)
    columns = {name: number * 100 + place for place, name in enumerate(ARRAYS[:13])}
    columns["number"] = number
    texts = {
        name: object_column([None if n % 4 == 0 else f"{name}{n}".encode() for n in number])
        for name in ARRAYS[13:]
    }
    batch = EventBatch(
        **columns,
        **texts,
        columns={"price": number / 4, "words": object_column([str(n) for n in number])},
        inputs={"x": np.stack([number, -number], axis=1).astype(np.float32)},
        headers={n: [("n", b"%d" % n)] for n in number.tolist() if n % 3 == 0},
    )
    for array in (*(getattr(batch, n) for n in ARRAYS), *batch.columns.values()):
        array.setflags(write=False)
    batch.inputs["x"].setflags(write=False)
    return batch


def rows_of(batch: EventBatch) -> list[dict[str, object]]:
    """The slow and obvious form: one dictionary an event."""
    return [
        {name: getattr(batch, name)[row] for name in ARRAYS}
        | {name: column[row] for name, column in batch.columns.items()}
        | {name: column[row].tolist() for name, column in batch.inputs.items()}
        | {"headers": batch.headers.get(int(batch.number[row]))}
        for row in range(len(batch))
    ]


def test_the_helpers_above_know_every_column() -> None:
    assert {f.name for f in fields(EventBatch)} == {*ARRAYS, "columns", "inputs", "headers"}


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1)))))
def test_take_by_number_agrees_with_a_list(case: tuple[int, list[int]]) -> None:
    count, rows = case
    batch = batch_of(count, first=5)
    taken = batch.take(np.array(rows, np.int64))
    assert rows_of(taken) == [rows_of(batch)[row] for row in rows]
    assert set(taken.headers) <= set(taken.number.tolist())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 6), st.integers(-7, 7), st.integers(-7, 7))
def test_take_a_slice_agrees_with_a_list_and_copies_nothing(count: int, a: int, b: int) -> None:
    batch = batch_of(count)
    taken = batch.take(slice(a, b))
    assert rows_of(taken) == rows_of(batch)[a:b]
    assert taken.number.base is not None
    if len(taken):
        assert np.shares_memory(taken.inputs["x"], batch.inputs["x"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_concatenate_agrees_with_lists(counts: list[int]) -> None:
    firsts = np.cumsum([0, *counts])[:-1].tolist()
    batches = [batch_of(n, first) for n, first in zip(counts, firsts, strict=True)]
    whole = EventBatch.concatenate(batches)
    assert rows_of(whole) == [row for batch in batches for row in rows_of(batch)]
    for name in ARRAYS:
        assert getattr(whole, name).dtype == getattr(batches[0], name).dtype


def test_concatenate_then_take_gives_the_parts_back() -> None:
    parts = [batch_of(3), batch_of(2, 3)]
    whole = EventBatch.concatenate(parts)
    assert rows_of(whole.take(slice(0, 3))) == rows_of(parts[0])
    assert rows_of(whole.take(np.array([3, 4]))) == rows_of(parts[1])


def test_a_batch_that_waits_or_has_inputs_is_the_same_in_all_else() -> None:
    batch = batch_of(3)
    waiting = batch.waiting_since(7)
    assert waiting.admitted_ns.tolist() == [7, 7, 7]
    assert rows_of(replace(waiting, admitted_ns=batch.admitted_ns)) == rows_of(batch)
    inputs = {"other": np.arange(6).reshape(3, 2)}
    given = batch.with_inputs(inputs)
    assert given.inputs is inputs
    assert rows_of(replace(given, inputs=batch.inputs)) == rows_of(batch)


def test_concatenate_of_nothing_or_of_different_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="none"):
        EventBatch.concatenate([])
    for other in ({"price": np.zeros(1)}, {}, {**batch_of(1).columns, "more": np.zeros(1)}):
        with pytest.raises(ValueError, match="fields"):
            EventBatch.concatenate([batch_of(1), replace(batch_of(1), columns=other)])
    with pytest.raises(ValueError, match="fields"):
        EventBatch.concatenate([batch_of(1), replace(batch_of(1), inputs={})])


def test_a_field_is_found_by_name_and_a_wrong_name_is_told_what_there_is() -> None:
    batch = batch_of(2)
    assert batch["price"] is batch.columns["price"]
    with pytest.raises(KeyError, match=r"no field 'prize': the codec's fields are price, words"):
        batch["prize"]
    with pytest.raises(KeyError, match="the codec's fields are none"):
        replace(batch, columns={})["price"]


def test_an_object_column_of_equal_lists_stays_one_dimensional() -> None:
    column = object_column([[1, 2], [3, 4]])
    assert column.shape == (2,)
    assert column.dtype == np.object_
    assert object_column([]).shape == (0,)


def test_records_that_are_one_event_each_have_no_rows() -> None:
    single = replace(batch_of(3), row=None)
    assert single.take(slice(1, 3)).row is None
    assert EventBatch.concatenate([single, replace(batch_of(2, 3), row=None)]).row is None
