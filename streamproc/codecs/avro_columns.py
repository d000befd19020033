"""Avro records to columns, all records of a batch at once.

Each record has a cursor in one buffer, and a field is read of all records by a few numpy calls. Only what is plain
is read so: a record with anything else (a null where a number is wanted, an array in several blocks, bytes that are
not of the schema) is marked, and left to fastavro, which is slow, right, and can say what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from streamproc.codecs.avro_schema import AvroType, Path, leaf_of
from streamproc.codecs.fields import FieldType, narrowed, not_finite
from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    Float64Array,
    Int64Array,
    RecordError,
    object_column,
)

_PAD: Final = bytes(16)
"""Behind the last record: a number may be looked for there before it is clear that it is cut off."""
_VARINT_BYTES: Final = 10
_ITEMS_MAX: Final = 64
"""Of an array or map that nobody wants: each is a step for all records, and a record could hold a million of them."""
_WHOLE_NUMBERS_MAX: Final = 256
"""Of an array: each is a step for all records."""
_SIZES: Final = {"float": 4, "double": 8}
_WANTED: Final[Mapping[str, frozenset[str]]] = {
    "float": frozenset({"float", "double", "int", "long"}),
    "integer": frozenset({"int", "long"}),
    "bool": frozenset({"boolean"}),
    "str": frozenset({"string", "enum"}),
}

Wanted: TypeAlias = "dict[str, Wanted | int]"
"""Of a record: the fields that are wanted, and what of them; a number is the place among the columns."""
Rows: TypeAlias = Int64Array


@dataclass(frozen=True, slots=True)
class Plan:
    """How the wanted fields are read out of records of one schema.

    Attributes:
        type: the schema.
        wanted: where the fields are in it.
        fields: their types by name.
    """

    type: AvroType
    wanted: Wanted
    fields: Mapping[str, FieldType]

    def read(self, values: Sequence[bytes], start: int) -> tuple[Columns, BoolArray]:
        """The columns, and which records could be read (bool [n]); the others' rows mean nothing.

        Args:
            values: the records' values.
            start: where in each the record begins.
        """
        sizes = [kind.size for kind in self.fields.values()]
        reader = _Reader(values, start, sizes)
        reader.read(self.type, self.wanted, np.arange(len(values)))
        good = ~reader.bad & (reader.place == reader.end)
        columns: Columns = {}
        for number, (name, kind) in enumerate(self.fields.items()):
            columns[name], unfit = _fitted(reader.columns[number], kind, len(values))
            if unfit is not None:
                good &= ~unfit
        return columns, good


def plan_of(
    schema: AvroType, paths: Sequence[Path], fields: Mapping[str, FieldType]
) -> Plan | None:
    """How fields are read; None where only fastavro can."""
    wanted: Wanted = {}
    for number, (path, kind) in enumerate(zip(paths, fields.values(), strict=True)):
        if not _is_plain(schema, path, kind):
            return None
        inner = wanted
        for part in path[:-1]:
            below = inner.setdefault(part, {})
            if isinstance(below, int):
                return None
            inner = below
        if path[-1] in inner:
            return None
        inner[path[-1]] = number
    return Plan(schema, wanted, fields)


def _is_plain(schema: AvroType, path: Path, kind: FieldType) -> bool:
    """Whether a field is one that is read here: numbers and texts in records, and arrays of numbers."""
    try:
        leaf = leaf_of(schema, path)
    except RecordError:
        return False
    found = schema
    for part in path:  # a map on the way is fastavro's
        inner = _without_null(found)
        if inner.kind != "record":
            return False
        found = inner.fields[part]
    family = "float" if kind.is_float else "integer" if kind.is_integer else kind.dtype
    if kind.shape:
        if leaf.kind != "array":
            return False
        (leaf,) = leaf.branches
        if leaf.kind in ("int", "long") and kind.size > _WHOLE_NUMBERS_MAX:
            return False
    return leaf.kind in _WANTED[family] and leaf.scale is None


def _without_null(found: AvroType) -> AvroType:
    if found.kind != "union":
        return found
    return next((b for b in found.branches if b.kind != "null"), found)


class _Reader:
    """The cursors of a batch.

    Args:
        values: the records' values.
        start: where in each the record begins.
        sizes: of each column that is wanted, how many numbers an array has.

    Attributes:
        place: int64 [n], where each record is read.
        end: int64 [n], where it ends.
        bad: bool [n], which records are not plain; their cursors mean nothing any more.
        columns: what was read.
    """

    def __init__(self, values: Sequence[bytes], start: int, sizes: Sequence[int]) -> None:
        self._whole = b"".join([*values, _PAD])
        self._bytes = np.frombuffer(self._whole, np.uint8)
        length = np.fromiter(map(len, values), np.int64, len(values))
        self.end = np.cumsum(length)
        self.place = self.end - length + start
        self.bad: BoolArray = self.place > self.end
        self.place[self.bad] = self.end[self.bad]
        self.columns: list[Array | None] = [None] * len(sizes)
        self._sizes = sizes

    def read(self, kind: AvroType, wanted: "Wanted | int | None", rows: Rows) -> None:
        """Read a type of some records, keeping what is wanted of it."""
        if not len(rows):
            return
        match kind.kind:
            case "record":
                inside = wanted if isinstance(wanted, dict) else {}
                for name, inner in kind.fields.items():
                    self.read(inner, inside.get(name), rows)
            case "union":
                self._union(kind, wanted, rows)
            case "array" if isinstance(wanted, int):
                self._array(kind.branches[0], wanted, rows)
            case "array" | "map":
                self._pass_items(kind, rows)
            case _:
                self._value(kind, wanted if isinstance(wanted, int) else None, rows)

    def _value(self, kind: AvroType, column: int | None, rows: Rows) -> None:
        match kind.kind:
            case "null":
                if column is not None:
                    self.bad[rows] = True  # a missing field
            case "boolean":
                truth = self._bytes[self.place[rows]]
                self._move(rows, 1)
                self.bad[rows] |= truth > 1
                self._keep(column, rows, truth.astype(np.bool_))
            case "int" | "long":
                self._keep(column, rows, self._varint(rows))
            case "float" | "double":
                self._keep(column, rows, self._floats(_SIZES[kind.kind], rows))
            case "enum":
                self._enum(kind, column, rows)
            case "fixed":
                self._move(rows, kind.size)
            case "bytes" | "string":
                self._text(column, rows)
            case _:
                self.bad[rows] = True

    def _union(self, kind: AvroType, wanted: "Wanted | int | None", rows: Rows) -> None:
        branch = self._varint(rows)
        self.bad[rows] |= (branch < 0) | (branch >= len(kind.branches))
        for number, inner in enumerate(kind.branches):
            mine = rows[branch == number]
            if isinstance(wanted, dict) and inner.kind == "null":
                self.bad[mine] = True  # fields below a null are missing
            else:
                self.read(inner, wanted, mine)

    def _varint(self, rows: Rows) -> Int64Array:
        """Zigzag numbers (int64 [rows])."""
        place = self.place[rows]
        byte = self._bytes[place]
        value = (byte & 0x7F).astype(np.uint64)
        length = np.ones(len(rows), np.int64)
        more = np.flatnonzero(byte & 0x80)
        for count in range(1, _VARINT_BYTES):
            if not len(more):
                break
            byte = self._bytes[place[more] + count]
            value[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * count)
            length[more] += 1
            if count == _VARINT_BYTES - 1:  # the tenth byte has one bit left
                self.bad[rows[more[byte > 1]]] = True
            more = more[(byte & 0x80) != 0]
        self._move(rows, length)
        number: Int64Array = (value >> np.uint64(1)).view(np.int64) ^ -(value & np.uint64(1)).view(
            np.int64
        )
        return number

    def _floats(self, size: int, rows: Rows) -> Float64Array:
        raw = self._bytes[self.place[rows, np.newaxis] + np.arange(size)]
        self._move(rows, size)
        numbers: Float64Array = raw.view(f"<f{size}")[:, 0].astype(np.float64)
        return numbers

    def _enum(self, kind: AvroType, column: int | None, rows: Rows) -> None:
        index = self._varint(rows)
        wrong = (index < 0) | (index >= len(kind.symbols))
        self.bad[rows] |= wrong
        if column is not None:
            self._keep(column, rows, object_column(kind.symbols)[np.where(wrong, 0, index)])

    def _text(self, column: int | None, rows: Rows) -> None:
        length = self._varint(rows)
        start = self.place[rows]
        self._move(rows, length)
        if column is None:
            return
        stop = np.where(self.bad[rows], start, start + length)
        whole = self._whole
        spans = zip(start.tolist(), stop.tolist(), strict=True)
        try:
            texts = [whole[a:b].decode() for a, b in spans]
        except UnicodeDecodeError:
            texts = [
                whole[a:b].decode(errors="replace")
                for a, b in zip(start.tolist(), stop.tolist(), strict=True)
            ]
            broken = ["\ufffd" in text for text in texts]  # if it was there before, fastavro sees
            self.bad[rows[np.array(broken)]] = True
        self._keep(column, rows, object_column(texts))

    def _array(self, item: AvroType, column: int, rows: Rows) -> None:
        """An array of the right length, in one block."""
        size = self._sizes[column]
        self.bad[rows] |= self._varint(rows) != size
        if item.kind in _SIZES:
            matrix = self._float_lists(item.kind, size, rows)
        else:
            matrix = np.stack([self._varint(rows) for _ in range(size)], axis=1)
        self.bad[rows] |= self._varint(rows) != 0
        self._keep(column, rows, matrix)

    def _float_lists(self, kind: str, count: int, rows: Rows) -> Array:
        size = _SIZES[kind] * count
        start = self.place[rows]
        self._move(rows, size)
        good = np.flatnonzero(~self.bad[rows])
        whole = self._whole
        raw = b"".join([whole[a : a + size] for a in start[good].tolist()])
        numbers = np.frombuffer(raw, f"<f{_SIZES[kind]}").reshape(len(good), count)
        if len(good) == len(rows):
            return numbers
        matrix = np.zeros((len(rows), count), numbers.dtype)
        matrix[good] = numbers
        return matrix

    def _pass_items(self, kind: AvroType, rows: Rows) -> None:
        """Go over an array or a map that nobody wants, block by block."""
        (item,) = kind.branches
        while len(rows):
            count = self._varint(rows)
            sized = count < 0  # a block that says how many bytes it has
            if sized.any():
                mine = rows[sized]
                self._move(mine, self._varint(mine))
            size = 0 if kind.kind == "map" else _SIZES.get(item.kind, 0)
            if size:
                self._move(rows[~sized], count[~sized] * size)
            else:
                self.bad[rows] |= count > _ITEMS_MAX
                for step in range(_ITEMS_MAX):
                    mine = rows[(count > step) & ~self.bad[rows]]
                    if not len(mine):
                        break
                    if kind.kind == "map":
                        self._text(None, mine)
                    self.read(item, None, mine)
            rows = rows[(count != 0) & ~self.bad[rows]]

    def _move(self, rows: Rows, by: "Int64Array | int") -> None:
        """Move cursors on; those that would leave their record, or go back, stand still and are bad."""
        left = self.end[rows] - self.place[rows]
        wrong = (left < by) | (np.asarray(by) < 0)
        if wrong.any():
            self.bad[rows[wrong]] = True
            by = np.where(wrong, 0, by)
        self.place[rows] += by

    def _keep(self, column: int | None, rows: Rows, values: Array) -> None:
        if column is None:
            return
        if len(rows) == len(self.place):
            self.columns[column] = values
            return
        held = self.columns[column]
        if held is None or held.shape[1:] != values.shape[1:]:
            held = self.columns[column] = np.zeros(
                (len(self.place), *values.shape[1:]), values.dtype
            )
        held[rows] = values


def _fitted(column: Array | None, kind: FieldType, count: int) -> tuple[Array, BoolArray | None]:
    """A column in its field's type, and which rows do not fit it (bool [n]; None where all do)."""
    if column is None or column.shape != (count, *kind.shape):
        return np.zeros((count, *kind.shape), kind.numpy), np.ones(count, np.bool_)
    if kind.is_integer and column.dtype != kind.numpy:
        least, most = kind.limits
        outside = np.less(column, least) | np.greater(column, most)
        rows: BoolArray = np.any(outside.reshape(count, -1), axis=1)
        return column.astype(kind.numpy), rows
    if kind.is_float:
        column = narrowed(column, kind)
    return column, not_finite(column, kind)
