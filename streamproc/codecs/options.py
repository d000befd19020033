"""What a user can set of the codecs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from streamproc.core import Size


@dataclass(frozen=True, slots=True)
class JsonCodec:
    """JSON objects, one event a record.

    Attributes:
        fields: the fields that are read, by name; each must be there and of its type. Types are ``str``,
            ``bool``, ``int8`` to ``int64``, ``float32``, ``float64``, and ``float32[16]``: a list of
            exactly 16 numbers. Dots in a name go into nested objects (``data.price``). Of repeated keys the
            first counts.
        max_bytes: a longer value becomes a dead letter without being parsed.
    """

    fields: Mapping[str, str]
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


Codec: TypeAlias = JsonCodec | ArrowCodec | TensorCodec
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


Decisions: TypeAlias = JsonDecisions | ArrowDecisions
"""How decisions are written."""
