"""Arrow IPC to columns: each row of a record is an event.

The way of the data: the record batches of all records of a poll become one table, which copies nothing, and
each column of it one array. What Python does is done once a record and once a column, never once a row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamproc.codecs.arrow_stream import to_stream
from streamproc.codecs.decoded import Decoded, RowsRejected
from streamproc.codecs.fields import FieldType, narrowed, not_finite
from streamproc.codecs.options import ArrowCodec
from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    Int64Array,
    Reason,
    RecordError,
    light,
)

_FILE_MAGIC = b"ARROW1\0\0"
_CONTINUATION = b"\xff\xff\xff\xff"
_HEAD_BYTES_MAX = 1 << 16
_KNOWN_MAX = 256
"""Schemas that are remembered: of a producer that makes a new one each time none is worth it."""

Table: TypeAlias = Any
"""A ``pyarrow.Table``; pyarrow has no types."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A schema that was met before, one object for all records that have it.

    Attributes:
        schema: without what producers note in it.
        refusal: what is wrong with it; None for nothing.
    """

    schema: Any
    refusal: RecordError | None


@light
@dataclass(frozen=True, slots=True)
class _Read:
    """A record that could be read."""

    record: int
    batches: list[Any]
    rows: int


class ArrowDecoder:
    """Decodes Arrow IPC streams and files.

    Args:
        options: the limits.
        fields: the columns that are read.
    """

    several = True

    def __init__(self, options: ArrowCodec, fields: Mapping[str, FieldType]) -> None:
        self.fields = fields
        self._max_bytes = int(options.max_bytes)
        self._max_expanded = int(options.max_expanded)
        self._max_rows = options.max_rows
        self._known: dict[Any, _Known] = {}
        self._known_heads: dict[bytes, _Known] = {}
        """By a stream's first message: to compare those bytes takes a twentieth of comparing schemas."""

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Columns of all rows; see ``Decoder``."""
        rejected: dict[int, RecordError] = {}
        by_schema: dict[_Known, list[_Read]] = {}
        for number, value in enumerate(values):
            try:
                known, read = self._read(number, value)
            except RecordError as error:
                rejected[number] = error
            else:
                by_schema.setdefault(known, []).append(read)
        parts = [self._columns(known.schema, reads) for known, reads in by_schema.items()]
        return _joined(parts, self.fields, rejected)

    def _read(self, number: int, value: bytes | None) -> tuple[_Known, _Read]:
        """A record's batches and their schema.

        Raises:
            RecordError: it cannot be used.
        """
        if value is None:
            raise RecordError(Reason.EMPTY, "the value is null (a tombstone)")
        if not value:
            raise RecordError(Reason.EMPTY, "the value has no bytes")
        if len(value) > self._max_bytes:
            text = f"the value has {len(value)} bytes, the limit is {self._max_bytes}"
            raise RecordError(Reason.TOO_LARGE, text)
        try:
            opened = pa.ipc.open_file if value.startswith(_FILE_MAGIC) else pa.ipc.open_stream
            reader = opened(pa.py_buffer(value))
            head = _head(value)
            known = self._known_heads.get(head)
            schema = reader.schema if known is None else None
            batches, rows = [], 0
            for batch in _batches(reader):
                rows += batch.num_rows
                if rows > self._max_rows or batch.nbytes > self._max_expanded:
                    text = (
                        f"more than {self._max_rows} rows or {self._max_expanded} bytes in columns"
                    )
                    raise RecordError(Reason.TOO_LARGE, text)
                batch.validate(full=True)  # a wrong offset would be read out of the record's memory
                batches.append(batch)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            text = f"no Arrow IPC stream: {_first_line(error)}"
            raise RecordError(Reason.UNDECODABLE, text) from None
        if not rows:
            raise RecordError(Reason.EMPTY, "the record holds no rows")
        if known is None:
            known = self._look_at(schema, head)
        if known.refusal is not None:
            raise known.refusal
        return known, _Read(number, batches, rows)

    def _look_at(self, schema: Any, head: bytes) -> _Known:  # noqa: ANN401 - pyarrow has no types
        """What is known of a schema; remembered, since producers have few."""
        if max(len(self._known), len(self._known_heads)) > _KNOWN_MAX:
            self._known.clear()
            self._known_heads.clear()
        if schema.metadata:  # what producers note there makes no other schema
            schema = schema.remove_metadata()
        known = self._known.get(schema)
        if known is None:
            try:
                refusal = _schema_refusal(schema, self.fields)
            except UnicodeDecodeError:  # pyarrow reads a name only when it is asked for it
                refusal = RecordError(Reason.UNDECODABLE, "a column's name is no text")
            known = self._known[schema] = _Known(schema, refusal)
        if head:
            self._known_heads[head] = known
        return known

    def _columns(self, schema: Any, reads: list[_Read]) -> Decoded:  # noqa: ANN401
        """The rows of records of one schema."""
        batches = [batch for read in reads for batch in read.batches]
        rows = np.array([read.rows for read in reads], np.int64)
        record = np.repeat(np.array([read.record for read in reads], np.int64), rows)
        row = np.arange(len(record)) - np.repeat(np.cumsum(rows) - rows, rows)
        table = pa.Table.from_batches(batches, schema)
        columns: Columns = {}
        unfit: list[tuple[str, Reason, BoolArray]] = []
        for name, kind in self.fields.items():
            column, problems = _column(table.column(name), kind)
            columns[name] = column
            unfit += [(name, reason, mask) for reason, mask in problems]
        if not unfit:
            return Decoded(record, columns, row=row)
        return _without(Decoded(record, columns, row=row), unfit)


def arrow_record(columns: Mapping[str, Array], **options: Any) -> bytes:  # noqa: ANN401 - pyarrow's
    """A record's value: an IPC stream with one record batch.

    Args:
        columns: the columns by name, each [n, ...]; arrays of several dimensions become fixed-size lists.
        options: of ``pyarrow.ipc.IpcWriteOptions``, such as ``compression="lz4"``.
    """
    arrays = {name: to_array(column) for name, column in columns.items()}
    return to_stream(pa.RecordBatch.from_pydict(arrays), **options)


def to_array(column: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A column [n, ...] as an Arrow array; arrays of several dimensions become fixed-size lists."""
    array = pa.array(np.ascontiguousarray(column).reshape(-1))
    for size in reversed(column.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _head(value: bytes) -> bytes:
    """A stream's first message, which is its schema; empty where it has none that is worth remembering.

    https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
    """
    stop = len(_CONTINUATION) + 4
    stop += int.from_bytes(value[len(_CONTINUATION) : stop], "little")
    if stop > _HEAD_BYTES_MAX or not value.startswith(_CONTINUATION):
        return b""
    return value[:stop]


def _batches(reader: Any) -> Iterator[Any]:  # noqa: ANN401
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)


def _schema_refusal(schema: Any, fields: Mapping[str, FieldType]) -> RecordError | None:  # noqa: ANN401
    for name, kind in fields.items():
        places = schema.get_all_field_indices(name)
        if not places:
            text = f"column {name!r} is missing: there are {', '.join(schema.names) or 'none'}"
            return RecordError(Reason.MISSING_FIELD, text)
        if len(places) > 1:
            return RecordError(Reason.WRONG_TYPE, f"column {name!r} is there {len(places)} times")
        found = schema.field(places[0]).type
        if not _converts(found, kind):
            return RecordError(Reason.WRONG_TYPE, f"column {name!r} must be {kind}, is {found}")
        sizes = _fixed_sizes(found)
        if kind.shape and None not in sizes and tuple(sizes) != kind.shape:
            return RecordError(Reason.WRONG_LENGTH, f"column {name!r} must be {kind}, is {found}")
    return None


def _converts(found: Any, kind: FieldType) -> bool:  # noqa: ANN401
    """Whether a column's type is one that a field's can be made of without loss of meaning."""
    types = pa.types
    if kind.shape:
        for _ in kind.shape:
            if not (types.is_fixed_size_list(found) or types.is_list(found) or types.is_large_list(found)):  # fmt: skip
                return False
            found = found.value_type
    if kind.is_float:
        return bool(types.is_floating(found) or types.is_integer(found))
    if kind.is_integer:
        return bool(
            types.is_integer(found) or (types.is_timestamp(found) and kind.dtype == "int64")
        )
    if kind.dtype == "bool":
        return bool(types.is_boolean(found))
    if types.is_dictionary(found):
        found = found.value_type
    return bool(types.is_string(found) or types.is_large_string(found))


def _fixed_sizes(found: Any) -> list[int | None]:  # noqa: ANN401
    sizes: list[int | None] = []
    while hasattr(found, "value_type") and not pa.types.is_dictionary(found):
        sizes.append(found.list_size if pa.types.is_fixed_size_list(found) else None)
        found = found.value_type
    return sizes


def _column(chunked: Any, kind: FieldType) -> tuple[Array, list[tuple[Reason, BoolArray]]]:  # noqa: ANN401
    """A column as an array [n, ...], and the rows that do not fit (bool [n]) by what is wrong."""
    problems: list[tuple[Reason, BoolArray]] = []
    array = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if array.null_count:
        problems.append((Reason.MISSING_FIELD, array.is_null().to_numpy(zero_copy_only=False)))
    if kind.dtype == "str":
        return _texts(array), problems
    rows = len(array)
    for size in kind.shape:
        array, wrong = _elements(array, size)
        if wrong is not None:
            reason, mask = wrong
            problems.append((reason, _any_of(mask, rows)))
    column, wrong_numbers = _numbers(array, kind)
    column = column.reshape(rows, *kind.shape)
    if wrong_numbers is not None:
        problems.append((Reason.WRONG_TYPE, _any_of(wrong_numbers, rows)))
    missing = (
        _any_of(array.is_null().to_numpy(zero_copy_only=False), rows) if array.null_count else None
    )
    if missing is not None and kind.shape:
        problems.append((Reason.MISSING_FIELD, missing))
    infinite = not_finite(column, kind)
    if infinite is not None:
        problems.append((Reason.NOT_FINITE, infinite))
    return column, problems


def _elements(array: Any, size: int) -> tuple[Any, tuple[Reason, BoolArray] | None]:  # noqa: ANN401
    """The elements of lists, ``size`` of each, and the lists that have another number (bool [n])."""
    if pa.types.is_fixed_size_list(array.type) and not array.null_count:
        return array.flatten(), None
    lengths = pc.fill_null(pc.list_value_length(array), -1).to_numpy(zero_copy_only=False)
    wrong: BoolArray = lengths != size
    if not wrong.any():
        return array.flatten(), None
    # Nulls stand in for lists that do not fit, so that the others keep their places.
    blank = pa.array([[None] * size], pa.list_(array.type.value_type))
    taken = np.where(wrong, len(array), np.arange(len(array)))
    lists = pa.concat_arrays([array.cast(pa.list_(array.type.value_type)), blank]).take(
        pa.array(taken)
    )
    other: BoolArray = wrong & (lengths >= 0)
    return lists.flatten(), ((Reason.WRONG_LENGTH, other) if other.any() else None)


def _numbers(array: Any, kind: FieldType) -> tuple[Array, BoolArray | None]:  # noqa: ANN401
    """Numbers or truths as an array [n], and those that do not fit its type (bool [n])."""
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    if array.null_count:
        array = array.fill_null(False if kind.dtype == "bool" else 0)
    found: Array = array.to_numpy(zero_copy_only=False)
    if kind.is_integer and found.dtype != kind.numpy:
        least, most = kind.limits
        wrong: BoolArray = np.less(found, least) | np.greater(found, most)
        if wrong.any():
            return np.where(wrong, 0, found).astype(kind.numpy), wrong
    return narrowed(found, kind), None


def _texts(array: Any) -> Array:  # noqa: ANN401
    """Texts as an object column [n]; each that is repeated is made once."""
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    known = np.empty(len(array.dictionary) + 1, np.object_)
    known[:-1] = array.dictionary.to_pylist()
    known[-1] = ""
    places = array.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    texts: Array = known[places]
    return texts


def _any_of(elements: BoolArray, rows: int) -> BoolArray:
    """Which rows have an element that is marked (bool [rows])."""
    marked: BoolArray = np.any(elements.reshape(rows, -1), axis=1)
    return marked


def _without(decoded: Decoded, unfit: Sequence[tuple[str, Reason, BoolArray]]) -> Decoded:
    """The rows that fit; the others are rejected for the first thing that is wrong with them."""
    assert decoded.record is not None  # noqa: S101 - it was made above
    assert decoded.row is not None  # noqa: S101
    bad = np.zeros(len(decoded.record), np.bool_)
    rejected: list[RowsRejected] = []
    for name, reason, mask in unfit:
        fresh = mask & ~bad
        bad |= mask
        error = RecordError(reason, _WORDS[reason](name))
        for record in np.unique(decoded.record[fresh]).tolist():
            rows = decoded.row[fresh & (decoded.record == record)]
            rejected.append(RowsRejected(record, rows, error))
    good = np.flatnonzero(~bad)
    return Decoded(
        decoded.record[good],
        {name: column[good] for name, column in decoded.columns.items()},
        row=decoded.row[good],
        rejected_rows=tuple(rejected),
    )


_WORDS: dict[Reason, Callable[[str], str]] = {
    Reason.MISSING_FIELD: lambda name: f"column {name!r} is null",
    Reason.WRONG_LENGTH: lambda name: f"column {name!r} holds a list of another length",
    Reason.WRONG_TYPE: lambda name: f"column {name!r} holds a number beyond its type",
    Reason.NOT_FINITE: lambda name: f"column {name!r} holds a NaN or an infinity",
}


def _joined(
    parts: list[Decoded], fields: Mapping[str, FieldType], rejected: dict[int, RecordError]
) -> Decoded:
    """One answer of those by schema, in the order of the records."""
    rows = tuple(some for part in parts for some in part.rejected_rows)
    if len(parts) == 1:
        (part,) = parts
        return Decoded(part.record, part.columns, rejected, part.row, rows)
    if not parts:
        none: Int64Array = np.empty(0, np.int64)
        columns: Columns = {n: np.empty((0, *k.shape), k.numpy) for n, k in fields.items()}
        return Decoded(none, columns, rejected, none, rows)
    record = np.concatenate([p.record for p in parts if p.record is not None])
    row = np.concatenate([p.row for p in parts if p.row is not None])
    order = np.argsort(record, kind="stable")
    return Decoded(
        record[order],
        {n: np.concatenate([p.columns[n] for p in parts])[order] for n in fields},
        rejected,
        row[order],
        rows,
    )


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return text[:200] or type(error).__name__
