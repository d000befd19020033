"""How events came through a pipeline, as columns: what traces are made of after the fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamproc.core import Headers, Int64Array, ObjectArray, Outcome, TopicPartition, light
from streamproc.telemetry.sampling import SpanIds


@light
@dataclass(frozen=True, slots=True)
class BatchRun:
    """A micro-batch's way through the model; what all of its events have in common.

    Attributes:
        number: its number in this process.
        size: events in it.
        reason: why it was started when it was.
        variant: which variant of the model ran, 0 being the best.
        planned_ns: when the scheduler started it.
        executed_ns: when the model began and when it had ended, in whatever thread or process it was.
    """

    number: int
    size: int
    reason: str
    variant: int
    planned_ns: int
    executed_ns: tuple[int, int]


@light
@dataclass(frozen=True, slots=True)
class Passage:
    """Events of one partition that ended alike. All instants are ns since 1970.

    Attributes:
        source: the partition.
        offset: int64 [n].
        row: int64 [n], the events' rows within their records, -1 for a whole record; None where each record
            is one event.
        key: n keys.
        headers: the records' headers, by row of this passage, of those that have any.
        event_time_ns: int64 [n], when they happened.
        arrival_ns: int64 [n], when they were fetched.
        admitted_ns: int64 [n], when they were decoded and waited; None where they never were.
        deadline_ns: int64 [n]; None where it is not known.
        started_ns: when their run began; None where they never ran.
        finished_ns: when it had ended.
        decided_ns: when their decisions were handed to the producer; None where nothing was decided.
        final_ns: when that was acknowledged, or when it was settled without sending.
        outcome: what became of them.
        reason: why.
        topic: where they were sent; None where nothing was.
        traced: the ids of those that are traced from their start, by row, where they were chosen before; None
            where they are still to be chosen.
        timestamp_ns: int64 [n], their records' timestamps; None where that is not known.
        decoded_ns: int64 [n], when they were decoded, before their features were made; None where they never were.
        run: the micro-batch that they ran in; None where that is not known.
        lane: int64 [n], their lanes, or one number where all are of one.
    """

    source: TopicPartition
    offset: Int64Array
    row: Int64Array | None
    key: Sequence[bytes | None] | ObjectArray
    headers: Mapping[int, Headers]
    event_time_ns: Int64Array
    arrival_ns: Int64Array
    admitted_ns: Int64Array | None
    deadline_ns: Int64Array | None
    started_ns: int | None
    finished_ns: int | None
    decided_ns: int | None
    final_ns: int
    outcome: Outcome
    reason: str
    topic: str | None
    traced: Mapping[int, SpanIds] | None = None
    timestamp_ns: Int64Array | None = None
    decoded_ns: Int64Array | None = None
    run: BatchRun | None = None
    lane: Int64Array | int = 0
