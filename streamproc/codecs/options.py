"""What a user can set of the codecs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from streamproc.codecs.registry import Registry
from streamproc.core import Size


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is found in another place than its name says.

    Attributes:
        type: as in ``fields``.
        path: where it is, with dots into what lies inside: ``trade.px``.
    """

    type: str
    path: str


FieldTypes: TypeAlias = Mapping[str, str | Field]
"""Fields by name: their types, or their types and places."""


def types_of(fields: FieldTypes) -> dict[str, str]:
    """The types of fields by name."""
    return {name: f.type if isinstance(f, Field) else f for name, f in fields.items()}


def paths_of(fields: FieldTypes) -> dict[str, str]:
    """The places of fields by name."""
    return {name: f.path if isinstance(f, Field) else name for name, f in fields.items()}


@dataclass(frozen=True, slots=True)
class JsonCodec:
    """JSON objects, one event a record.

    Attributes:
        fields: the fields that are read, by name; each must be there and of its type. Types are ``str``,
            ``bool``, ``int8`` to ``int64``, ``float32``, ``float64``, and ``float32[16]``: a list of
            exactly 16 numbers. Dots in a name go into nested objects (``data.price``), and so do those of
            ``{path: trade.px, type: float64}``, which gives the field a name of its own. Of repeated keys the
            first counts.
        max_bytes: a longer value becomes a dead letter without being parsed.
    """

    fields: FieldTypes
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class JsonSchemaCodec:
    """JSON objects behind a schema's id (Confluent's wire format), one event a record.

    Attributes:
        fields: as of ``json``.
        registry: where the schemas are; needed only to validate.
        validate: whether each value is held against its schema; what violates it becomes a dead letter.
        max_bytes: a longer value becomes a dead letter without being parsed.
    """

    fields: FieldTypes
    registry: Registry | None = None
    validate: bool = False
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class AvroCodec:
    """Avro records, one event a record.

    Attributes:
        fields: as of ``json``. Dots go into records and maps. Fields are read as the type says, whatever number the
            schema has: timestamps are whole numbers of the schema's unit, decimals become floats, enums texts. A null
            is a missing field.
        registry: where the schemas are, by the id before each value (Confluent's wire format); without it values are
            bare Avro of ``schema``.
        schema: a file (.avsc). With a registry it is the reader's: records of other schemas are read as if they
            were written with it, by Avro's rules of resolution, with its defaults for what they lack.
        max_bytes: a longer value becomes a dead letter without being read.
    """

    fields: FieldTypes
    registry: Registry | None = None
    schema: str | None = None
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class ProtobufCodec:
    """Protobuf messages, one event a record.

    Attributes:
        fields: as of ``json``. Dots go into messages. A field without presence that is not there is zero or empty, as
            Protobuf says; one that has presence (``optional``, in a ``oneof``, below a message that is not there) is
            missing. Enums are texts, or numbers for a whole-number type.
        registry: where the schemas are, by the id before each value (Confluent's wire format); without it values are
            bare messages.
        descriptor: a file with a ``FileDescriptorSet`` (``protoc --include_imports --descriptor_set_out``).
        proto: a ``.proto`` file instead, compiled at the start.
        message: the message's full name, such as ``shop.Order``; with a registry others are refused.
        max_bytes: a longer value becomes a dead letter without being read.
    """

    fields: FieldTypes
    registry: Registry | None = None
    descriptor: str | None = None
    proto: str | None = None
    message: str | None = None
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class TensorCodec:
    """Raw numbers, one array a record and one event: little-endian, the last axis first (C order).

    Attributes:
        type: the array, such as ``float32[6,100]``.
        field: what the column is called.
    """

    type: str
    field: str = "tensor"

    @property
    def fields(self) -> Mapping[str, str]:
        """The one field and its type."""
        return {self.field: self.type}


@dataclass(frozen=True, slots=True)
class ArrowCodec:
    """Arrow IPC streams (or files), each row an event.

    Attributes:
        fields: the columns that are read, by name; each must be there and of a type that converts without
            loss to its own. Types are those of ``json``, and arrays of several dimensions. Empty takes the
            fields that ``features``, ``key``, ``event_time`` and ``deadline`` name, with the model's types.
        max_bytes: a longer value becomes a dead letter without being read.
        max_expanded: so does one whose columns take more, compressed as they may be.
        max_rows: so does one with more rows.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable
    max_expanded: Size = Size.parse("32MiB")  # noqa: RUF009 - immutable
    max_rows: int = 65_536


OneCodec: TypeAlias = (
    JsonCodec | AvroCodec | ProtobufCodec | JsonSchemaCodec | ArrowCodec | TensorCodec
)
"""All that read values of one kind."""
TOPIC_FIELD = "topic"


@dataclass(frozen=True, slots=True)
class TopicCodecs:
    """Each topic has a codec of its own.

    All events have the fields of all topics, so that one expression and one feature can be about several, and the
    field ``topic``, its topic's name. Of a field that the event's own topic does not have, ``fill`` stands for
    numbers with a point, 0 for whole ones, False, and the empty text.

    Attributes:
        codecs: by topic. A field that several have is of one type.
        fill: stands for float32 and float64 fields of other topics; null is NaN, of which no condition holds.
    """

    codecs: Mapping[str, OneCodec]
    fill: float | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        """The types of all topics' fields, and of ``topic``."""
        found: dict[str, str] = {}
        for codec in self.codecs.values():
            found |= types_of(codec.fields)
        return found | {TOPIC_FIELD: "str"}


Codec: TypeAlias = (
    JsonCodec | AvroCodec | ProtobufCodec | JsonSchemaCodec | ArrowCodec | TensorCodec | TopicCodecs
)
"""All there are."""


@dataclass(frozen=True, slots=True)
class JsonDecisions:
    """A record of JSON each."""


@dataclass(frozen=True, slots=True)
class ArrowDecisions:
    """Many as rows of one Arrow record.

    They keep the order of their partition, and have no key of their own: a record goes to the partition of the
    input's number, modulo the topic's.

    Attributes:
        compression: of the columns.
    """

    compression: Literal["none", "lz4", "zstd"] = "none"


@dataclass(frozen=True, slots=True)
class AvroDecisions:
    """A record of Avro each, behind its schema's id (Confluent's wire format).

    Attributes:
        registry: where the schema is.
        auto_register: whether it is registered under ``TOPIC-value`` at the start; else it must be there.
    """

    registry: Registry
    auto_register: bool = False


@dataclass(frozen=True, slots=True)
class ProtobufDecisions:
    """A Protobuf message each, behind its schema's id (Confluent's wire format).

    Attributes:
        registry: where the schema is.
        auto_register: whether it is registered under ``TOPIC-value`` at the start; else it must be there.
    """

    registry: Registry
    auto_register: bool = False


Decisions: TypeAlias = JsonDecisions | ArrowDecisions | AvroDecisions | ProtobufDecisions
"""How decisions are written."""
