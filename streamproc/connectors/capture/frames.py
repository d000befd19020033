"""How a pipeline tells its recorder's process what to write: a few microseconds for hundreds of events.

A frame is four bytes of length and marshalled tuples. marshal is the quickest way from lists of bytes to
bytes (0.1 us an event), takes numpy's memory as it lies, and may be used here because both ends are the same
interpreter.
"""

import marshal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from streamproc.connectors.capture.messages import (
    Gap,
    OutcomeColumns,
    RecordedDecision,
    SentBatch,
)
from streamproc.core import Headers, Int64Array, Outcome, RecordBatch, TopicPartition

Item = tuple[Any, ...]
"""The kind, how many events, and what is told of them."""
RECORDS: Final = "records"
DECISIONS: Final = "decisions"
OUTCOMES: Final = "outcomes"
SCHEDULE: Final = "schedule"
TABLES: Final = "tables"
GAP: Final = "gap"
LENGTH_BYTES: Final = 4
_VERSION: Final = 2
"""Later versions look for objects that occur twice, which takes as long as the rest."""


def frame(content: Any) -> bytes:  # noqa: ANN401 - whatever can be marshalled
    """Marshalled content behind its length."""
    try:
        data = marshal.dumps(content, _VERSION)
    except ValueError:  # a column that lies in memory in steps
        data = marshal.dumps(_in_one_piece(content), _VERSION)
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


class Unframer:
    """Gathers bytes as they come into whole frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        """The contents of the frames that are complete with these bytes."""
        self._held += data
        start = 0
        while len(self._held) - start >= LENGTH_BYTES:
            length = int.from_bytes(self._held[start : start + LENGTH_BYTES], "little")
            end = start + LENGTH_BYTES + length
            if len(self._held) < end:
                break
            yield bytes(self._held[start + LENGTH_BYTES : end])
            start = end
        del self._held[:start]


def read(content: bytes) -> Any:  # noqa: ANN401 - whatever was marshalled
    """What a frame holds."""
    return marshal.loads(content)  # noqa: S302 - of our own process


def pack_records(batch: RecordBatch) -> Item:
    """What one fetch gave."""
    return (
        RECORDS,
        len(batch),
        *batch.source,
        batch.offset,
        batch.timestamp_ns,
        batch.key,
        batch.value,
        _plain(batch.headers),
        batch.arrival_ns,
        batch.end_position,
        batch.behind,
        batch.timestamp_type,
    )


def unpack_records(item: Item) -> RecordBatch:
    """The batch of an item."""
    _, _, topic, partition, offset, timestamp_ns, key, value, headers, *rest = item
    arrival_ns, end_position, behind, timestamp_type = rest
    return RecordBatch(
        source=TopicPartition(topic, partition),
        offset=np.frombuffer(offset, np.int64),
        timestamp_ns=np.frombuffer(timestamp_ns, np.int64),
        key=key,
        value=value,
        headers=headers,
        arrival_ns=arrival_ns,
        end_position=end_position,
        behind=behind,
        timestamp_type=timestamp_type,
    )


def pack_sent(sent: SentBatch) -> Item:
    """What was handed to the sink."""
    return (
        DECISIONS,
        len(sent),
        sent.log_time_ns,
        sent.topic,
        *sent.source,
        sent.offset,
        sent.row,
        int(sent.outcome),
        sent.reason,
        sent.lane,
        sent.variant,
        sent.key,
        sent.value,
        list(sent.headers),
        _plain(sent.row_headers),
    )


def unpack_sent(item: Item) -> SentBatch:
    """The batch of an item."""
    _, _, log_time_ns, topic, source_topic, partition, offset, row, outcome, reason, lane, *rest = (
        item
    )
    return SentBatch(
        log_time_ns,
        topic,
        TopicPartition(source_topic, partition),
        _array(offset),
        _array(row),
        Outcome(outcome),
        reason,
        lane if isinstance(lane, int) else np.frombuffer(lane, np.int64),
        *rest,
    )


def pack_outcomes(outcomes: OutcomeColumns) -> Item:
    """What became of events."""
    return (
        OUTCOMES,
        len(outcomes),
        *outcomes.source,
        outcomes.offset,
        outcomes.outcome,
        outcomes.acknowledged_ns,
        outcomes.row,
        outcomes.reason,
        outcomes.lane,
        outcomes.variant,
        outcomes.event_time_ns,
        outcomes.arrival_ns,
        outcomes.admitted_ns,
        outcomes.deadline_ns,
        outcomes.started_ns,
        outcomes.decided_ns,
        outcomes.handed_ns,
    )


def unpack_outcomes(item: Item) -> OutcomeColumns:
    """The columns of an item."""
    _, _, topic, partition, offset, outcome, acknowledged_ns, *how = item
    row, reason, lane, variant, *times = how
    event_time_ns, arrival_ns, admitted_ns, deadline_ns, started_ns, decided_ns, handed_ns = times
    return OutcomeColumns(
        TopicPartition(topic, partition),
        np.frombuffer(offset, np.int64),
        np.frombuffer(outcome, np.uint8),
        acknowledged_ns,
        _array(row),
        reason,
        lane if isinstance(lane, int) else np.frombuffer(lane, np.int64),
        variant,
        event_time_ns=_array(event_time_ns),
        arrival_ns=_array(arrival_ns),
        admitted_ns=_array(admitted_ns),
        deadline_ns=_array(deadline_ns),
        started_ns=started_ns,
        decided_ns=decided_ns,
        handed_ns=handed_ns,
    )


def pack_decisions(decisions: Sequence[RecordedDecision]) -> Item:
    """Decisions that were read from a topic, each with its own outcome."""
    rows = [
        (
            d[0],
            d.topic,
            *d.source,
            d.offset,
            d.row,
            int(d.outcome),
            *d[6:11],
            list(d.headers),
            d[12],
        )
        for d in decisions
    ]
    return (DECISIONS, len(rows), rows)


def sent_together(item: Item) -> bool:
    """Whether decisions were handed to the sink together, and not read from a topic."""
    return not isinstance(item[2], list)


def unpack_decisions(
    item: Item, lanes: Sequence[str], variants: Sequence[str]
) -> Iterator[RecordedDecision]:
    """The decisions of an item, sent together or read from a topic; arguments as of ``SentBatch.decisions``."""
    if sent_together(item):
        yield from unpack_sent(item).decisions(lanes, variants)
        return
    for log_time_ns, topic, source_topic, partition, offset, row, outcome, *rest in item[2]:
        source = TopicPartition(source_topic, partition)
        yield RecordedDecision(log_time_ns, topic, source, offset, row, Outcome(outcome), *rest)


def pack_schedule(data: bytes, log_time_ns: int, version: int) -> Item:
    """An entry of the schedule log."""
    return (SCHEDULE, 1, data, log_time_ns, version)


def pack_gap(gap: Gap) -> Item:
    """Something is missing."""
    return (GAP, 0, gap.start_ns, gap.end_ns, gap.reason, dict(gap.dropped))


def unpack_gap(item: Item) -> Gap:
    """The gap of an item."""
    return Gap(*item[2:])


def _in_one_piece(content: Any) -> Any:  # noqa: ANN401 - whatever is to be marshalled
    """The same with columns that marshal can take as they lie in memory."""
    if isinstance(content, np.ndarray):
        return np.ascontiguousarray(content)
    if isinstance(content, list | tuple):
        return type(content)(map(_in_one_piece, content))
    return content


def _array(data: bytes | None) -> Int64Array | None:
    return None if data is None else np.frombuffer(data, np.int64)


def _plain(headers: Mapping[int, Headers]) -> dict[int, Sequence[tuple[str, bytes | None]]]:
    return {row: list(some) for row, some in headers.items()} if headers else {}
