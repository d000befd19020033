"""What a recording tells of, as values: decisions, outcomes, schedule entries and gaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamproc.core import Headers, Int64Array, Outcome, TopicPartition

DECISIONS: Final = "decisions"
OUTCOMES: Final = "outcomes"
SCHEDULE: Final = "schedule"
GAPS: Final = "gaps"
RECORDS: Final = "records/"
TABLES: Final = "tables/"
"""The channels; those of records go on with TOPIC/PARTITION, those of tables with the name of the lookup."""

SOURCE_HEADER: Final = "streamproc-source"
"""Of a letter: ``topic/partition/offset`` of its input."""
UNKNOWN_LANE: Final = -1


class RecordedDecision(NamedTuple):
    """A record that was sent: a decision, a dead letter, a shed event.

    Attributes:
        log_time_ns: when it was handed to the producer; when it was consumed, in a recording from beside.
        topic: where it was sent.
        source: the partition of the input that it is about.
        offset: the input's offset; None where the record tells of several inputs.
        row: the event's row within the input; None where that is one event.
        outcome: what it says of itself.
        reason: why it was shed or dead-lettered; empty for a decision.
        lane: of the event; empty where there are none.
        variant: of the model that decided; empty for a letter.
        key: the record's key.
        value: the record's value.
        headers: the record's headers.
        position: the partition and offset where it lies in its topic; None where that is not known.
    """

    log_time_ns: int
    topic: str
    source: TopicPartition
    offset: int | None
    row: int | None
    outcome: Outcome
    reason: str = ""
    lane: str = ""
    variant: str = ""
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    position: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """``topic/partition/offset`` of the input, ``/row`` behind it where it has several; else empty."""
        if self.offset is None:
            return ""
        row = "" if self.row is None else f"/{self.row}"
        return f"{self.source.topic}/{self.source.partition}/{self.offset}{row}"


@dataclass(slots=True)  # made for each batch that ends; freezing it would take five times as long
class OutcomeColumns:
    """Events of one partition that ended together, in columns of n. All instants are ns since 1970.

    Attributes:
        source: the partition.
        offset: int64 [n].
        row: int64 [n], -1 for a whole record; None where each record is one event.
        outcome: uint8 [n], codes of ``Outcome``.
        reason: why, of all of them.
        lane: int64 [n], places among the metadata's lanes; -1 where it was never known.
        variant: the place of the model that ran among the metadata's models; None where none ran.
        event_time_ns: int64 [n], when they happened; None where it is not known.
        arrival_ns: int64 [n], when they were fetched; None where it is not known.
        admitted_ns: int64 [n], when they were decoded, and waited; None where they never were.
        deadline_ns: int64 [n]; None where it is not known.
        started_ns: when their run began; None where they never ran.
        decided_ns: when their run had ended; what their decisions say.
        handed_ns: when their records were handed to the producer.
        acknowledged_ns: when the outcome was final.
    """

    source: TopicPartition
    offset: Int64Array
    outcome: NDArray[np.uint8]
    acknowledged_ns: int
    row: Int64Array | None = None
    reason: str = ""
    lane: Int64Array | int = 0
    variant: int | None = None
    event_time_ns: Int64Array | None = None
    arrival_ns: Int64Array | None = None
    admitted_ns: Int64Array | None = None
    deadline_ns: Int64Array | None = None
    started_ns: int | None = None
    decided_ns: int | None = None
    handed_ns: int | None = None

    def __len__(self) -> int:
        return len(self.offset)


class ScheduleEntry(NamedTuple):
    """What the scheduler was told and did.

    Attributes:
        log_time_ns: when.
        version: of the data's format.
        data: whatever the writer of that version wrote.
    """

    log_time_ns: int
    version: int
    data: bytes


class Gap(NamedTuple):
    """Something is missing.

    Attributes:
        start_ns: since when.
        end_ns: until when.
        reason: ``queue_full``, ``disk_full``, ``write_failed`` or ``recorder_lost``.
        dropped: how many events by kind: ``records``, ``decisions``, ``outcomes``, ``schedule``, ``tables``.
    """

    start_ns: int
    end_ns: int
    reason: str
    dropped: Mapping[str, int]


def records_channel(source: TopicPartition) -> str:
    """The channel of a partition's records."""
    return f"{RECORDS}{source.topic}/{source.partition}"


@dataclass(slots=True)  # made for each batch that ends; freezing it would take five times as long
class SentBatch:
    """Records that were handed to the sink together, about events of one partition that ended alike.

    Attributes:
        log_time_ns: when they were handed over.
        topic: where they go.
        source: the partition of their events.
        offset: int64 [n], the inputs' offsets; None where a record tells of several inputs.
        row: int64 [n], the events' rows, -1 for a whole record; None where each record is one event.
        outcome: what they say.
        reason: why.
        lane: int64 [n] or one number for all: places among the metadata's lanes, -1 for unknown.
        variant: the place of the model that ran among the metadata's models; None where none ran.
        key: n keys.
        value: n values.
        headers: headers that each has.
        row_headers: further headers by row number.
    """

    log_time_ns: int
    topic: str
    source: TopicPartition
    offset: Int64Array | None
    row: Int64Array | None
    outcome: Outcome
    reason: str
    lane: Int64Array | int
    variant: int | None
    key: Sequence[bytes | None]
    value: Sequence[bytes | None]
    headers: Headers = ()
    row_headers: Mapping[int, Headers] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.value)

    def decisions(
        self, lanes: Sequence[str], variants: Sequence[str]
    ) -> Iterator[RecordedDecision]:
        """One by one.

        Args:
            lanes: the metadata's lanes.
            variants: the names of the metadata's models.
        """
        count = len(self)
        offsets: list[int | None] = (
            [self._told_offset(place) for place in range(count)]
            if self.offset is None
            else self.offset.tolist()
        )
        rows = [-1] * count if self.row is None or self.offset is None else self.row.tolist()
        numbers = [self.lane] * count if isinstance(self.lane, int) else self.lane.tolist()
        variant = "" if self.variant is None else _name(variants, self.variant)
        columns = zip(offsets, rows, numbers, self.key, self.value, strict=False)
        for place, (offset, row, number, key, value) in enumerate(columns):
            yield RecordedDecision(
                self.log_time_ns,
                self.topic,
                self.source,
                offset,
                None if row < 0 else row,
                self.outcome,
                self.reason,
                _name(lanes, number),
                variant,
                key,
                value,
                [*self.headers, *self.row_headers.get(place, ())],
            )

    def _told_offset(self, place: int) -> int | None:
        """The input that a letter about several of its rows names in its headers."""
        for name, value in self.row_headers.get(place, ()):
            if name == SOURCE_HEADER and value is not None:
                return int(value.rpartition(b"/")[2])
        return None


def _name(names: Sequence[str], place: int) -> str:
    return names[place] if 0 <= place < len(names) else ""
