"""Protobuf messages to columns, by upb, the C parser of the protobuf package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError
from typing_extensions import override

from streamproc.codecs.decoded import Decoded
from streamproc.codecs.fields import FieldType
from streamproc.codecs.options import ProtobufCodec, paths_of, types_of
from streamproc.codecs.protobuf_schema import file_of, getter_of, message_of, pool_of
from streamproc.codecs.registry import (
    FRAME_BYTES,
    Registered,
    RegisteredSchema,
    SchemaType,
    refusal_of,
)
from streamproc.codecs.rows import columns_of
from streamproc.core import Reason, RecordError

_INDEXES_MAX = 16
"""Of a message inside messages inside a file."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How messages of one type are read.

    Attributes:
        parse: bytes to a message.
        pick: the fields' values of one message, None for what is not there.
    """

    parse: Callable[[bytes], Any]
    pick: Callable[[Any], tuple[Any, ...]]


class _File:
    """A registered schema: which of its messages a value holds is said behind the id."""

    def __init__(self, descriptor: Any, make: Callable[[Descriptor], _Reading]) -> None:  # noqa: ANN401
        self._descriptor = descriptor
        self._make = make
        self._known: dict[tuple[int, ...], _Reading] = {}

    def reading(self, indexes: tuple[int, ...]) -> _Reading:
        """How the message at a place is read.

        Raises:
            RecordError: there is none, or it cannot be used.
        """
        found = self._known.get(indexes)
        if found is None:  # what fails is not kept: producers could name anything
            found = self._known[indexes] = self._make(self._message(indexes))
        return found

    def _message(self, indexes: tuple[int, ...]) -> Descriptor:
        names = list(self._descriptor.message_types_by_name.values())
        found: Descriptor | None = None
        for index in indexes:
            if not 0 <= index < len(names):
                text = f"the schema has no message {'/'.join(map(str, indexes))}"
                raise RecordError(Reason.UNDECODABLE, text)
            found = names[index]
            names = list(found.nested_types)
        if found is None:
            raise RecordError(Reason.UNDECODABLE, "no message is named behind the schema's id")
        return found


class ProtobufDecoder(Registered[_File]):
    """Decodes Protobuf, one event a record.

    Args:
        options: the fields, and where the schemas are.
        files: a serialised ``FileDescriptorSet``; None with a registry.

    Raises:
        ValueError: a field's type does not exist.
        RecordError: the set has no such message, or the message no such field.
    """

    several = False
    kind: SchemaType = "PROTOBUF"

    def __init__(self, options: ProtobufCodec, files: bytes | None) -> None:
        super().__init__(options.registry, int(options.max_bytes))
        self.fields = {name: FieldType.parse(t) for name, t in types_of(options.fields).items()}
        self._paths = [tuple(path.split(".")) for path in paths_of(options.fields).values()]
        self._message = options.message
        self._alone: _Reading | None = None
        if files is not None:
            self._alone = self._reading(message_of(files, options.message or ""))

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Columns of the values; see ``Decoder``."""
        rejected: dict[int, RecordError] = {}
        read: dict[int, tuple[Any, ...]] = {}
        if self._alone is not None:
            for number, value in enumerate(values):
                try:
                    read[number] = self._bare(value, self._alone)
                except RecordError as error:
                    rejected[number] = error
        else:
            for records, file in self._groups(values, rejected):
                for number in records:
                    try:
                        read[number] = _framed(values[number] or b"", file)
                    except RecordError as error:
                        rejected[number] = error
        records = sorted(read)
        rows = [read[number] for number in records]
        columns = columns_of(self.fields, rows, records, rejected)
        good = None if len(records) == len(values) else np.array(records, np.int64)
        return Decoded(good, columns, rejected)

    def _bare(self, value: bytes | None, reading: _Reading) -> tuple[Any, ...]:
        # An empty message is a message with nothing but defaults; a null is none.
        if value is None or len(value) > self._bytes_max:
            raise refusal_of(value, self._bytes_max)
        return _parsed(value, reading)

    @override
    def _made_of(self, schema: RegisteredSchema) -> _File:
        main = file_of(schema.text)
        files = [file_of(text, name) for name, text in schema.references]
        return _File(pool_of([*files, main]).FindFileByName(main.name), self._reading)

    def _reading(self, message: Descriptor) -> _Reading:
        if self._message is not None and message.full_name != self._message:
            text = f"the value is a {message.full_name}, not a {self._message}"
            raise RecordError(Reason.WRONG_TYPE, text)
        getters = [
            getter_of(message, path, kind)
            for path, kind in zip(self._paths, self.fields.values(), strict=True)
        ]
        made = message_factory.GetMessageClass(message)
        return _Reading(made.FromString, _together(getters))


def _framed(value: bytes, file: _File) -> tuple[Any, ...]:
    indexes, start = _indexes(value)
    return _parsed(value[start:], file.reading(indexes))


def _parsed(body: bytes, reading: _Reading) -> tuple[Any, ...]:
    try:
        message = reading.parse(body)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        text = (
            f"no Protobuf of its schema: {type(error).__name__}"  # its message may hold the payload
        )
        raise RecordError(Reason.UNDECODABLE, text) from None
    return reading.pick(message)


def _indexes(value: bytes) -> tuple[tuple[int, ...], int]:
    """Which message follows, and where: a count and so many indexes as zigzag varints; a zero alone is the first.

    Raises:
        RecordError: it is not said.
    """
    if value[FRAME_BYTES : FRAME_BYTES + 1] == b"\0":
        return (0,), FRAME_BYTES + 1
    count, place = _zigzag(value, FRAME_BYTES)
    if not 0 < count <= _INDEXES_MAX:
        text = f"{count} message indexes behind the schema's id: there are 1 to {_INDEXES_MAX}"
        raise RecordError(Reason.UNDECODABLE, text)
    indexes = []
    for _ in range(count):
        index, place = _zigzag(value, place)
        indexes.append(index)
    return tuple(indexes), place


def _zigzag(value: bytes, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if place >= len(value):
            break
        byte = value[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - a varint's last byte
            return (number >> 1) ^ -(number & 1), place
    raise RecordError(Reason.UNDECODABLE, "the message indexes behind the schema's id are cut off")


def _together(getters: Sequence[Callable[[Any], Any]]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda message: tuple([get(message) for get in getters])
