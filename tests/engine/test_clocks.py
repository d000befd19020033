"""A pipeline among clocks that are off, on a virtual clock of its own."""

from typing import Any

import numpy as np
import pytest

from replay.market.deadlines_off import clocks
from streamproc.codecs import JsonCodec
from streamproc.core import NS_PER_MS, NS_PER_S, Duration
from streamproc.engine import Deadline, EventTime, Skew
from streamproc.runtime.housekeeping import SkewWatch
from streamproc.testing import PipelineTest
from tests.engine.pipelines import pipeline

MS = NS_PER_MS
BUDGET = Duration.parse("50ms")


def test_of(**deadline: Any) -> PipelineTest:
    return PipelineTest(
        pipeline(
            codec=JsonCodec(fields={"x": "float64", "ts": "int64"}),
            event_time=EventTime(field="ts", unit="ns"),
            deadline=Deadline(budget=BUDGET, **deadline),
        )
    )


test_of.__test__ = False  # type: ignore[attr-defined]


def stream(test: PipelineTest, count: int, *, off_ns: int, every_ns: int = MS) -> None:
    """Events that happen as they arrive, by a clock that is so far ahead of ours."""
    for number in range(count):
        at_ns = test.now_ns + number * every_ns
        test.send("ticks", {"x": 1.0, "ts": at_ns + off_ns}, at_ns=at_ns)


def test_a_producer_that_is_ahead_gets_the_deadlines_of_a_right_clock() -> None:
    test = test_of()
    stream(test, 1_000, off_ns=1_273 * MS)
    decisions = test.run().decisions
    assert len(decisions) == 1_000
    slack_ms = [(d.deadline_ns - d.decided_ns) / MS for d in decisions]
    assert max(slack_ms) <= 50
    assert min(slack_ms) >= 45


def test_a_backlog_of_a_minute_is_shed_though_its_clock_was_ahead() -> None:
    """The clock is learned anew at the restart, from events that waited: they do not make it right."""
    test = test_of()
    for number in range(3_000):
        ts = test.now_ns - 60 * NS_PER_S + number * MS
        test.send("ticks", {"x": 1.0, "ts": ts + 1_273 * MS})
    result = test.run()
    outcomes = result.summary["outcomes"]
    assert outcomes["shed"] == 2_999
    assert outcomes["late"] == 1  # the scheduler's probe: nothing seemed to fit
    stream(test, 500, off_ns=1_273 * MS)
    result = test.run()
    assert result.summary["outcomes"]["on_time"] == 500
    assert max(d.deadline_ns - d.decided_ns for d in result.decisions) <= 50 * MS


@pytest.mark.parametrize(("slow", "on_time"), [("report", 0), ("correct", 900)])
def test_a_producer_a_second_behind(slow: Any, on_time: int) -> None:
    """Its events look a second late: nothing is in time, unless the clock is to be put right."""
    test = test_of(skew=Skew(slow=slow))
    stream(test, 1_000, off_ns=-NS_PER_S)
    result = test.run()
    assert result.summary["outcomes"]["on_time"] >= on_time
    assert (result.summary["outcomes"]["on_time"] == 0) == (on_time == 0)
    (behind_ns,) = test._engine.skews_ns().values()
    assert behind_ns == NS_PER_S


def test_the_recording_after_an_outage_of_a_minute() -> None:
    """Nobody read for its first minute. What waited is shed; what comes then has a right clock's deadlines."""
    test = test_of()
    outage_ns, count = 60 * NS_PER_S, 3_200
    shift_ns = test.now_ns - clocks().arrival_ns[0]
    arrival_ns, event_ns, right_ns = (column[:count] + shift_ns for column in clocks())
    fetched_ns = np.maximum(arrival_ns, test.now_ns + outage_ns)
    for ts, at_ns in zip(event_ns.tolist(), fetched_ns.tolist(), strict=True):
        test.send("ticks", {"x": 1.0, "ts": ts}, at_ns=at_ns)
    result = test.run()
    waited = arrival_ns < fetched_ns
    decided = np.zeros(count, np.bool_)
    late_ms = np.zeros(count)
    for decision in result.decisions:
        decided[decision.offset] = True
        late_ms[decision.offset] = (decision.deadline_ns - right_ns[decision.offset]) / MS - 50
    assert waited.sum() > 2_500
    # Older than the clock is ahead: expired, but for the one that the scheduler tries.
    old = fetched_ns - right_ns > 1_300 * MS
    assert np.count_nonzero(decided & old) <= 1
    # Younger ones seem to come from the future until the clock is known. The last few are taken for fresh.
    assert np.count_nonzero(decided & waited) <= 12
    assert result.summary["reasons"] == {"expired": count - len(result.decisions)}
    assert decided[~waited].all()
    assert late_ms[~waited].min() >= 0
    assert late_ms[~waited].max() <= 25, late_ms[~waited].max()


# -- deadlines of the events' own, and times that are none


def test_a_deadline_in_a_header_comes_in_and_goes_on_with_the_decision() -> None:
    test = test_of(latest=Duration.parse("80ms"))
    now_ns = test.now_ns
    asked = [b"%d" % (now_ns + ms * MS) for ms in (40, 70, 900, -1)] + [b"soon"]
    for own in asked:
        test.send("ticks", {"x": 1.0, "ts": now_ns}, headers={"x-deadline-ns": own})
    result = test.run()
    assert {d.offset: (d.deadline_ns - now_ns) // MS for d in result.decisions} == {
        0: 40,
        1: 70,
        2: 80,  # as far as ``latest`` allows, and passed on as it came
        4: 50,
    }
    passed_on = {d.offset: dict(d.record.headers)["x-deadline-ns"] for d in result.decisions}
    assert passed_on == {n: own for n, own in enumerate(asked) if n != 3}
    assert result.outcome_of("ticks/0/3") == "shed"
    assert test._assembly.accounts.unread_deadlines == 1


def test_a_deadline_that_is_no_number_is_counted_though_its_event_is_shed_undecoded() -> None:
    test = PipelineTest(pipeline(deadline=Deadline(budget=BUDGET)))
    now_ns = test.now_ns
    for at_ns in (now_ns, now_ns + 20 * MS):  # the first one is tried all the same
        asked = {"x-deadline-ns": b"soon"}
        test.send("ticks", {"x": 1.0}, headers=asked, timestamp_ns=now_ns - NS_PER_S, at_ns=at_ns)
    result = test.run()
    assert result.outcome_of("ticks/0/1") == "shed"
    assert test._assembly.accounts.unread_deadlines == 2


def test_a_deadline_in_a_field() -> None:
    test = PipelineTest(
        pipeline(
            codec=JsonCodec(fields={"x": "float64", "due": "int64"}),
            deadline=Deadline(budget=BUDGET, field="due", unit="ms"),
        )
    )
    now_ns = test.now_ns
    for due_ms in (now_ns // MS + 40, 0, now_ns // MS - 1):
        test.send("ticks", {"x": 1.0, "due": due_ms})
    result = test.run()
    assert [(d.deadline_ns - now_ns) // MS for d in result.decisions] == [40, 50]
    assert result.outcome_of("ticks/0/2") == "shed"


def test_a_time_from_the_far_future_is_the_arrival_instead_and_is_counted() -> None:
    test = test_of(max_future=Duration.parse("2s"))
    now_ns = test.now_ns
    for ahead_ns in (NS_PER_S, 3 * NS_PER_S, 3_600 * NS_PER_S):
        test.send("ticks", {"x": 1.0, "ts": now_ns + ahead_ns})
    decisions = test.run().decisions
    assert [d.event_time_ns - now_ns for d in decisions] == [NS_PER_S, 0, 0]
    assert [d.deadline_ns - now_ns for d in decisions] == [50 * MS] * 3
    assert test._assembly.accounts.wrong_event_times == 2


@pytest.mark.parametrize(
    ("event_time", "from_", "value"),
    [
        pytest.param(EventTime(field="ts", unit="ns"), "event_time", 0, id="no time in the field"),
        pytest.param(EventTime(), "event_time", 0, id="no timestamp"),
        pytest.param(EventTime(field="ts", unit="ns"), "arrival", 1, id="counted from the arrival"),
    ],
)
def test_the_arrival_stands_in(event_time: EventTime, from_: Any, value: int) -> None:
    test = PipelineTest(
        pipeline(
            codec=JsonCodec(fields={"x": "float64", "ts": "int64"}),
            event_time=event_time,
            deadline=Deadline(budget=BUDGET, from_=from_),
        )
    )
    at_ns = test.now_ns + NS_PER_S
    test.send("ticks", {"x": 1.0, "ts": value}, at_ns=at_ns, timestamp_ns=-1)
    (decision,) = test.run().decisions
    assert decision.deadline_ns == at_ns + 50 * MS
    assert decision.event_time_ns == (value or at_ns)


def test_clocks_that_are_off_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = SkewWatch(budget_ns=50 * MS)
    for _ in range(3):
        watch.look({"t/0": NS_PER_S, "t/1": -1_273 * MS, "t/2": 8 * MS, "t/3": -8 * MS})
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(",")[0] for text in said] == [
        "t/0: events arrive 1000 ms after they say they happened",
        "t/1: events arrive 1273 ms before they say they happened: the clock of their producer is ahead of ours; their times are put right by as much",
    ]
    assert "deadline.skew: {slow: correct}" in said[0]


def test_what_waits_only_because_of_the_log_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    test = test_of()
    for _ in range(3_000):
        test.send("ticks", {"x": 1.0, "ts": test.now_ns - 60 * NS_PER_S})
    test.run()
    assert test._engine.skews_ns() == {}
