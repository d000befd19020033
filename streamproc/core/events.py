"""EventBatch: the unit that flows. A struct of columns, not one Python object an event."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from streamproc.core.arrays import Array, Columns, Int64Array, ObjectArray, Rows, constant
from streamproc.core.light import light
from streamproc.core.records import Headers


@light
@dataclass(frozen=True, slots=True)
class EventBatch:
    """Decoded events, one row each, in the order of ``number``.

    User code (``features``, ``decide``) is given these: ``batch["price"]`` is a decoded field,
    ``batch.key`` the keys. Arrays are read only by contract.

    Attributes:
        number: int64 [n], the event's running number in this process; ascending in order of arrival.
        partition: int64 [n], index into the pipeline's table of assigned partitions.
        ordinal: int64 [n], the record's running number among those fetched of its partition.
        offset: int64 [n], the record's offset.
        event_time_ns: int64 [n], when it happened, put right where its source's clock is known to be off.
        arrival_ns: int64 [n], when it was fetched.
        admitted_ns: int64 [n], when it was decoded and its features made: it waits from then on.
        deadline_ns: int64 [n], when its decision must be with the broker.
        key: object [n], bytes or None: the key of its decision, of its order and of its state.
        record_key: object [n], bytes or None: the key of the record it came in.
        value: object [n], bytes or None: the record's value, kept for a dead letter.
        columns: the decoded fields by name, each [n, ...].
        inputs: the model's inputs by name, each [n, ...]; empty until the features are made.
        headers: the record's headers of those events that have any, by event number.
        row: int64 [n], the event's row within its record; None where a record is one event.
        lane: int64 [n], the place of each event's lane among the pipeline's; None where there is one.
        timestamp_ns: int64 [n], the record's timestamp as it came; negative where it has none. None where nobody tells.
        decoded_ns: int64 [n], when it was decoded, before its features were made; None where nobody tells.
        arm: int64 [n], the number of the model that is to decide about it, 0 being the model itself; None where there is
            no other.
    """

    number: Int64Array
    partition: Int64Array
    ordinal: Int64Array
    offset: Int64Array
    event_time_ns: Int64Array
    arrival_ns: Int64Array
    admitted_ns: Int64Array
    deadline_ns: Int64Array
    key: ObjectArray = field(repr=False)
    record_key: ObjectArray = field(repr=False)
    value: ObjectArray = field(repr=False)
    columns: Columns = field(default_factory=dict, repr=False)
    inputs: Columns = field(default_factory=dict, repr=False)
    headers: dict[int, Headers] = field(default_factory=dict, repr=False)
    row: Int64Array | None = None
    lane: Int64Array | None = None
    timestamp_ns: Int64Array | None = None
    decoded_ns: Int64Array | None = None
    arm: Int64Array | None = None

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, name: str) -> Array:
        """A decoded field as an array [n, ...].

        Raises:
            KeyError: no such field; the text names those there are.
        """
        try:
            return self.columns[name]
        except KeyError:
            msg = f"no field {name!r}: the codec's fields are {', '.join(self.columns) or 'none'}"
            raise KeyError(msg) from None

    def take(self, rows: Rows) -> Self:
        """The rows named, as a batch of their own; a slice copies nothing.

        Args:
            rows: a slice, or int64 [m] row numbers.
        """
        number = self.number[rows]
        headers = self.headers
        if headers:
            headers = {n: headers[n] for n in number.tolist() if n in headers}
        return type(self)(
            number=number,
            partition=self.partition[rows],
            ordinal=self.ordinal[rows],
            offset=self.offset[rows],
            event_time_ns=self.event_time_ns[rows],
            arrival_ns=self.arrival_ns[rows],
            admitted_ns=self.admitted_ns[rows],
            deadline_ns=self.deadline_ns[rows],
            key=self.key[rows],
            record_key=self.record_key[rows],
            value=self.value[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            inputs={name: column[rows] for name, column in self.inputs.items()},
            headers=headers,
            row=None if self.row is None else self.row[rows],
            lane=None if self.lane is None else self.lane[rows],
            timestamp_ns=None if self.timestamp_ns is None else self.timestamp_ns[rows],
            decoded_ns=None if self.decoded_ns is None else self.decoded_ns[rows],
            arm=None if self.arm is None else self.arm[rows],
        )

    def with_inputs(self, inputs: Columns) -> Self:
        """The same events with the model's inputs, each [n, ...]."""
        return self._but(inputs, self.admitted_ns)

    def waiting_since(self, now_ns: int) -> Self:
        """The same events, admitted at this instant."""
        return self._but(self.inputs, constant(now_ns, len(self)))

    def of_arms(self, arm: Int64Array) -> Self:
        """The same events, to be decided by the models of these numbers (int64 [n])."""
        return replace(self, arm=arm)

    def renumbered(self, first: int) -> Self:
        """The same events as if they came now: numbered from ``first`` on, and of the model itself."""
        numbers = np.arange(first, first + len(self))
        new = dict(zip(self.number.tolist(), numbers.tolist(), strict=True))
        headers = {new[number]: held for number, held in self.headers.items()}
        return replace(self, number=numbers, headers=headers, arm=np.zeros(len(self), np.int64))

    def _but(self, inputs: Columns, admitted_ns: Int64Array) -> Self:
        # Not dataclasses.replace, which takes four times as long.
        return type(self)(
            self.number,
            self.partition,
            self.ordinal,
            self.offset,
            self.event_time_ns,
            self.arrival_ns,
            admitted_ns,
            self.deadline_ns,
            self.key,
            self.record_key,
            self.value,
            self.columns,
            inputs,
            self.headers,
            self.row,
            self.lane,
            self.timestamp_ns,
            self.decoded_ns,
            self.arm,
        )

    @classmethod
    def concatenate(cls, batches: Sequence[Self]) -> Self:
        """One batch of several of the same codec, with the same fields, one behind the other.

        Raises:
            ValueError: there are none, or their fields differ.
        """
        if len(batches) == 1:
            return batches[0]
        if not batches:
            msg = "there are none: at least one batch is needed"
            raise ValueError(msg)
        columns, inputs = batches[0].columns, batches[0].inputs
        for batch in batches:
            if batch.columns.keys() != columns.keys() or batch.inputs.keys() != inputs.keys():
                msg = f"the fields differ: {[*columns, *inputs]} and {[*batch.columns, *batch.inputs]}"
                raise ValueError(msg)
        return cls(
            number=np.concatenate([b.number for b in batches]),
            partition=np.concatenate([b.partition for b in batches]),
            ordinal=np.concatenate([b.ordinal for b in batches]),
            offset=np.concatenate([b.offset for b in batches]),
            event_time_ns=np.concatenate([b.event_time_ns for b in batches]),
            arrival_ns=np.concatenate([b.arrival_ns for b in batches]),
            admitted_ns=np.concatenate([b.admitted_ns for b in batches]),
            deadline_ns=np.concatenate([b.deadline_ns for b in batches]),
            key=np.concatenate([b.key for b in batches]),
            record_key=np.concatenate([b.record_key for b in batches]),
            value=np.concatenate([b.value for b in batches]),
            columns={name: np.concatenate([b.columns[name] for b in batches]) for name in columns},
            inputs={name: np.concatenate([b.inputs[name] for b in batches]) for name in inputs},
            headers={number: h for b in batches for number, h in b.headers.items()},
            row=_joined([b.row for b in batches]),
            lane=_joined([b.lane for b in batches]),
            timestamp_ns=_joined([b.timestamp_ns for b in batches]),
            decoded_ns=_joined([b.decoded_ns for b in batches]),
            arm=_joined_arms(batches),
        )


def _joined_arms(batches: Sequence[EventBatch]) -> Int64Array | None:
    """Those that came before there were others are of the model itself."""
    if all(batch.arm is None for batch in batches):
        return None
    return np.concatenate([np.zeros(len(b), np.int64) if b.arm is None else b.arm for b in batches])


def _joined(columns: Sequence[Int64Array | None]) -> Int64Array | None:
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if there else None
