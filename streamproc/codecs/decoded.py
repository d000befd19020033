"""What a codec answers: columns of the records that are good, and why the others are not."""

from dataclasses import dataclass
from typing import Protocol

from streamproc.core import Columns, Int64Array, RecordError


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch of records as columns.

    Attributes:
        rows: int64 [m], which of the batch's records these are, ascending; None stands for all of them.
        columns: the fields by name, each [m, ...].
        rejected: the records that could not be used, by row number.
    """

    rows: Int64Array | None
    columns: Columns
    rejected: dict[int, RecordError]


class Decoder(Protocol):
    """Turns records' values into columns. Never does I/O."""

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Decode the values of a batch; what cannot be used is an answer, not an exception."""
        ...
