"""From a fetched batch to events: their times and keys, the decoded fields, the model's inputs."""

from dataclasses import dataclass, replace

import numpy as np

from streamproc.codecs import Decoder
from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    ObjectArray,
    Reason,
    RecordBatch,
    RecordError,
    object_column,
)
from streamproc.engine.isolate import Span, isolate, text_of
from streamproc.engine.options import Deadline, EventTime
from streamproc.features import Features

_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_LATEST_NS = np.iinfo(np.int64).max // 2
"""Times are held within this, so that a budget added to one cannot overflow."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a batch of records.

    Attributes:
        events: those that can be decided.
        rejected: the others, by row of the batch.
    """

    events: list[EventBatch]
    rejected: dict[int, RecordError]


class Intake:
    """Makes events of records.

    Args:
        decoder: bytes to columns.
        features: columns to the model's inputs.
        key: the field that is the event's key; None takes the record's key.
        event_time: where an event says when it happened.
        deadline: when its decision must be with the broker.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        features: Features,
        key: str | None,
        event_time: EventTime,
        deadline: Deadline,
    ) -> None:
        self._decoder = decoder
        self._features = features
        self._key = key
        self._event_time = event_time
        self._budget_ns = int(deadline.budget)
        self._from_arrival = deadline.from_ == "arrival"

    def latest_deadline_ns(self, batch: RecordBatch) -> Int64Array | None:
        """The latest that each record's deadline can be, from its metadata alone (int64 [n]).

        None where only the decoded record can tell.
        """
        if self._from_arrival:
            return np.full(len(batch), batch.arrival_ns + self._budget_ns)
        if self._event_time.field is None:
            return _record_time_ns(batch) + self._budget_ns
        return None

    def admit(
        self,
        batch: RecordBatch,
        *,
        ordinal: int,
        number: int,
        partition: int,
        rows: BoolArray | None,
    ) -> Admitted:
        """Decode the records and make their features.

        Args:
            batch: the records.
            ordinal: the first one's ordinal.
            number: the event number that the first one has.
            partition: whose they are.
            rows: bool [n], the records that are meant; None for all.
        """
        wanted = None if rows is None else np.flatnonzero(rows)
        values = batch.value if wanted is None else [batch.value[i] for i in wanted.tolist()]
        decoded = self._decoder.decode(values)
        rejected = decoded.rejected
        if wanted is not None:
            places = wanted.tolist()
            rejected = {places[row]: error for row, error in rejected.items()}
        kept = wanted if decoded.rows is None else decoded.rows
        if decoded.rows is not None and wanted is not None:
            kept = wanted[decoded.rows]
        events = self._events(
            batch, decoded.columns, kept, ordinal=ordinal, number=number, partition=partition
        )
        if not len(events):
            return Admitted([], rejected)
        return Admitted(self._featured(events, number, rejected), rejected)

    def _featured(
        self, events: EventBatch, number: int, rejected: dict[int, RecordError]
    ) -> list[EventBatch]:
        """The events with their inputs; those whose features fail are added to ``rejected``."""
        done, failed = isolate(lambda span: self._features.build(_rows(events, span)), len(events))
        parts = []
        for span, inputs in done:
            part = replace(_rows(events, span), inputs=inputs)
            finite = finite_rows(inputs, len(part))
            if finite is not None:
                for event in part.number[~finite].tolist():
                    rejected[event - number] = RecordError(
                        Reason.NOT_FINITE, "the features hold a NaN or an infinity"
                    )
                part = part.take(np.flatnonzero(finite))
            if len(part):
                parts.append(part)
        for span, error in failed:
            for event in events.number[span.start : span.stop].tolist():
                rejected[event - number] = RecordError(Reason.FEATURES_FAILED, text_of(error))
        return parts

    def _events(
        self,
        batch: RecordBatch,
        columns: dict[str, Array],
        kept: Int64Array | None,
        *,
        ordinal: int,
        number: int,
        partition: int,
    ) -> EventBatch:
        rows = np.arange(len(batch)) if kept is None else kept
        count = len(rows)
        record_key = object_column(batch.key)
        value = object_column(batch.value)
        offset = batch.offset
        if kept is not None:
            record_key, value, offset = record_key[kept], value[kept], offset[kept]
        event_time_ns = self._event_time_ns(batch, columns, kept)
        arrival_ns = np.full(count, batch.arrival_ns)
        start_ns = arrival_ns if self._from_arrival else event_time_ns
        headers = batch.headers
        if headers:
            headers = {number + r: headers[r] for r in rows.tolist() if r in headers}
        return EventBatch(
            number=rows + number,
            partition=np.full(count, partition),
            ordinal=rows + ordinal,
            offset=offset,
            event_time_ns=event_time_ns,
            arrival_ns=arrival_ns,
            admitted_ns=arrival_ns,
            deadline_ns=start_ns + self._budget_ns,
            key=record_key if self._key is None else _key_column(columns[self._key]),
            record_key=record_key,
            value=value,
            columns=columns,
            headers=headers,
        )

    def _event_time_ns(
        self, batch: RecordBatch, columns: dict[str, Array], kept: Int64Array | None
    ) -> Int64Array:
        if self._event_time.field is None:
            time_ns = _record_time_ns(batch)
            return time_ns if kept is None else time_ns[kept]
        unit_ns = _UNIT_NS[self._event_time.unit]
        bound = _LATEST_NS // unit_ns
        stamps: Int64Array = columns[self._event_time.field].astype(np.int64)
        return np.clip(stamps, -bound, bound) * unit_ns


def _rows(events: EventBatch, span: Span) -> EventBatch:
    if span == (0, len(events)):
        return events
    return events.take(slice(span.start, span.stop, None))


def _record_time_ns(batch: RecordBatch) -> Int64Array:
    """The records' timestamps; the arrival where one has none."""
    time_ns = np.minimum(batch.timestamp_ns, _LATEST_NS)
    absent = time_ns < 0
    if not absent.any():
        return time_ns
    return np.where(absent, batch.arrival_ns, time_ns)


def _key_column(column: Array) -> ObjectArray:
    """A decoded field as keys."""
    return object_column([str(item).encode() for item in column.tolist()])


def finite_rows(arrays: Columns, count: int) -> BoolArray | None:
    """Which rows are finite in all arrays that have one row an event (bool [n]); None where all are."""
    finite: BoolArray | None = None
    for array in arrays.values():
        if array.dtype.kind != "f" or array.ndim == 0 or len(array) != count:
            continue
        good: BoolArray = np.asarray(np.isfinite(array))
        if not good.all():
            rows: BoolArray = np.all(good.reshape(count, -1), axis=1)
            finite = rows if finite is None else finite & rows
    return finite
