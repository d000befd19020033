"""Records as they come from a source and go to a sink: columns of bytes, not objects.

Their ``repr`` leaves keys, values and headers out: it may get into a message, and a payload must not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from streamproc.core.arrays import Int64Array
from streamproc.core.light import light

Headers = Sequence[tuple[str, bytes | None]]


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@light
@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one topic-partition as they were fetched, in the order of their offsets.

    Attributes:
        source: where they came from.
        offset: int64 [n], ascending; gaps are normal (compaction, transaction markers).
        timestamp_ns: int64 [n], the record's timestamp in ns since 1970; negative where it has none.
        key: n keys as bytes, None where the record has none.
        value: n values as bytes, None for a tombstone.
        headers: the headers of the rows that have any, by row number.
        arrival_ns: when they were fetched, on the pipeline's clock.
        end_position: the source's position behind the last of them; may lie beyond its offset + 1.
        behind: how many records were known to follow them in the log; 0 at its end.
        shift_ns: what is added to every time that they tell (timestamps, fields, headers), where they are played
            again at another time than they came; their bytes stay as they were.
        timestamp_type: what the timestamps are: 0, when the producer made the record; 1, when the broker
            appended it.
    """

    source: TopicPartition
    offset: Int64Array
    timestamp_ns: Int64Array
    key: list[bytes | None] = field(repr=False)
    value: list[bytes | None] = field(repr=False)
    headers: dict[int, Headers] = field(repr=False)
    arrival_ns: int
    end_position: int
    behind: int = 0
    shift_ns: int = 0
    timestamp_type: int = 0

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: Int64Array) -> "RecordBatch":
        """Some of the records (int64 [n], ascending); the position behind them stays."""
        chosen = rows.tolist()
        return replace(
            self,
            offset=self.offset[rows],
            timestamp_ns=self.timestamp_ns[rows],
            key=[self.key[row] for row in chosen],
            value=[self.value[row] for row in chosen],
            headers={
                place: self.headers[row] for place, row in enumerate(chosen) if row in self.headers
            },
        )


@light
@dataclass(frozen=True, slots=True)
class OutRecords:
    """Records for one topic, all made from one partition's events, in the order they are to keep.

    Attributes:
        topic: where they go.
        source: the partition that their events came from; a sink whose topic has as many
            partitions, and no key of its own, uses the same number.
        key: n keys.
        value: n values, None for a tombstone.
        headers: headers that every one of them carries.
        row_headers: further headers by row number, for the rows that have any.
        rekeyed: True where the key is not the input record's: the partition follows from the key.
    """

    topic: str
    source: TopicPartition
    key: list[bytes | None] = field(repr=False)
    value: list[bytes | None] = field(repr=False)
    headers: Headers = field(default=(), repr=False)
    row_headers: dict[int, Headers] = field(default_factory=dict, repr=False)
    rekeyed: bool = False

    def __len__(self) -> int:
        return len(self.value)
