"""Arrow records: each row an event, and what does not fit is rejected alone."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import ArrowCodec, Decoded, FieldType
from streamproc.codecs.arrow import ArrowDecoder, arrow_record
from streamproc.codecs.arrow_stream import to_stream
from streamproc.core import Reason, Size, object_column

FIELDS = {
    "symbol": FieldType("str"),
    "ts": FieldType("int64"),
    "f": FieldType("float32", (2,)),
}


def decoder(fields: dict[str, FieldType] | None = None, **options: Any) -> ArrowDecoder:
    return ArrowDecoder(ArrowCodec(**options), fields or FIELDS)


def record(rows: int = 3, first: int = 0, **options: Any) -> bytes:
    number = np.arange(first, first + rows)
    columns = {
        "symbol": object_column([f"s{n % 2}" for n in number]),
        "ts": number,
        "f": np.stack([number, -number], axis=1).astype(np.float32),
        "unused": number,
    }
    return arrow_record(columns, **options)


def of(**columns: Any) -> bytes:
    return to_stream(pa.RecordBatch.from_pydict(columns))


def said(decoded: Decoded) -> dict[int, tuple[str, str]]:
    return {n: (error.reason, error.detail) for n, error in decoded.rejected.items()}


def rows_rejected(decoded: Decoded) -> list[tuple[int, list[int], str]]:
    return [(r.record, r.row.tolist(), r.error.reason) for r in decoded.rejected_rows]


def test_all_rows_of_all_records_become_one_column_each() -> None:
    decoded = decoder().decode([record(3), record(2, first=10)])
    assert decoded.record is not None
    assert decoded.row is not None
    assert decoded.record.tolist() == [0, 0, 0, 1, 1]
    assert decoded.row.tolist() == [0, 1, 2, 0, 1]
    assert decoded.columns["symbol"].tolist() == ["s0", "s1", "s0", "s0", "s1"]
    assert decoded.columns["ts"].tolist() == [0, 1, 2, 10, 11]
    assert decoded.columns["f"].tolist() == [[0, 0], [1, -1], [2, -2], [10, -10], [11, -11]]
    assert {n: c.dtype for n, c in decoded.columns.items()} == {
        "symbol": np.dtype(object),
        "ts": np.dtype(np.int64),
        "f": np.dtype(np.float32),
    }
    assert (decoded.rejected, decoded.rejected_rows) == ({}, ())


def test_a_single_record_is_not_copied() -> None:
    value = record(100)
    decoded = decoder().decode([value])
    held = np.frombuffer(value, np.uint8)
    assert np.shares_memory(decoded.columns["f"], held)
    assert np.shares_memory(decoded.columns["ts"], held)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_records(compression: str) -> None:
    decoded = decoder().decode([record(500, compression=compression)])
    assert decoded.columns["ts"].tolist() == list(range(500))


def test_several_batches_in_one_record_and_a_file() -> None:
    batch = pa.ipc.open_stream(record(2)).read_all().to_batches()[0]
    for make in (pa.ipc.new_stream, pa.ipc.new_file):
        out = pa.BufferOutputStream()
        with make(out, batch.schema) as writer:
            writer.write_batch(batch)
            writer.write_batch(batch.slice(1))
        decoded = decoder().decode([out.getvalue().to_pybytes()])
        assert decoded.row is not None
        assert decoded.row.tolist() == [0, 1, 2]
        assert decoded.columns["ts"].tolist() == [0, 1, 1]


def test_records_of_different_schemas_keep_their_order() -> None:
    other = of(
        f=pa.array([[7, 8]], pa.list_(pa.float64())),
        symbol=pa.array(["x"]).dictionary_encode(),
        ts=pa.array([70], pa.int32()),
    )
    decoded = decoder().decode([record(2), other, record(1, first=5)])
    assert decoded.record is not None
    assert decoded.record.tolist() == [0, 0, 1, 2]
    assert decoded.columns["ts"].tolist() == [0, 1, 70, 5]
    assert decoded.columns["f"].tolist() == [[0, 0], [1, -1], [7, 8], [5, -5]]
    assert decoded.columns["symbol"].tolist() == ["s0", "s1", "x", "s1"]


def test_dictionaries_that_differ() -> None:
    fields = {"s": FieldType("str")}
    values = [of(s=pa.array(words).dictionary_encode()) for words in (["a", "b"], ["b", "c", "b"])]
    assert decoder(fields).decode(values).columns["s"].tolist() == ["a", "b", "b", "c", "b"]


def test_notes_in_the_schema_make_no_other_schema() -> None:
    batch = pa.RecordBatch.from_pydict({"x": [1.0]}, metadata={"made": "now"})
    made = decoder({"x": FieldType("float64")})
    made.decode([to_stream(batch), of(x=[2.0])])
    assert len(made._known) == 1


NOTED = [pa.RecordBatch.from_pydict({"x": [float(n)]}, metadata={"made": f"{n}"}) for n in range(3)]
POOL = [
    *map(to_stream, NOTED),
    of(x=[1.0, 2.0]),
    of(x=[3], y=["a"]),
    of(x=["text"]),
    of(y=[1.0]),
    of(x=[5.0])[:-200],
    of(x=[6.0]).replace(b"x", b"\xf0", 1),
]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(POOL), min_size=1, max_size=12))
def test_what_is_known_of_schemas_changes_no_answer(values: list[bytes]) -> None:
    fields = {"x": FieldType("float64")}
    used = decoder(fields)
    for value in values:
        found, fresh = used.decode([value]), decoder(fields).decode([value])
        assert said(found) == said(fresh)
        assert found.columns["x"].tolist() == fresh.columns["x"].tolist()


@pytest.mark.parametrize(
    ("array", "kind", "wanted"),
    [
        (pa.array([1, 2], pa.uint8()), "float32", [1, 2]),
        (pa.array([1, 2], pa.float16()) if hasattr(pa, "float16") else None, "float64", [1, 2]),
        (pa.array([1, 2], pa.int64()), "int8", [1, 2]),
        (pa.array([True, False]), "bool", [True, False]),
        (pa.array([1_700_000_000_000], pa.timestamp("ms")), "int64", [1_700_000_000_000]),
        (pa.array(["a", "b"], pa.large_string()), "str", ["a", "b"]),
        (pa.array([[1, 2], [3, 4]], pa.large_list(pa.int16())), "float32[2]", [[1, 2], [3, 4]]),
        (
            pa.array([[[1, 2], [3, 4], [5, 6]]], pa.list_(pa.list_(pa.float32(), 2), 3)),
            "float32[3,2]",
            [[[1, 2], [3, 4], [5, 6]]],
        ),
    ],
)
def test_types_that_convert(array: Any, kind: str, wanted: list[Any]) -> None:
    decoded = decoder({"x": FieldType.parse(kind)}).decode([of(x=array)])
    assert decoded.columns["x"].tolist() == wanted
    assert decoded.columns["x"].dtype == FieldType.parse(kind).numpy


@pytest.mark.parametrize(
    ("array", "kind", "reason", "words"),
    [
        (pa.array(["1"]), "float32", Reason.WRONG_TYPE, "column 'x' must be float32, is string"),
        (pa.array([1.5]), "int64", Reason.WRONG_TYPE, "column 'x' must be int64, is double"),
        (pa.array([1]), "str", Reason.WRONG_TYPE, "column 'x' must be str, is int64"),
        (
            pa.array([1.0]),
            "float32[2]",
            Reason.WRONG_TYPE,
            "column 'x' must be float32[2], is double",
        ),
        (pa.array([b"x"]), "str", Reason.WRONG_TYPE, "column 'x' must be str, is binary"),
        (
            pa.array([[1.0] * 3], pa.list_(pa.float32(), 3)),
            "float32[2]",
            Reason.WRONG_LENGTH,
            "column 'x' must be float32[2], is fixed_size_list<item: float>[3]",
        ),
    ],
)
def test_a_column_of_another_type_rejects_the_record(
    array: Any, kind: str, reason: str, words: str
) -> None:
    decoded = decoder({"x": FieldType.parse(kind)}).decode([of(x=array)])
    assert said(decoded) == {0: (reason, words)}
    assert len(decoded.columns["x"]) == 0


def test_columns_that_are_missing_or_there_twice() -> None:
    schema = pa.schema([("x", pa.int64()), ("x", pa.int64())])
    twice = to_stream(pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], schema=schema))
    decoded = decoder({"x": FieldType("int64")}).decode([of(y=[1], z=[2]), twice])
    assert said(decoded) == {
        0: (Reason.MISSING_FIELD, "column 'x' is missing: there are y, z"),
        1: (Reason.WRONG_TYPE, "column 'x' is there 2 times"),
    }


def test_what_is_no_record_at_all() -> None:
    whole = record(500)
    decoded = decoder(max_bytes=Size(len(whole))).decode(
        [None, b"", b"{}", whole[:-300], whole, whole + b"x", record(0)]
    )
    assert {n: reason for n, (reason, _) in said(decoded).items()} == {
        0: Reason.EMPTY,
        1: Reason.EMPTY,
        2: Reason.UNDECODABLE,
        3: Reason.UNDECODABLE,
        5: Reason.TOO_LARGE,
        6: Reason.EMPTY,
    }
    assert decoded.record is not None
    assert set(decoded.record.tolist()) == {4}


def test_what_is_small_only_because_it_is_compressed() -> None:
    large = arrow_record({"x": np.zeros(1_000_000)}, compression="zstd")
    assert len(large) < 10_000
    fields = {"x": FieldType("float64")}
    assert said(decoder(fields).decode([large]))[0][0] == Reason.TOO_LARGE
    limited = decoder(fields, max_rows=10**9, max_expanded=Size(1 << 20))
    assert said(limited.decode([large]))[0][0] == Reason.TOO_LARGE


def test_rows_that_do_not_fit_are_rejected_alone() -> None:
    nan = float("nan")
    first = of(
        symbol=["a", None, "c", "d", "e", "f", "g"],
        ts=pa.array([1, 2, None, 4, 5, 6, 7]),
        f=pa.array(
            [[1, 1], [2, 2], [3, 3], None, [5, nan], [6], [7, None]], pa.list_(pa.float32())
        ),
    )
    decoded = decoder().decode([record(2), first])
    assert decoded.record is not None
    assert decoded.row is not None
    assert decoded.record.tolist() == [0, 0, 1]
    assert decoded.row.tolist() == [0, 1, 0]
    assert decoded.columns["f"].tolist()[-1] == [1, 1]
    assert sorted(rows_rejected(decoded)) == sorted(
        [
            (1, [1], Reason.MISSING_FIELD),
            (1, [2], Reason.MISSING_FIELD),
            (1, [3], Reason.MISSING_FIELD),
            (1, [6], Reason.MISSING_FIELD),
            (1, [4], Reason.NOT_FINITE),
            (1, [5], Reason.WRONG_LENGTH),
        ]
    )


def test_null_lists_of_fixed_size_and_numbers_beyond_their_type() -> None:
    fields = {"f": FieldType("float32", (2,)), "n": FieldType("int8")}
    lists = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2))
    decoded = decoder(fields).decode([of(f=lists, n=[1, 2, 300])])
    assert decoded.columns["f"].tolist() == [[1, 2]]
    assert rows_rejected(decoded) == [(0, [1], Reason.MISSING_FIELD), (0, [2], Reason.WRONG_TYPE)]


@pytest.mark.parametrize("name", [b"symbol", b"unused"])
def test_a_columns_name_that_is_no_text_is_an_answer(name: bytes) -> None:
    damaged = record().replace(name, b"\xff" + name[1:])
    decoded = decoder().decode([damaged, record()])
    assert {number: error.reason for number, error in decoded.rejected.items()} == (
        {0: Reason.UNDECODABLE} if name == b"symbol" else {}
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_record_is_an_answer_and_never_a_crash(data: st.DataObject) -> None:
    value = bytearray(record(20, compression=data.draw(st.sampled_from([None, "lz4"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value) - 1))
        value[place] ^= 1 << data.draw(st.integers(0, 7))
    decoded = decoder().decode([record(2), bytes(value)])
    assert decoded.record is not None
    assert decoded.record.tolist()[:2] == [0, 0]
    assert all(len(column) == len(decoded.record) for column in decoded.columns.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=5))
def test_every_row_is_either_good_or_rejected(rows: list[int]) -> None:
    decoded = decoder().decode([record(n) for n in rows])
    assert decoded.record is not None
    counted = np.bincount(decoded.record, minlength=len(rows)).tolist()
    assert counted == rows
    assert set(decoded.rejected) == {n for n, count in enumerate(rows) if not count}
