"""From fetched records to events."""

from typing import Any

import numpy as np
import pytest

from streamproc.codecs import JsonCodec, JsonDecoder
from streamproc.core import NS_PER_MS, RecordBatch, TopicPartition
from streamproc.engine import Deadline, EventTime, Intake
from streamproc.engine.intake import finite_rows
from streamproc.features import FieldFeatures
from tests.engine.pipelines import within

FIELDS = {"x": "float64", "n": "int32", "ts": "int64"}
ARRIVAL_NS = 10**18


def intake(*, key: str | None = None, event_time: EventTime | None = None, deadline: Deadline | None = None) -> Intake:  # fmt: skip
    return Intake(
        decoder=JsonDecoder(JsonCodec(fields=FIELDS)),
        features=FieldFeatures(("x",), widths={"x": 1}, inputs=(), names={}),
        key=key,
        event_time=event_time or EventTime(),
        deadline=deadline or within("100ms"),
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
    return made.admit(batch, ordinal=1_000, number=100, partition=3, rows=mask)


def test_each_event_keeps_its_own_metadata() -> None:
    batch = records([value(0), b"{", value(2), value(3), None, value(5)])
    admitted = admit(intake(), batch, [True, True, True, False, True, True])
    (events,) = admitted.events
    assert events.number.tolist() == [100, 102, 105]
    assert events.ordinal.tolist() == [1000, 1002, 1005]
    assert events.offset.tolist() == [50, 54, 60]
    assert set(events.partition.tolist()) == {3}
    assert events.key.tolist() == events.record_key.tolist() == [b"k0", b"k2", b"k5"]
    assert events.value.tolist() == [value(0), value(2), value(5)]
    assert events["x"].tolist() == [0, 2, 5]
    assert events.inputs["input"].tolist() == [[0], [2], [5]]
    assert events.headers == {100: (("h", b"0"),), 102: (("h", b"2"),)}
    assert {row: error.reason for row, error in admitted.rejected.items()} == {
        1: "undecodable",
        4: "empty",
    }


def test_nothing_good_is_no_batch() -> None:
    admitted = admit(intake(), records([b"{", None]))
    assert admitted.events == []
    assert list(admitted.rejected) == [0, 1]


def test_a_field_as_the_key() -> None:
    (events,) = admit(intake(key="n"), records([value(-4)])).events
    assert events.key.tolist() == [b"-4"]
    assert events.record_key.tolist() == [b"k0"]


@pytest.mark.parametrize(("unit", "scale"), [("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1)])
def test_event_times_of_a_field(unit: Any, scale: int) -> None:
    made = intake(event_time=EventTime(field="ts", unit=unit))
    batch = records([value(0), value(1, ts=-(2**63)), value(2, ts=2**63 - 1)])
    assert made.latest_deadline_ns(batch) is None
    (events,) = admit(made, batch).events
    time_ns, deadline_ns = events.event_time_ns.tolist(), events.deadline_ns.tolist()
    assert time_ns[0] == 7 * scale
    assert time_ns[1] < -(2**61)
    assert time_ns[2] > 2**61
    assert [d - t for t, d in zip(time_ns, deadline_ns, strict=True)] == [100 * NS_PER_MS] * 3


def test_a_record_without_a_timestamp_happened_when_it_arrived() -> None:
    batch = records([value(0), value(1), value(2)], stamps=[-1, 5, 2**63 - 1])
    made = intake()
    (events,) = admit(made, batch).events
    latest_ns = made.latest_deadline_ns(batch)
    assert latest_ns is not None
    assert events.event_time_ns.tolist()[:2] == [ARRIVAL_NS, 5]
    assert events.deadline_ns.tolist() == latest_ns.tolist()
    assert latest_ns.tolist()[2] > 2**61


def test_the_latest_deadline_from_arrival() -> None:
    latest_ns = intake(deadline=within("1ms", from_="arrival")).latest_deadline_ns(records([b""]))
    assert latest_ns is not None
    assert latest_ns.tolist() == [ARRIVAL_NS + NS_PER_MS]


def test_rows_that_are_finite() -> None:
    nan = np.nan
    assert finite_rows({"a": np.ones((2, 3)), "i": np.array([1, 2])}, 2) is None
    bad = finite_rows({"a": np.array([[1, nan], [1, 1], [1, 1]]), "b": np.array([1, 1, nan])}, 3)
    assert bad is not None
    assert bad.tolist() == [False, True, False]
    assert finite_rows({"loss": np.array(nan), "other": np.array([nan])}, 3) is None
