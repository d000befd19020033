"""Lanes: who is in which, by when its decision is due, and what the books say of each."""

from typing import Any

import numpy as np
import pytest

from streamproc.codecs import JsonCodec
from streamproc.connectors.kafka import KafkaSource
from streamproc.core import Columns, Duration, Outcome, object_column
from streamproc.engine import Lanes, Outcomes
from streamproc.features import Expression
from streamproc.runtime import Pipeline
from streamproc.scheduling import Batching, Expired, Lane, Planner
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    TestResult,
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from tests.engine.pipelines import MS, pipeline, within

TOP = Lane("top", "symbol in ['BTC']", priority=0, share=0.5, budget=Duration.parse("40ms"))
SLOW = Lane("slow", "x > 1000", priority=1, budget=Duration.parse("2s"))


def columns() -> Columns:
    return {
        "symbol": object_column(["BTC", "ETH", "BTC", "ADA"]),
        "x": np.array([1.0, 2000.0, 3000.0, np.nan]),
    }


def lanes(*when: str) -> Lanes:
    fields = {"symbol": "str", "x": "float64"}
    return Lanes([Expression.parse(text, fields) for text in when])


def test_an_event_is_in_the_first_lane_that_matches() -> None:
    assert lanes("symbol in ['BTC']", "x > 1000").of(columns(), 4).tolist() == [0, 1, 0, 2]
    assert lanes("x > 1000", "symbol in ['BTC']").of(columns(), 4).tolist() == [1, 0, 0, 2]


def test_without_rows_there_are_no_lanes() -> None:
    empty = {"symbol": object_column([]), "x": np.empty(0)}
    assert lanes("symbol in ['BTC']", "x > 1").of(empty, 0).tolist() == []


def laned(*lane: Lane, **changes: Any) -> Pipeline:
    parts: dict[str, Any] = {
        "codec": JsonCodec(fields={"x": "float64", "symbol": "str"}),
        "lanes": lane or (TOP, SLOW),
        "deadline": within("100ms"),
        "outcomes": Outcomes(shed_topic="shed"),
    }
    return pipeline(**(parts | changes))


def run(test: PipelineTest, *events: tuple[str, float]) -> TestResult:
    for symbol, x in events:
        test.send("ticks", {"symbol": symbol, "x": x}, key="k")
    result = test.run()
    assert_accounts(result.summary)
    return result


def test_each_lane_has_a_budget_of_its_own() -> None:
    test = PipelineTest(laned())
    start_ns = test.now_ns
    result = run(test, ("BTC", 1), ("ETH", 2000), ("ADA", 3))
    slack = {d.id: d.deadline_ns - start_ns for d in result.decisions}
    assert slack == {"ticks/0/0": 40 * MS, "ticks/0/1": 2_000 * MS, "ticks/0/2": 100 * MS}


def test_an_events_own_deadline_is_held_to_its_lanes_budget() -> None:
    test = PipelineTest(laned())
    start_ns = test.now_ns
    asked = {"x-deadline-ns": str(start_ns + 10_000 * MS)}
    soon = {"x-deadline-ns": str(start_ns + 30 * MS)}
    for symbol, x, headers in (
        ("BTC", 1, asked), ("ETH", 2000, asked), ("ADA", 3, asked), ("ETH", 2000, soon),
    ):  # fmt: skip
        test.send("ticks", {"symbol": symbol, "x": x}, headers=headers)
    slack = [
        (d.deadline_ns - start_ns) // MS
        for d in sorted(test.run().decisions, key=lambda d: d.offset)
    ]
    assert slack == [40, 2_000, 100, 30]


def test_the_books_are_kept_by_lane() -> None:
    result = run(PipelineTest(laned()), ("BTC", 1), ("BTC", 2), ("ETH", 2000), ("ADA", 3))
    assert result.accounts.settled_by_lane == {
        ("top", Outcome.ON_TIME, ""): 2,
        ("slow", Outcome.ON_TIME, ""): 1,
        ("default", Outcome.ON_TIME, ""): 1,
    }
    assert {lane: words["on_time"] for lane, words in result.summary["lanes"].items()} == {
        "top": 2, "slow": 1, "default": 1, "unknown": 0,
    }  # fmt: skip


def test_what_was_never_decoded_has_no_lane() -> None:
    test = PipelineTest(laned())
    test.send("ticks", b"{")
    result = test.run()
    assert result.accounts.settled_by_lane == {("unknown", Outcome.DEAD_LETTER, "undecodable"): 1}


def test_before_decoding_the_largest_budget_counts() -> None:
    test = PipelineTest(laned())
    run(test, ("BTC", 1))  # a first run, so that none has to be tried
    old_ns = test.now_ns - 150 * MS
    for symbol, x in (("BTC", 1.0), ("ETH", 2000.0), ("ADA", 3.0)):
        test.send("ticks", {"symbol": symbol, "x": x}, timestamp_ns=old_ns)
    test.send("ticks", {"symbol": "BTC", "x": 1.0}, timestamp_ns=test.now_ns - 3_000 * MS)
    result = test.run()
    settled = result.accounts.settled_by_lane
    assert settled["slow", Outcome.ON_TIME, ""] == 1
    assert settled["top", Outcome.SHED, "expired"] == 1
    assert settled["default", Outcome.SHED, "expired"] == 1
    assert settled["unknown", Outcome.SHED, "expired"] == 1


def test_a_lane_in_front_is_served_first() -> None:
    """Of more than can be in time, those of the lane are."""
    alike = Lane("top", "symbol in ['BTC']", priority=0)
    config = laned(alike, batching=Batching(max_size=8), ordering="none")
    test = PipelineTest(config, executor=FakeExecutor(fixed_ns=10 * MS, per_event_ns=MS))
    for n in range(300):
        test.send("ticks", {"symbol": "BTC" if n % 10 == 0 else "ETH", "x": 1.0})
    result = test.run()
    assert_accounts(result.summary)
    lanes_ = result.summary["lanes"]
    assert lanes_["top"]["on_time"] == 30
    assert 0 < lanes_["default"]["on_time"] < 60
    assert lanes_["default"]["shed"] > 200


@pytest.mark.parametrize("ordering", ["none", "key"])
def test_every_event_has_one_outcome_in_several_lanes(ordering: str) -> None:
    config = laned(
        ordering=ordering,
        shed=(Expired(), Planner()),
        source=KafkaSource(topics=("ticks",), auto_offset_reset="earliest"),
    )
    executor = FakeExecutor(fixed_ns=5 * MS, per_event_ns=MS, concurrency=2)
    test = PipelineTest(config, executor=executor, partitions=2, acknowledge_ns=3 * MS)
    executor.fail(runs=1)
    start_ns = test.now_ns
    rng = np.random.default_rng(7)
    for _ in range(200):
        symbol, key = rng.choice(["BTC", "ETH", "ADA"]), rng.choice(["a", "b", "c"])
        test.send(
            "ticks",
            {"symbol": str(symbol), "x": float(rng.integers(0, 2000))},
            key=str(key),
            partition=int(rng.integers(0, 2)),
            at_ns=start_ns + int(rng.integers(0, 100)) * MS,
        )
    test.revoke(("ticks", 1), at_ns=start_ns + 50 * MS)
    result = test.run()
    assert_accounts(result.accounts)
    assert len(result.final) == result.accounts.fetched > 100  # the rest came after the revoke
    assert all(len(outcomes) == 1 for outcomes in result.final.values())
    assert_no_on_time_after_deadline(result.decisions, result.acknowledged_ns)
    if ordering == "key":
        assert_order(result.decisions, by="key")
    by_lane = result.accounts.settled_by_lane
    assert sum(by_lane.values()) == result.summary["consumed"]
    assert {lane for lane, _, _ in by_lane} >= {"top", "slow", "default"}
