"""How events came through, for their traces."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from streamproc.core import (
    BoolArray,
    EventBatch,
    Headers,
    Int64Array,
    Outcome,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine.settled import Decided, Settled
from streamproc.telemetry import Passage


def passages(
    source: TopicPartition, settled: Settled, missed: BoolArray, final_ns: int
) -> Iterator[Passage]:
    """How events came through that ended now: those that missed their deadline by themselves."""
    decided = settled.decided
    if decided is None:
        if settled.passage is not None:
            yield replace(settled.passage, final_ns=final_ns)
        return
    if not missed.any():
        yield _decided(decided, settled.outcome, source, settled, final_ns)
        return
    for rows, outcome in ((missed, Outcome.LATE), (~missed, settled.outcome)):
        if rows.any():
            events = decided.events.take(np.flatnonzero(rows))
            part = replace(decided, events=events, traced=None)
            lane = settled.lane if isinstance(settled.lane, int) else settled.lane[rows]
            yield _decided(part, outcome, source, replace(settled, lane=lane), final_ns)


def _decided(
    decided: Decided, outcome: Outcome, source: TopicPartition, settled: Settled, final_ns: int
) -> Passage:
    """How events came through that were decided together."""
    events = decided.events
    return Passage(
        source=source,
        offset=events.offset,
        row=events.row,
        key=events.key,
        headers=headers_by_row(events),
        event_time_ns=events.event_time_ns,
        arrival_ns=events.arrival_ns,
        admitted_ns=events.admitted_ns,
        deadline_ns=events.deadline_ns,
        started_ns=decided.started_ns,
        finished_ns=decided.decided_ns,
        decided_ns=decided.handed_ns,
        final_ns=final_ns,
        outcome=outcome,
        reason=str(settled.reason),
        topic=decided.topic,
        traced=decided.traced,
        timestamp_ns=events.timestamp_ns,
        decoded_ns=events.decoded_ns,
        run=decided.run,
        lane=settled.lane,
    )


def passage_of_events(events: EventBatch, source: TopicPartition) -> Passage:
    """How events of one partition came through, as far as their queue."""
    return replace(
        _fetched(source),
        offset=events.offset,
        row=events.row,
        key=events.key,
        headers=headers_by_row(events),
        event_time_ns=events.event_time_ns,
        arrival_ns=events.arrival_ns,
        admitted_ns=events.admitted_ns,
        deadline_ns=events.deadline_ns,
        timestamp_ns=events.timestamp_ns,
        decoded_ns=events.decoded_ns,
    )


def passage_of_records(
    batch: RecordBatch, record: Int64Array, row: Int64Array | None, source: TopicPartition
) -> Passage:
    """How records came through that were never decoded, or some of whose rows were no good.

    Args:
        batch: what was fetched.
        record: int64 [n], which of its records.
        row: int64 [n], which of their rows; None where each is a whole record.
        source: the partition.
    """
    time_ns = batch.timestamp_ns[record]
    return replace(
        _fetched(source),
        offset=batch.offset[record],
        row=row,
        key=[batch.key[i] for i in record.tolist()],
        headers={
            place: batch.headers[i] for place, i in enumerate(record.tolist()) if i in batch.headers
        },
        event_time_ns=np.where(time_ns < 0, batch.arrival_ns, time_ns + batch.shift_ns),
        arrival_ns=np.full(len(record), batch.arrival_ns),
        timestamp_ns=time_ns,
    )


def headers_by_row(events: EventBatch) -> dict[int, Headers]:
    """The events' headers by row, of those that have any."""
    if not events.headers:
        return {}
    numbers = events.number.tolist()
    return {row: events.headers[n] for row, n in enumerate(numbers) if n in events.headers}


_NONE: Int64Array = np.empty(0, np.int64)


def _fetched(source: TopicPartition) -> Passage:
    return Passage(
        source=source,
        offset=_NONE,
        row=None,
        key=(),
        headers={},
        event_time_ns=_NONE,
        arrival_ns=_NONE,
        admitted_ns=None,
        deadline_ns=None,
        started_ns=None,
        finished_ns=None,
        decided_ns=None,
        final_ns=0,
        outcome=Outcome.ON_TIME,
        reason="",
        topic=None,
    )
