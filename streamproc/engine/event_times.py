"""When events happened, and by when their decisions must be with the broker."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    EventBatch,
    Headers,
    Int64Array,
    RecordBatch,
    TopicPartition,
    all_true,
    constant,
    largest,
)
from streamproc.engine.options import Deadline, EventTime
from streamproc.engine.skew import ClockSkew

DEADLINE_HEADER = "x-deadline-ns"
UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_LATEST_NS = np.iinfo(np.int64).max // 2
"""Times are held within this, so that a budget added to one cannot overflow."""
_DIGITS_MAX = 19


class Times(NamedTuple):
    """Of the events, or records, of one batch.

    Attributes:
        event_time_ns: int64 [n], when they happened, on our timeline.
        deadline_ns: int64 [n], by when their decisions must be with the broker.
        own_ns: int64 [n], the deadlines that their headers ask for, 0 for none; None where none does.
    """

    event_time_ns: Int64Array
    deadline_ns: Int64Array
    own_ns: Int64Array | None

    def of(self, record: Int64Array | None) -> "Times":
        """The times of these records' events; None for one of each."""
        if record is None:
            return self
        own_ns = None if self.own_ns is None else self.own_ns[record]
        return Times(self.event_time_ns[record], self.deadline_ns[record], own_ns)


class EventTimes:
    """Reads events' times, puts them right, and sets deadlines.

    Args:
        event_time: where an event says when it happened.
        deadline: when its decision must be with the broker.
        lane_budgets_ns: the budget of each lane; None where there is one.

    Attributes:
        wrong_total: events whose time was too far ahead to be true.
        unread_total: deadlines in headers that are no number; the budget counted instead.
    """

    def __init__(
        self,
        event_time: EventTime,
        deadline: Deadline,
        lane_budgets_ns: Sequence[int] | None = None,
    ) -> None:
        self._field = event_time.field
        self._unit_ns = UNIT_NS[event_time.unit]
        self._budget_ns = int(deadline.budget)
        self._from_arrival = deadline.from_ == "arrival"
        self._deadline_field = deadline.field
        self._deadline_unit_ns = UNIT_NS[deadline.unit]
        self._latest = deadline.latest
        self.set_lane_budgets(lane_budgets_ns)
        self._max_future_ns = int(deadline.max_future)
        self._by = deadline.skew.by
        self._skew = ClockSkew(deadline.skew)
        self._emptied: set[TopicPartition] = set()
        self.wrong_total = 0
        self.unread_total = 0

    def set_lane_budgets(self, lane_budgets_ns: Sequence[int] | None) -> None:
        """Give the events that come from now on these budgets, by lane; None where there is one lane."""
        budgets_ns = [self._budget_ns] if lane_budgets_ns is None else lane_budgets_ns
        self._more_ns: Int64Array = np.array(budgets_ns, np.int64) - self._budget_ns
        """By lane, what its budget has more than the pipeline's."""
        self._more_max_ns = int(self._more_ns.max())
        self._lane_latest_ns: Int64Array = np.array(budgets_ns, np.int64)
        """By lane, how long after its arrival an event's own deadline may lie at most."""
        if self._latest is not None:
            self._lane_latest_ns[:] = self._latest
        self._latest_ns = int(self._lane_latest_ns.max())

    def of_records(self, batch: RecordBatch) -> Times | None:
        """The records' times from their metadata; None where an event's time is a field of it."""
        if self._field is not None:
            return None
        time_ns = np.minimum(batch.timestamp_ns, _LATEST_NS)
        return self._times(batch, None, time_ns + batch.shift_ns, time_ns >= 0)

    def latest_deadline_ns(self, batch: RecordBatch, times: Times | None) -> Int64Array | None:
        """The latest that each record's deadline can be, before it is decoded (int64 [n]).

        Args:
            batch: the records.
            times: what ``of_records`` gave for them.

        Returns:
            None where only the decoded record can tell.
        """
        if times is None:
            if not self._from_arrival or self._deadline_field or batch.headers:
                return None
            return constant(batch.arrival_ns + self._budget_ns + self._more_max_ns, len(batch))
        latest_ns = times.deadline_ns
        if self._more_max_ns:
            latest_ns = latest_ns + self._more_max_ns
            if times.own_ns is not None:
                own_latest_ns = batch.arrival_ns + self._latest_ns
                latest_ns = _granted(latest_ns, times.own_ns, own_latest_ns)
        if self._deadline_field is None:
            return latest_ns
        return np.maximum(latest_ns, batch.arrival_ns + self._latest_ns)

    def of_events(
        self,
        batch: RecordBatch,
        record: Int64Array | None,
        columns: Columns,
        times: Times | None,
        lane: Int64Array | None = None,
    ) -> Times:
        """The decoded events' times.

        Args:
            batch: the records they came in.
            record: int64 [m], which of them each came in; None for one of each.
            columns: the decoded fields, each [m, ...].
            times: what ``of_records`` gave for the batch.
            lane: int64 [m], the events' lanes; None where there is one.
        """
        if times is None:
            time_ns = _nanoseconds(columns[str(self._field)], self._unit_ns)
            there = time_ns > 0
            if batch.shift_ns:
                time_ns = time_ns + batch.shift_ns
            times = self._times(batch, record, time_ns, there)
        else:
            times = times.of(record)
        if self._deadline_field is None and lane is None:
            return times
        deadline_ns, own_ns = times.deadline_ns, times.own_ns
        at_most_ns: Int64Array | int = self._latest_ns
        if lane is not None:
            deadline_ns = deadline_ns + self._more_ns[lane]
            at_most_ns = self._lane_latest_ns[lane]
        if self._deadline_field is not None:
            field_ns = _nanoseconds(columns[self._deadline_field], self._deadline_unit_ns)
            field_ns = _shifted(field_ns, batch.shift_ns)
            own_ns = field_ns if own_ns is None else np.where(own_ns > 0, own_ns, field_ns)
        if own_ns is not None:
            deadline_ns = _granted(deadline_ns, own_ns, batch.arrival_ns + at_most_ns)
        return times._replace(deadline_ns=deadline_ns)

    @staticmethod
    def restored(batch: RecordBatch) -> Times:
        """Times of records that are read for what is remembered of them alone: nothing is learned of their clocks."""
        nothing = np.zeros(len(batch), np.int64)
        return Times(nothing, nothing, None)

    def said_ns(
        self, batch: RecordBatch, record: Int64Array | None, columns: Columns
    ) -> Int64Array:
        """When events say that they happened: as it is written, so that it is the same live and whenever it is played again.

        Where an event does not say it, its arrival stands in (int64 [m]).

        Args:
            batch: the records they came in.
            record: int64 [m], which of them each came in; None for one of each.
            columns: the decoded fields, each [m, ...].
        """
        if self._field is None:
            time_ns = np.minimum(batch.timestamp_ns, _LATEST_NS)
            time_ns, there = (time_ns if record is None else time_ns[record]), time_ns >= 0
            there = there if record is None else there[record]
        else:
            time_ns = _nanoseconds(columns[self._field], self._unit_ns)
            there = time_ns > 0
        return (
            time_ns if there.all() else np.where(there, time_ns, batch.arrival_ns - batch.shift_ns)
        )

    def said_by(self, events: EventBatch) -> Int64Array:
        """The same of events that are no batch of records any more; see ``said_ns``."""
        if self._field is not None:
            time_ns = _nanoseconds(events.columns[self._field], self._unit_ns)
            return np.where(time_ns > 0, time_ns, events.arrival_ns)
        if events.timestamp_ns is None:
            return events.event_time_ns
        time_ns = np.minimum(events.timestamp_ns, _LATEST_NS)
        return np.where(time_ns >= 0, time_ns, events.arrival_ns)

    def skews_ns(self) -> dict[str, int]:
        """By source, how far its clock is behind ours in ns, where it is known; negative is ahead."""
        return dict(self._skew.known())

    def _times(
        self,
        batch: RecordBatch,
        record: Int64Array | None,
        time_ns: Int64Array,
        there: BoolArray,
    ) -> Times:
        """Correct the times of events and set their deadlines.

        Args:
            batch: the records they came in.
            record: int64 [n], which of them each came in; None for one of each.
            time_ns: int64 [n], when they say that they happened.
            there: bool [n], which of them say so.
        """
        arrival_ns = batch.arrival_ns
        if not all_true(there):
            time_ns = np.where(there, time_ns, arrival_ns)
        correction_ns = self._correction_ns(batch, record, time_ns, there)
        if not isinstance(correction_ns, int) or correction_ns:
            time_ns = time_ns + correction_ns
        latest_ns = largest(time_ns) if len(time_ns) else 0
        if latest_ns > arrival_ns + self._max_future_ns:
            wrong = time_ns > arrival_ns + self._max_future_ns
            self.wrong_total += int(np.count_nonzero(wrong))
            time_ns = np.where(wrong, arrival_ns, time_ns)
        if self._from_arrival:
            deadline_ns = constant(arrival_ns + self._budget_ns, len(time_ns))
        elif latest_ns > arrival_ns:
            deadline_ns = np.minimum(time_ns, arrival_ns) + self._budget_ns
        else:
            deadline_ns = time_ns + self._budget_ns
        own_ns = self._own(batch)
        if own_ns is not None:
            own_ns = own_ns if record is None else own_ns[record]
            deadline_ns = _granted(deadline_ns, own_ns, arrival_ns + self._latest_ns)
        return Times(time_ns, deadline_ns, own_ns)

    def _correction_ns(
        self,
        batch: RecordBatch,
        record: Int64Array | None,
        time_ns: Int64Array,
        there: BoolArray,
    ) -> Int64Array | int:
        """What is to be added to the times: one number, or int64 [n] where each key has its clock."""
        difference_ns = batch.arrival_ns - time_ns
        # Only what came after a poll that had emptied the log did not wait in it.
        at_end = batch.source in self._emptied
        (self._emptied.discard if batch.behind else self._emptied.add)(batch.source)
        if self._by != "key":
            source = batch.source.topic
            if self._by == "partition":
                source = f"{source}/{batch.source.partition}"
            known = difference_ns if all_true(there) else difference_ns[there]
            return self._skew.correction_ns(source, known, batch.arrival_ns, at_end=at_end)
        correction_ns = np.zeros(len(time_ns), np.int64)
        for source, rows in _rows_by_key(batch, record):
            known = difference_ns[rows][there[rows]]
            correction_ns[rows] = self._skew.correction_ns(
                source, known, batch.arrival_ns, at_end=at_end
            )
        return correction_ns

    def _own(self, batch: RecordBatch) -> Int64Array | None:
        """The deadlines in the records' headers (int64 [records], 0 for none); None where there is none."""
        found: dict[int, int] = {}
        for record, headers in batch.headers.items():
            text = _header(headers)
            if text is None:
                continue
            if text.isdigit() and len(text) <= _DIGITS_MAX:
                found[record] = min(int(text), _LATEST_NS)
            else:
                self.unread_total += 1
        if not found:
            return None
        own_ns = np.zeros(len(batch), np.int64)
        own_ns[list(found)] = list(found.values())
        return _shifted(own_ns, batch.shift_ns)


def _granted(
    deadline_ns: Int64Array, own_ns: Int64Array, latest_ns: Int64Array | int
) -> Int64Array:
    """The events' own deadlines where they have one, as far as they may go."""
    return np.where(own_ns > 0, np.minimum(own_ns, latest_ns), deadline_ns)


def _shifted(own_ns: Int64Array, shift_ns: int) -> Int64Array:
    """Events' own deadlines (0 for none) where they are played at another time than they came."""
    return np.where(own_ns > 0, own_ns + shift_ns, own_ns) if shift_ns else own_ns


def _header(headers: Headers) -> bytes | None:
    """The last ``x-deadline-ns``, as Kafka's own clients take the last of repeated headers."""
    for name, value in reversed(headers):
        if name == DEADLINE_HEADER:
            return value or b""
    return None


def _nanoseconds(column: Array, unit_ns: int) -> Int64Array:
    """A column of times in ns, held within what can be calculated with."""
    bound = _LATEST_NS // unit_ns
    if len(column) == 1:  # a fifth of the time of the arrays' way
        return np.array([min(max(int(column[0]), -bound), bound) * unit_ns])
    whole = column.astype(np.int64, copy=False)
    # Not np.clip, which costs three times as much where a batch is one event.
    held: Int64Array = np.minimum(np.maximum(whole, -bound), bound)
    return held * unit_ns


def _rows_by_key(batch: RecordBatch, record: Int64Array | None) -> Iterator[tuple[str, Int64Array]]:
    """The events' rows (int64) by their records' key, each named as a source."""
    codes: dict[bytes | None, int] = {}
    code = np.array([codes.setdefault(key, len(codes)) for key in batch.key], np.int64)
    if record is not None:
        code = code[record]
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(codes) + 1))
    for number, key in enumerate(codes):
        name = "" if key is None else key.decode(errors="replace")
        yield f"{batch.source.topic}/{name}", order[bounds[number] : bounds[number + 1]]
