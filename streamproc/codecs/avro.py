"""Avro records to columns.

The way of the data: a plan made of the schema reads the fields that are asked for out of all records of a batch at
once (``avro_columns``); a record that it does not take, and every schema that has no plan, goes to fastavro, which is
slow and right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from typing_extensions import override

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
from streamproc.core import Reason, RecordError


@dataclass(frozen=True, slots=True)
class _Reading:
    """How records of one schema are read.

    Attributes:
        writer: what they were written with.
        reader: what they are read as; None for the same.
        pick: the fields' values of one datum.
    """

    writer: ParsedSchema
    reader: ParsedSchema | None
    pick: Callable[[Any], tuple[Any, ...]]


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
        rows: list[tuple[Any, ...]] = []
        records: list[int] = []
        if self._alone is None:
            groups = self._groups(values, rejected)
        else:
            groups = [Group(self._whole(values, rejected), self._alone)]
        start = 0 if self._alone else FRAME_BYTES
        for group in groups:
            for number in group.records:
                try:
                    rows.append(_row(values[number] or b"", start, group.known))
                except RecordError as error:
                    rejected[number] = error
                else:
                    records.append(number)
        if len(groups) > 1:
            order = sorted(range(len(records)), key=records.__getitem__)
            rows, records = [rows[i] for i in order], [records[i] for i in order]
        columns = columns_of(self.fields, rows, records, rejected)
        good = None if len(records) == len(values) else np.array(records, np.int64)
        return Decoded(good, columns, rejected)

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
        if reader is None or reader is writer:
            return _Reading(writer.parsed, None, picker(writer.type, self._paths))
        return _Reading(writer.parsed, reader.parsed, picker(reader.type, self._paths))


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
