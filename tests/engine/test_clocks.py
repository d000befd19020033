"""A pipeline among clocks that are off, on a virtual clock of its own."""

from typing import Any

import pytest

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
