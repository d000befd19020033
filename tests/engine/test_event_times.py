"""Events' times and deadlines: read, put right, and held within bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replay.market.deadlines_off import clocks, deadlines_ns, described
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Duration,
    Headers,
    Int64Array,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine import Deadline, EventTime, EventTimes, Skew, Times

MS = NS_PER_MS
NOW_NS = 10**18
BUDGET_NS = 50 * MS
DEADLINES = Path(__file__).parents[2] / "docs" / "deadlines.md"


def records(
    stamps_ns: list[int] | Int64Array,
    *,
    now_ns: int = NOW_NS,
    headers: dict[int, Headers] | None = None,
    keys: list[bytes | None] | None = None,
    partition: int = 0,
    behind: int = 0,
) -> RecordBatch:
    n = len(stamps_ns)
    return RecordBatch(
        source=TopicPartition("ticks", partition),
        offset=np.arange(n),
        timestamp_ns=np.array(stamps_ns, np.int64),
        key=keys or [None] * n,
        value=[b""] * n,
        headers=headers or {},
        arrival_ns=now_ns,
        end_position=n,
        behind=behind,
    )


def times(event_time: EventTime | None = None, **deadline: Any) -> EventTimes:
    return EventTimes(event_time or EventTime(), Deadline(budget=Duration(BUDGET_NS), **deadline))


def by_record(made: EventTimes, batch: RecordBatch) -> Times:
    found = made.of_records(batch)
    assert found is not None
    return found


def slack_ms(found: Times, now_ns: int = NOW_NS) -> list[float]:
    slack: list[float] = ((found.deadline_ns - now_ns) / MS).tolist()
    return slack


def test_the_budget_counts_from_the_event_and_at_the_latest_from_its_arrival() -> None:
    found = by_record(times(), records([NOW_NS - 20 * MS, NOW_NS, NOW_NS + 300 * MS]))
    assert slack_ms(found) == [30, 50, 50]
    assert found.event_time_ns.tolist() == [NOW_NS - 20 * MS, NOW_NS, NOW_NS + 300 * MS]


def test_a_time_too_far_ahead_is_replaced_by_the_arrival_and_counted() -> None:
    made = times(max_future=Duration.parse("1s"))
    found = by_record(made, records([NOW_NS + NS_PER_S, NOW_NS + NS_PER_S + 1, 2**63 - 1]))
    assert found.event_time_ns.tolist() == [NOW_NS + NS_PER_S, NOW_NS, NOW_NS]
    assert made.wrong_total == 2


@pytest.mark.parametrize("stamp", [-1, -(2**63)])
def test_without_a_time_the_arrival_counts(stamp: int) -> None:
    found = by_record(times(), records([stamp, 5]))
    assert found.event_time_ns.tolist() == [NOW_NS, 5]


def test_a_field_without_a_time_is_an_arrival_too() -> None:
    made = times(EventTime(field="ts", unit="ms"))
    batch = records([0, 0, 0])
    assert made.of_records(batch) is None
    assert made.latest_deadline_ns(batch, None) is None
    column = np.array([0, NOW_NS // MS - 7, -4])
    found = made.of_events(batch, None, {"ts": column}, None)
    assert slack_ms(found) == [50, 43, 50]


def test_from_arrival_the_event_time_does_not_count_but_is_kept() -> None:
    found = by_record(times(from_="arrival"), records([NOW_NS - NS_PER_S]))
    assert (slack_ms(found), found.event_time_ns.tolist()) == ([50], [NOW_NS - NS_PER_S])


def test_a_header_shortens_the_deadline_and_may_not_lengthen_it_beyond_the_limit() -> None:
    asked = [b"%d" % (NOW_NS + ms * MS) for ms in (10, 50, 900)]
    batch = records([NOW_NS] * 4, headers={i: [("x-deadline-ns", a)] for i, a in enumerate(asked)})
    assert slack_ms(by_record(times(), batch)) == [10, 50, 50, 50]
    longer = times(latest=Duration.parse("200ms"))
    assert slack_ms(by_record(longer, batch)) == [10, 50, 200, 50]


@pytest.mark.parametrize("text", [b"", None, b"-5", b"1e9", b"soon", b"\xff", b"9" * 40])
def test_a_header_that_is_no_number_is_counted_and_the_budget_stands(text: bytes | None) -> None:
    made = times()
    batch = records([NOW_NS], headers={0: [("x-deadline-ns", text)]})
    assert slack_ms(by_record(made, batch)) == [50]
    assert made.unread_total == 1


def test_the_last_of_repeated_headers_counts() -> None:
    pair: Headers = [("x-deadline-ns", b"7"), ("x-deadline-ns", b"%d" % (NOW_NS + 9 * MS))]
    assert slack_ms(by_record(times(), records([NOW_NS], headers={0: pair}))) == [9]


def test_a_field_is_a_deadline_unless_a_header_is() -> None:
    made = times(field="due", unit="ms", latest=Duration.parse("80ms"))
    header: Headers = [("x-deadline-ns", b"%d" % (NOW_NS + 5 * MS))]
    batch = records([NOW_NS] * 4, headers={1: header})
    before = by_record(made, batch)
    latest_ns = made.latest_deadline_ns(batch, before)
    assert latest_ns is not None
    due = np.array([20, 20, 0, 500]) + (NOW_NS // MS) * np.array([1, 1, 0, 1])
    found = made.of_events(batch, None, {"due": due}, before)
    assert slack_ms(found) == [20, 5, 50, 80]
    assert (found.deadline_ns <= latest_ns).all()


def test_events_of_a_record_have_its_time_and_header() -> None:
    made = times()
    header: Headers = [("x-deadline-ns", b"%d" % (NOW_NS + MS))]
    batch = records([NOW_NS, NOW_NS - 10 * MS], headers={0: header})
    found = made.of_events(batch, np.array([0, 0, 1, 1, 1]), {}, by_record(made, batch))
    assert slack_ms(found) == [1, 1, 40, 40, 40]


def test_each_key_has_a_clock_of_its_own_where_that_is_asked_for() -> None:
    made = times(skew=Skew(by="key"))
    made.of_records(records([]))  # the log is empty from here on
    batch = records([NOW_NS + 400 * MS, NOW_NS - MS] * 100, keys=[b"fast", b"right"] * 100)
    found = by_record(made, batch)
    assert (found.deadline_ns[::2] == NOW_NS + BUDGET_NS).all()
    assert (found.event_time_ns[::2] == NOW_NS).all()
    assert (found.event_time_ns[1::2] == NOW_NS - MS).all()
    assert made.skews_ns() == {"ticks/fast": -400 * MS, "ticks/right": MS}


@pytest.mark.parametrize(("by", "sources"), [("partition", 2), ("topic", 1)])
def test_partitions_have_clocks_of_their_own_or_share_one(by: Any, sources: int) -> None:
    made = times(skew=Skew(by=by))
    for partition in (0, 1, 0, 1):
        made.of_records(records([NOW_NS] * 200, partition=partition))
    assert len(made.skews_ns()) == sources


def test_the_exchange_of_the_recording_gets_the_deadlines_of_a_right_clock() -> None:
    """Its clock is 1.27 s ahead of the recorder's: without correction every event had 1.3 s."""
    recorded = clocks()
    made = times(EventTime(field="ts", unit="ns"))
    late_ms = (deadlines_ns(made, recorded) - recorded.right_ns - BUDGET_NS) / MS
    figures = described(late_ms)
    assert late_ms.min() >= 0, figures  # never shorter than the right clock's
    assert late_ms.max() <= 25, figures
    assert figures.partition(", 0.0 ms at least")[0] in DEADLINES.read_text(), figures
    (behind_ns,) = made.skews_ns().values()
    assert -1_277 * MS <= behind_ns <= -1_272 * MS


def test_a_clock_a_second_behind_is_measured_on_the_recordings_own_jitter() -> None:
    recorded = clocks()
    made = times(EventTime(field="ts", unit="ns"))
    slow = recorded._replace(event_ns=recorded.right_ns - NS_PER_S)
    deadlines_ns(made, slow)
    (behind_ns,) = made.skews_ns().values()
    assert NS_PER_S <= behind_ns <= NS_PER_S + 5 * MS


@pytest.mark.parametrize("unit", ["ns", "ms", "s"])
@pytest.mark.parametrize("kind", [np.int64, np.int16])
def test_a_field_of_one_event_is_read_as_those_of_several_are(unit: Any, kind: Any) -> None:
    limits = np.iinfo(kind)
    stamps = np.array([limits.min, -1, 0, 1, 17_000, limits.max], kind)

    def read(stamps: Any) -> list[tuple[int, int]]:
        made = times(EventTime(field="at", unit=unit))
        found = made.of_events(records([0] * len(stamps)), None, {"at": stamps}, None)
        pairs = zip(found.event_time_ns.tolist(), found.deadline_ns.tolist(), strict=True)
        return list(pairs)

    assert read(stamps) == [read(stamps[row : row + 1])[0] for row in range(len(stamps))]
