"""From a fetched batch to events: their times and keys, the decoded fields, the model's inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamproc.codecs import Decoded, Decoders, decoder_of
from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    ObjectArray,
    Outcome,
    Reason,
    RecordBatch,
    RecordError,
    TopicPartition,
    all_true,
    constant,
    light,
    object_column,
)
from streamproc.engine.event_order import EventOrder, by_partition
from streamproc.engine.event_times import EventTimes, Times
from streamproc.engine.feature_step import FeatureStep, Undecided, too_late
from streamproc.engine.isolate import Span, isolate, text_of
from streamproc.engine.lanes import Lanes
from streamproc.engine.limits import Limits
from streamproc.engine.rejected import Rejected, held_by
from streamproc.features import Features

if TYPE_CHECKING:
    from streamproc.engine.feature_tap import FeatureTap

_KEYS_MAX = 65_536
"""Keys whose bytes are remembered; when there are more, all are forgotten."""


@light
@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a batch of records.

    Attributes:
        events: those that can be decided.
        rejected: the others.
        held: int64 [records], how many events each record held; None for one each.
        undecided: events that end without a decision and without a letter.
    """

    events: list[EventBatch]
    rejected: list[Rejected]
    held: Int64Array | None = None
    undecided: Sequence[Undecided] = ()


class Released(NamedTuple):
    """Events that waited for their turn.

    Attributes:
        events: those that can be decided, by partition.
        undecided: those that end without a decision, dead letters among them.
    """

    events: list[tuple[TopicPartition, EventBatch]]
    undecided: list[Undecided]


class Intake:
    """Makes events of records.

    Args:
        decoder: bytes to columns.
        features: columns to the model's inputs.
        key: the field that is the event's key; None takes the record's key.
        times: events' times and deadlines.
        lanes: in which lane an event is; None where there is one.
        limits: how large records may be; None for the defaults.
        now_ns: reads the time at which records were decoded. It decides nothing, so it is in no schedule log; None
            leaves it out.
        step: operators, between decoding and ``features``; None where there are none.
        order: where decoded events wait for those that happened before them; None takes them as they come. It needs
            a ``step``.

    Attributes:
        taps: are shown the features that are made.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        *,
        decoder: Decoders,
        features: Features,
        key: str | None,
        times: EventTimes,
        lanes: Lanes | None = None,
        limits: Limits | None = None,
        now_ns: Callable[[], int] | None = None,
        step: FeatureStep | None = None,
        order: EventOrder | None = None,
    ) -> None:
        self._decoder = decoder
        self._features = features
        self._key = key
        self._keys: dict[object, bytes] = {}
        self._lanes = lanes
        self._limits = limits or Limits()
        self._now_ns = now_ns
        self._step = step
        self.order = order
        self.times = times
        self.taps: list[FeatureTap] = []

    def admit(
        self,
        batch: RecordBatch,
        times: Times | None,
        *,
        ordinal: int,
        number: int,
        partition: int,
        rows: BoolArray | None,
    ) -> Admitted:
        """Decode the records and make their features.

        Args:
            batch: the records.
            times: what ``times.of_records`` gave for them.
            ordinal: the first one's ordinal.
            number: the number of the first event.
            partition: whose they are.
            rows: bool [n], the records that are meant; None for all.
        """
        refused = self._limits.refusals(batch)
        if refused:
            rows = np.ones(len(batch), np.bool_) if rows is None else rows.copy()
            refused = {record: error for record, error in refused.items() if rows[record]}
            rows[list(refused)] = False
        decoded = self._decoded(batch, rows)
        rejected = [
            Rejected(np.array([record]), None, error)
            for record, error in (refused | decoded.rejected).items()
        ] + [
            Rejected(np.full(len(row), record), row, error)
            for record, row, error in decoded.rejected_rows
        ]
        held = held_by(decoded, rejected, len(batch)) if self._decoder.several else None
        events = self._events(
            batch, decoded, times, ordinal=ordinal, number=number, partition=partition
        )
        if not len(events):
            return Admitted([], rejected, held)

        def reject(failed: EventBatch, reason: Reason, detail: str) -> None:
            error = RecordError(reason, detail)
            rejected.append(Rejected(failed.ordinal - ordinal, failed.row, error))

        if self._step is None:
            return Admitted(self._featured(batch.source, events, reject), rejected, held)
        said_ns = self.times.said_ns(batch, decoded.record, decoded.columns)
        parts, ends = self._stepped(self._step, batch.source, events, said_ns)
        for end in ends:
            if end.outcome is Outcome.DEAD_LETTER:
                reject(end.events, end.reason, end.detail)
        undecided = [end for end in ends if end.outcome is not Outcome.DEAD_LETTER]
        featured = [made for part in parts for made in self._featured(batch.source, part, reject)]
        return Admitted(featured, rejected, held, undecided)

    def released(self, now_ns: int) -> Released:
        """The events whose turn has come by an instant, with their features."""
        found = Released([], [])
        if self.order is None or self._step is None:
            return found
        for due in self.order.due(now_ns):
            self._step.show(due)
            if due.released is None:
                continue
            ordered = due.released
            events = self._step.joined(ordered)
            parts, ends = self._step.make(events, ordered.said_ns, ordered.shard)
            for end in ends:
                found.undecided.extend(end._replace(events=e) for e in by_partition(end.events))

            def reject(failed: EventBatch, reason: Reason, detail: str) -> None:
                end = Undecided(failed, Outcome.DEAD_LETTER, reason, detail)
                found.undecided.append(end)

            for part in parts:
                for one in by_partition(part):
                    source = self.order.source_of(int(one.partition[0]))
                    made = self._featured(source, one, reject)
                    found.events.extend((source, some) for some in made)
        return found

    @property
    def remembers(self) -> bool:
        """Whether features depend on events before."""
        return self._step is not None and self._step.remembers

    def restore(
        self, batch: RecordBatch, partition: int, *, featured: bool = False
    ) -> list[EventBatch]:
        """Take in records that were decided about before, for what is remembered of them alone.

        Args:
            batch: the records.
            partition: whose they are.
            featured: whether the model remembers them, too.

        Returns:
            what the model is to be run over again, with its inputs.
        """
        if self._step is None and not featured:
            return []
        refused = self._limits.refusals(batch)
        rows = None
        if refused:
            rows = np.ones(len(batch), np.bool_)
            rows[list(refused)] = False
        decoded = self._decoded(batch, rows)
        times = self.times.restored(batch)
        events = self._events(batch, decoded, times, ordinal=0, number=0, partition=partition)
        if not len(events):
            return []
        parts = [events]
        if self._step is not None:
            said_ns = self.times.said_ns(batch, decoded.record, decoded.columns)
            if featured:
                parts, _ = self._step.take(events, said_ns)
            else:
                # No record has an ordinal below 0: by it those are known that are not decided about.
                events = replace(events, ordinal=constant(-1, len(events)))
                if self.order is None:
                    self._step.restore(events, said_ns)
                else:
                    self._stepped(self._step, batch.source, events, said_ns)
        if not featured:
            return []
        return [made for part in parts for made in self._featured(batch.source, part, None)]

    def _stepped(
        self, step: FeatureStep, source: TopicPartition, events: EventBatch, said_ns: Int64Array
    ) -> tuple[list[EventBatch], list[Undecided]]:
        """What the step makes of events of one partition; of those that wait for their turn nothing yet."""
        if self.order is None:
            return step.take(events, said_ns)
        events, said_ns, ends = step.look(events, said_ns)
        late = self.order.add(source, step.arrived(events, said_ns), said_ns)
        if late is not None:
            ends.append(too_late(events.take(late)))
        return [], ends

    def forget(self, partition: int) -> None:
        """A partition is ours no longer."""
        shard = None if self.order is None else self.order.drop(partition)
        if self._step is not None:
            self._step.drop(partition, shard)

    def _decoded(self, batch: RecordBatch, rows: BoolArray | None) -> Decoded:
        """The records that are meant, decoded; what is said of them by number in the batch."""
        decoder = decoder_of(self._decoder, batch.source.topic)
        if rows is None:
            return decoder.decode(batch.value)
        wanted = np.flatnonzero(rows)
        numbers = wanted.tolist()
        decoded = decoder.decode([batch.value[number] for number in numbers])
        return replace(
            decoded,
            record=wanted if decoded.record is None else wanted[decoded.record],
            rejected={numbers[i]: error for i, error in decoded.rejected.items()},
            rejected_rows=tuple(
                r._replace(record=numbers[r.record]) for r in decoded.rejected_rows
            ),
        )

    def _featured(
        self,
        source: TopicPartition,
        events: EventBatch,
        reject: Callable[[EventBatch, Reason, str], None] | None,
    ) -> list[EventBatch]:
        """The events of one partition with their inputs; those whose features fail are rejected.

        Where ``reject`` is None they were rejected before, and shown before to whoever looks on.
        """
        done, failed = isolate(lambda span: self._features.build(_rows(events, span)), len(events))
        parts = []
        for span, inputs in done:
            part = _rows(events, span).with_inputs(inputs)
            for tap in self.taps if reject is not None else ():
                tap.made(source, part)
            finite = finite_rows(inputs, len(part))
            if finite is not None:
                if reject is not None:
                    bad = part.take(np.flatnonzero(~finite))
                    reject(bad, Reason.NOT_FINITE, "the features hold a NaN or an infinity")
                part = part.take(np.flatnonzero(finite))
            if len(part):
                parts.append(part)
        if reject is not None:
            for span, error in failed:
                reject(_rows(events, span), Reason.FEATURES_FAILED, text_of(error))
        return parts

    def _events(
        self,
        batch: RecordBatch,
        decoded: Decoded,
        times: Times | None,
        *,
        ordinal: int,
        number: int,
        partition: int,
    ) -> EventBatch:
        if self.order is not None:  # whose events must not share numbers, restored or not
            self.order.heard(batch.source, behind=batch.behind, arrival_ns=batch.arrival_ns)
            number = self.order.taken_total
            self.order.taken_total += len(batch) if decoded.record is None else len(decoded.record)
        record, columns = decoded.record, decoded.columns
        whole = np.arange(len(batch)) if record is None else record
        count = len(whole)
        record_key = object_column(batch.key)
        value = object_column(batch.value)
        offset, timestamp_ns = batch.offset, batch.timestamp_ns
        if record is not None:
            record_key, value, offset = record_key[record], value[record], offset[record]
            timestamp_ns = timestamp_ns[record]
        lane = None if self._lanes is None else self._lanes.of(columns, count)
        event_time_ns, deadline_ns, _ = self.times.of_events(batch, record, columns, times, lane)
        arrival_ns = constant(batch.arrival_ns, count)
        headers = batch.headers
        if headers:
            headers = {
                number + place: headers[r] for place, r in enumerate(whole.tolist()) if r in headers
            }
        return EventBatch(
            number=np.arange(number, number + count),
            partition=constant(partition, count),
            ordinal=whole + ordinal,
            offset=offset,
            event_time_ns=event_time_ns,
            arrival_ns=arrival_ns,
            admitted_ns=arrival_ns,
            deadline_ns=deadline_ns,
            key=record_key if self._key is None else self._key_column(columns[self._key]),
            record_key=record_key,
            value=value,
            columns=columns,
            headers=headers,
            row=decoded.row,
            lane=lane,
            timestamp_ns=timestamp_ns,
            decoded_ns=None if self._now_ns is None else constant(self._now_ns(), count),
        )

    def _key_column(self, column: Array) -> ObjectArray:
        """A decoded field as keys (object [n] of bytes)."""
        known, listed = self._keys, column.tolist()
        try:
            return object_column([known[item] for item in listed])
        except KeyError:
            if len(known) > _KEYS_MAX:
                known.clear()
            for item in set(listed) - known.keys():
                known[item] = str(item).encode()
            return object_column([known[item] for item in listed])


def _rows(events: EventBatch, span: Span) -> EventBatch:
    if span == (0, len(events)):
        return events
    return events.take(slice(span.start, span.stop, None))


def finite_rows(arrays: Columns, count: int) -> BoolArray | None:
    """Which rows are finite in all arrays that have one row an event (bool [n]); None where all are."""
    finite: BoolArray | None = None
    for array in arrays.values():
        if array.dtype.kind != "f" or array.ndim == 0 or len(array) != count:
            continue
        good: BoolArray = np.asarray(np.isfinite(array))
        if not all_true(good):
            rows: BoolArray = np.all(good.reshape(count, -1), axis=1)
            finite = rows if finite is None else finite & rows
    return finite
