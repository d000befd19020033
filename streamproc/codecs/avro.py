"""Avro records to columns.

The way of the data: a plan made of the schema reads the fields that are asked for out of all records of a batch at
once (``avro_columns``); a record that it does not take, and every schema that has no plan, goes to fastavro, which is
slow and right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from typing_extensions import override

from streamproc.codecs.avro_columns import Plan, plan_of
from streamproc.codecs.avro_schema import AvroSchema, ParsedSchema, parse_avro, picker
from streamproc.codecs.decoded import Decoded
from streamproc.codecs.fields import FieldType
from streamproc.codecs.options import AvroCodec, paths_of, types_of
from streamproc.codecs.registry import (
    FRAME_BYTES,
    Group,
    Registered,
    RegisteredSchema,
    SchemaType,
    refusal_of,
)
from streamproc.codecs.rows import columns_of
from streamproc.core import Columns, Reason, RecordError


@dataclass(frozen=True, slots=True)
class _Reading:
    """How records of one schema are read.

    Attributes:
        writer: what they were written with.
        reader: what they are read as; None for the same.
        pick: the fields' values of one datum.
        plan: how many of them are read at once; None where only one by one.
    """

    writer: ParsedSchema
    reader: ParsedSchema | None
    pick: Callable[[Any], tuple[Any, ...]]
    plan: Plan | None


_TOGETHER_MIN = 24
"""Fewer records of a schema are quicker one by one."""


class AvroDecoder(Registered[_Reading]):
    """Decodes Avro, one event a record.

    Args:
        options: the fields, and where the schemas are.
        schema: the text of the schema's file: the reader's with a registry, else the only one.

    Raises:
        ValueError: a field's type does not exist.
        RecordError: the file's schema cannot be used.
    """

    several = False
    kind: SchemaType = "AVRO"

    def __init__(self, options: AvroCodec, schema: str | None) -> None:
        super().__init__(options.registry, int(options.max_bytes))
        self.fields = {name: FieldType.parse(t) for name, t in types_of(options.fields).items()}
        self._paths = [tuple(path.split(".")) for path in paths_of(options.fields).values()]
        self._reader = None if schema is None else parse_avro(schema)
        self._alone: _Reading | None = None
        if options.registry is None:
            if self._reader is None:
                msg = "codec.avro needs a registry or a schema"
                raise ValueError(msg)
            self._alone = self._reading(self._reader)

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Columns of the values; see ``Decoder``."""
        rejected: dict[int, RecordError] = {}
        if self._alone is None:
            groups = self._groups(values, rejected)
        else:
            groups = [Group(self._whole(values, rejected), self._alone)]
        start = 0 if self._alone else FRAME_BYTES
        parts: list[tuple[list[int], Columns]] = []
        for group in groups:
            left: Sequence[int] = group.records
            plan = group.known.plan
            if plan is not None and len(left) >= _TOGETHER_MIN:
                mine = [value for number in left if (value := values[number])]
                columns, good = plan.read(mine, start)
                if good.all():
                    parts.append((list(left), columns))
                    continue
                chosen = np.flatnonzero(good)
                taken = [left[place] for place in chosen.tolist()]
                parts.append((taken, {name: column[chosen] for name, column in columns.items()}))
                left = [left[place] for place in np.flatnonzero(~good).tolist()]
            parts.append(self._one_by_one(values, left, start, group.known, rejected))
        return _joined(parts, self.fields, rejected, len(values))

    def _one_by_one(
        self,
        values: Sequence[bytes | None],
        numbers: Sequence[int],
        start: int,
        reading: _Reading,
        rejected: dict[int, RecordError],
    ) -> tuple[list[int], Columns]:
        """Records by fastavro: those that are good, and their columns."""
        rows: list[tuple[Any, ...]] = []
        records: list[int] = []
        for number in numbers:
            try:
                rows.append(_row(values[number] or b"", start, reading))
            except RecordError as error:
                rejected[number] = error
            else:
                records.append(number)
        return records, columns_of(self.fields, rows, records, rejected)

    def _whole(self, values: list[bytes | None], rejected: dict[int, RecordError]) -> list[int]:
        good = []
        for number, value in enumerate(values):
            if not value or len(value) > self._bytes_max:
                rejected[number] = refusal_of(value, self._bytes_max)
            else:
                good.append(number)
        return good

    @override
    def _made_of(self, schema: RegisteredSchema) -> _Reading:
        return self._reading(parse_avro(schema.text, schema.references))

    def _reading(self, writer: AvroSchema) -> _Reading:
        reader = self._reader
        if reader is None or reader.type == writer.type:
            plan = plan_of(writer.type, self._paths, self.fields)
            return _Reading(writer.parsed, None, picker(writer.type, self._paths), plan)
        return _Reading(writer.parsed, reader.parsed, picker(reader.type, self._paths), None)


def _row(value: bytes, start: int, reading: _Reading) -> tuple[Any, ...]:
    """The values of one record's fields.

    Raises:
        RecordError: it is not of its schema.
    """
    body = BytesIO(value)
    body.seek(start)
    try:
        datum = fastavro.schemaless_reader(body, reading.writer, reading.reader)
    except RecordError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever fastavro raises of bytes that are not of the schema
        text = f"no Avro of its schema: {type(error).__name__}"  # its message may hold the payload
        raise RecordError(Reason.UNDECODABLE, text) from None
    if (rest := len(value) - body.tell()) != 0:
        text = f"{rest} bytes are left over: it was written with another schema"
        raise RecordError(Reason.UNDECODABLE, text)
    return reading.pick(datum)


def _joined(
    parts: list[tuple[list[int], Columns]],
    fields: Mapping[str, FieldType],
    rejected: dict[int, RecordError],
    count: int,
) -> Decoded:
    """The records of several parts in their order."""
    parts = [part for part in parts if part[0]]
    if not parts:
        columns: Columns = {
            name: np.zeros((0, *kind.shape), kind.numpy) for name, kind in fields.items()
        }
        return Decoded(np.zeros(0, np.int64) if count else None, columns, rejected)
    records = [number for part, _ in parts for number in part]
    whole = len(records) == count
    if len(parts) == 1:
        return Decoded(None if whole else np.array(records, np.int64), parts[0][1], rejected)
    order = np.argsort(np.array(records, np.int64), kind="stable")
    columns = {name: np.concatenate([part[name] for _, part in parts])[order] for name in fields}
    return Decoded(None if whole else np.array(records, np.int64)[order], columns, rejected)
