"""From fetched records to events."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from streamproc.codecs import Decoded, FieldType, JsonCodec, JsonDecoder, RowsRejected
from streamproc.core import NS_PER_MS, Reason, RecordBatch, RecordError, TopicPartition
from streamproc.engine import Deadline, EventTime, EventTimes, Intake
from streamproc.engine.intake import finite_rows
from streamproc.features import FieldFeatures
from tests.engine.pipelines import within

FIELDS = {"x": "float64", "n": "int32", "ts": "int64"}
ARRIVAL_NS = 10**18


def intake(*, key: str | None = None, event_time: EventTime | None = None, deadline: Deadline | None = None) -> Intake:  # fmt: skip
    return Intake(
        decoder=JsonDecoder(JsonCodec(fields=FIELDS)),
        features=FieldFeatures(("x",), shapes={"x": ()}, inputs=(), names={}),
        key=key,
        times=EventTimes(event_time or EventTime(), deadline or within("100ms")),
    )


def records(values: list[bytes | None], *, stamps: list[int] | None = None) -> RecordBatch:
    n = len(values)
    return RecordBatch(
        source=TopicPartition("ticks", 0),
        offset=np.arange(n) * 2 + 50,
        timestamp_ns=np.array(stamps or [ARRIVAL_NS - 5] * n, np.int64),
        key=[b"k%d" % i for i in range(n)],
        value=values,
        headers={i: (("h", b"%d" % i),) for i in range(0, n, 2)},
        arrival_ns=ARRIVAL_NS,
        end_position=2 * n + 50,
    )


def value(i: int, **changes: Any) -> bytes:
    parts = {"x": i, "n": i, "ts": 7} | changes
    return str(parts).replace("'", '"').encode()


def admit(made: Intake, batch: RecordBatch, rows: list[bool] | None = None) -> Any:
    mask = None if rows is None else np.array(rows)
    times = made.times.of_records(batch)
    return made.admit(batch, times, ordinal=1_000, number=100, partition=3, rows=mask)


def reasons(admitted: Any) -> dict[int, str]:
    return {int(some.record[0]): some.error.reason for some in admitted.rejected}


def test_each_event_keeps_its_own_metadata() -> None:
    batch = records([value(0), b"{", value(2), value(3), None, value(5)])
    admitted = admit(intake(), batch, [True, True, True, False, True, True])
    (events,) = admitted.events
    assert events.number.tolist() == [100, 101, 102]
    assert events.ordinal.tolist() == [1000, 1002, 1005]
    assert events.offset.tolist() == [50, 54, 60]
    assert set(events.partition.tolist()) == {3}
    assert events.key.tolist() == events.record_key.tolist() == [b"k0", b"k2", b"k5"]
    assert events.value.tolist() == [value(0), value(2), value(5)]
    assert events["x"].tolist() == [0, 2, 5]
    assert events.inputs["input"].tolist() == [[0], [2], [5]]
    assert events.headers == {100: (("h", b"0"),), 101: (("h", b"2"),)}
    assert events.row is None
    assert reasons(admitted) == {1: "undecodable", 4: "empty"}


def test_nothing_good_is_no_batch() -> None:
    admitted = admit(intake(), records([b"{", None]))
    assert admitted.events == []
    assert reasons(admitted) == {0: "undecodable", 1: "empty"}


def test_a_field_as_the_key() -> None:
    (events,) = admit(intake(key="n"), records([value(-4)])).events
    assert events.key.tolist() == [b"-4"]
    assert events.record_key.tolist() == [b"k0"]


@pytest.mark.parametrize(("unit", "scale"), [("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1)])
def test_event_times_of_a_field(unit: Any, scale: int) -> None:
    made = intake(event_time=EventTime(field="ts", unit=unit))
    batch = records([value(0), value(1, ts=-(2**63)), value(2, ts=2**63 - 1)])
    (events,) = admit(made, batch).events
    assert events.event_time_ns.tolist() == [7 * scale, ARRIVAL_NS, ARRIVAL_NS]
    slack_ns = events.deadline_ns - np.array([7 * scale, ARRIVAL_NS, ARRIVAL_NS])
    assert set(slack_ns.tolist()) == {100 * NS_PER_MS}


def test_the_latest_deadline_is_the_deadline_where_no_field_counts() -> None:
    batch = records([value(0), value(1), value(2)], stamps=[-1, 5, 2**63 - 1])
    made = intake()
    times = made.times.of_records(batch)
    (events,) = made.admit(batch, times, ordinal=0, number=0, partition=0, rows=None).events
    latest_ns = made.times.latest_deadline_ns(batch, times)
    assert latest_ns is not None
    assert events.deadline_ns.tolist() == latest_ns.tolist()


def test_the_latest_deadline_from_arrival() -> None:
    made = intake(deadline=within("1ms", from_="arrival"), event_time=EventTime(field="ts"))
    batch = replace(records([b""]), headers={})
    latest_ns = made.times.latest_deadline_ns(batch, made.times.of_records(batch))
    assert latest_ns is not None
    assert latest_ns.tolist() == [ARRIVAL_NS + NS_PER_MS]


class Lines:
    """A codec of several events a record: numbers separated by commas; ``x`` is no number."""

    fields: ClassVar[dict[str, FieldType]] = {"x": FieldType("float64"), "n": FieldType("int32")}
    several = True

    def decode(self, values: list[bytes | None]) -> Decoded:
        good: list[tuple[int, int, float]] = []
        rejected, bad = {}, []
        for record, value in enumerate(values):
            if value is None:
                rejected[record] = RecordError(Reason.EMPTY, "nothing")
                continue
            for row, text in enumerate(value.split(b",")):
                if text == b"x":
                    error = RecordError(Reason.WRONG_TYPE, "an x")
                    bad.append(RowsRejected(record, np.array([row]), error))
                else:
                    good.append((record, row, float(text)))
        record, row, x = np.array(good).T if good else np.empty((3, 0))
        columns = {"x": x, "n": np.nan_to_num(x).astype(np.int32)}
        return Decoded(record.astype(np.int64), columns, rejected, row.astype(np.int64), tuple(bad))


def test_each_row_of_a_record_is_an_event() -> None:
    made = Intake(
        decoder=Lines(),
        features=FieldFeatures(("x",), shapes={"x": ()}, inputs=(), names={}),
        key="n",
        times=EventTimes(EventTime(), within("100ms")),
    )
    batch = records([b"1,x,nan", None, b"4,5"])
    admitted = admit(made, batch)
    (events,) = admitted.events
    assert events.number.tolist() == [100, 102, 103]  # 101 is the nan: its features are no good
    assert events.ordinal.tolist() == [1000, 1002, 1002]
    assert events.offset.tolist() == [50, 54, 54]
    assert events.row is not None
    assert events.row.tolist() == [0, 0, 1]
    assert events.key.tolist() == [b"1", b"4", b"5"]
    assert events.record_key.tolist() == [b"k0", b"k2", b"k2"]
    assert events.headers == {100: (("h", b"0"),), 102: (("h", b"2"),), 103: (("h", b"2"),)}
    assert admitted.held is not None
    assert admitted.held.tolist() == [3, 1, 2]
    said = [
        (r.record.tolist(), None if r.row is None else r.row.tolist()) for r in admitted.rejected
    ]
    assert said == [([1], None), ([0], [1]), ([0], [2])]


def test_rows_that_are_finite() -> None:
    nan = np.nan
    assert finite_rows({"a": np.ones((2, 3)), "i": np.array([1, 2])}, 2) is None
    bad = finite_rows({"a": np.array([[1, nan], [1, 1], [1, 1]]), "b": np.array([1, 1, nan])}, 3)
    assert bad is not None
    assert bad.tolist() == [False, True, False]
    assert finite_rows({"loss": np.array(nan), "other": np.array([nan])}, 3) is None
