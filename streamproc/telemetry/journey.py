"""What traces are made of: values, told once they are final."""

from typing import NamedTuple, TypeAlias

from streamproc.core import Outcome, TopicPartition
from streamproc.telemetry.passage import BatchRun
from streamproc.telemetry.sampling import Parent, SpanIds


class Journey(NamedTuple):
    """One traced event, from when it happened to its outcome; instants in ns since 1970, 0 for none.

    ``run`` is the micro-batch that it ran in, ``batch`` the ids of its span.
    """

    source: TopicPartition
    offset: int
    row: int
    key: bytes | None
    ids: SpanIds
    event_time_ns: int
    arrival_ns: int
    admitted_ns: int
    deadline_ns: int
    started_ns: int
    finished_ns: int
    decided_ns: int
    final_ns: int
    outcome: Outcome
    reason: str
    topic: str | None
    cause: str
    timestamp_ns: int = 0
    decoded_ns: int = 0
    run: BatchRun | None = None
    batch: Parent | None = None
    lane: int = 0

    @property
    def parent_span_id(self) -> bytes:
        """The span that the event comes from; empty where it comes from none."""
        return self.ids.parent_span_id


class BatchSpan(NamedTuple):
    """A micro-batch with traced events in it, and the spans of these."""

    ids: Parent
    run: BatchRun
    links: tuple[Parent, ...]


class Committed(NamedTuple):
    """The position behind a traced event was stored; instants in ns since 1970."""

    source: TopicPartition
    ids: SpanIds
    began_ns: int
    ended_ns: int


Told: TypeAlias = Journey | BatchSpan | Committed
