"""What a codec answers: columns of the events that are good, and why the others are not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from streamproc.codecs.fields import FieldType
from streamproc.core import Columns, Int64Array, RecordError, light


class RowsRejected(NamedTuple):
    """Rows of one record that could not be used; its others can.

    Attributes:
        record: the record's number in its batch.
        row: int64 [k], which of its rows, ascending.
        error: what is wrong with them.
    """

    record: int
    row: Int64Array
    error: RecordError


@light
@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch of records as columns, one row an event.

    Attributes:
        record: int64 [m], which of the batch's records each event came in, ascending, repeated where one
            record holds several; None where each record is one event, and all are good.
        columns: the fields by name, each [m, ...].
        rejected: the records that could not be used at all, by number; each counts as one event.
        row: int64 [m], each event's row within its record, ascending in each; None where a record is one
            event.
        rejected_rows: the rows that could not be used of records that could.
    """

    record: Int64Array | None
    columns: Columns
    rejected: dict[int, RecordError] = field(default_factory=dict)
    row: Int64Array | None = None
    rejected_rows: tuple[RowsRejected, ...] = ()


class Decoder(Protocol):
    """Turns records' values into columns. Never does I/O.

    Attributes:
        several: True where a record may hold several events. Then nothing is known of them before they
            are decoded, not even how many they are; a record without rows is an event of no consequence and
            is rejected as empty.
    """

    several: bool

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """The types of the columns by name."""
        ...

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Decode the values of a batch; what cannot be used is an answer, not an exception."""
        ...
