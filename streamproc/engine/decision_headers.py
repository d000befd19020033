"""The headers that decisions have of their events, and those of their traces."""

from collections.abc import Mapping

from streamproc.core import EventBatch, Headers, TopicPartition
from streamproc.engine.destinations import RECORD_BYTES
from streamproc.engine.event_times import DEADLINE_HEADER
from streamproc.engine.passages import headers_by_row
from streamproc.telemetry import (
    TRACEPARENT,
    TRACESTATE,
    SpanIds,
    Tracer,
    incoming,
    parent_of,
)

_PASSED_ON = frozenset((TRACEPARENT, TRACESTATE, DEADLINE_HEADER))
"""Headers of an event that its decision has too."""


class DecisionHeaders:
    """Finds what is passed on.

    Args:
        tracer: says which traces go on with the decision; None where no traces are made.
        names: headers of an event that its decision has too, besides those that it always has.
    """

    def __init__(self, tracer: Tracer | None, names: frozenset[str]) -> None:
        self._tracer = tracer
        self._names = _PASSED_ON | names

    def of(
        self, source: TopicPartition, events: EventBatch
    ) -> tuple[dict[int, Headers], Mapping[int, SpanIds] | None]:
        """The headers of the events that have any to be passed on, and the ids of those that are traced, by row."""
        came = headers_by_row(events)
        headers = _passed_on(came, self._names) if came else {}
        if self._tracer is None:
            return headers, None
        traced = self._tracer.outgoing(source, events.offset, events.row, came)
        for row, ids in traced.items():
            traceparent = (TRACEPARENT, ids.traceparent)
            if (own := headers.get(row)) is None:
                headers[row] = [traceparent]
                continue
            # A tracestate belongs to the trace that it came with: one that begins here has none.
            gone = {TRACEPARENT} if ids.parent_span_id else {TRACEPARENT, TRACESTATE}
            headers[row] = [traceparent, *(h for h in own if h[0] not in gone)]
        return headers, traced


def header_bytes(headers: Headers) -> int:
    """More than a record's headers take."""
    return sum(len(name) + len(value or b"") + RECORD_BYTES // 8 for name, value in headers)


def _passed_on(came: Mapping[int, Headers], names: frozenset[str]) -> dict[int, Headers]:
    """The headers that the decisions have too, by row, of the events that have such."""
    found = {row: [h for h in headers if h[0] in names] for row, headers in came.items()}
    return {row: own for row, own in found.items() if own}


def traceparents(headers: Mapping[int, Headers]) -> dict[int, bytes]:
    """The rows whose context goes on; what is no ``traceparent`` may be any bytes, and is left out."""
    found = {row: incoming(own) for row, own in headers.items()}
    return {row: value for row, value in found.items() if value is not None and parent_of(value)}
