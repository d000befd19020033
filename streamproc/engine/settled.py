"""What becomes of events, from the sending of what is said of them to its acknowledgement."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamproc.core import EventBatch, Int64Array, Outcome, Reason, light
from streamproc.telemetry import BatchRun, Passage, SpanIds


@light
@dataclass(frozen=True, slots=True)
class Decided:
    """Events of one partition that were decided together.

    Attributes:
        events: the events.
        started_ns: when their run began.
        decided_ns: when it had ended, and the decisions were made of its outputs.
        handed_ns: when they were handed to the producer.
        topic: where they are sent; None where they are not.
        traced: the ids of those that are traced, by row; None where nobody asked.
        variant: which variant of the model ran, 0 being the best.
        run: the micro-batch that they ran in; None where nobody tells.
    """

    events: EventBatch
    started_ns: int
    decided_ns: int
    handed_ns: int
    topic: str | None
    traced: Mapping[int, SpanIds] | None = None
    variant: int = 0
    run: BatchRun | None = None


@light
@dataclass(frozen=True, slots=True)
class Settled:
    """Events of one partition that end alike, once they are acknowledged.

    Attributes:
        partition: the partition's index.
        ordinal: int64 [n], their records' ordinals, repeated for several events of one.
        outcome: what becomes of them.
        reason: why.
        lane: int64 [n], their lanes; or one number where all are of one.
        row: int64 [n], their rows within their records, -1 for a whole record; None where each is one event.
        decided: what was decided; None where nothing was.
        passage: how those that were not decided came through, for their traces; None where nobody asks.
        arm: int64 [n], the models that were to decide about them; None where there is one.
    """

    partition: int
    ordinal: Int64Array
    outcome: Outcome
    reason: Reason | str = Reason.NONE
    lane: Int64Array | int = 0
    row: Int64Array | None = None
    decided: Decided | None = None
    passage: Passage | None = None
    arm: Int64Array | None = None
