"""The ledger says of every input what became of it, in the form that its schema describes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Outcome, TopicPartition
from streamproc.engine import Ledger, Outcomes, PartitionTable, decode_ledger
from streamproc.testing import Auditor, FakeExecutor, PipelineTest
from tests.engine.pipelines import MS, pipeline, within

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "ledger.schema.json").read_text(encoding="utf-8")
)
T0 = TopicPartition("ticks", 0)
NOTHING_SENT = Outcomes(dead_letter_topic=None, ledger_topic="ledger")


def ledger_of(test: PipelineTest) -> list[Any]:
    return [json.loads(record.value or b"") for record in test.broker.records("ledger")]


def audit(test: PipelineTest, delivery: Any) -> list[str]:
    auditor = Auditor(delivery, letters=())
    for topic, take in (
        ("decisions", auditor.add_decision),
        ("ledger", auditor.add_ledger),
        ("ticks", auditor.add_input),
    ):
        for record in test.broker.records(topic):
            take(record)
    return auditor.report(test.broker.committed("p")).problems()


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_it_tells_what_nobody_sends(delivery: Any) -> None:
    config = pipeline(delivery=delivery, outcomes=NOTHING_SENT, late="drop", shed=())
    test = PipelineTest(config, executor=FakeExecutor(fixed_ns=MS), acknowledge_ns=MS)
    start_ns = test.now_ns
    for at_ms, value in enumerate([{"x": 1}, b"{", {"x": 2}, {"x": 3}]):
        test.send("ticks", value, at_ns=start_ns + at_ms * MS)
    test.send("ticks", {"x": 4}, timestamp_ns=start_ns - 1_000 * MS)  # late, and dropped
    test.run()
    assert audit(test, delivery) == []
    told = [outcome for record in ledger_of(test) for outcome in record["outcomes"]]
    assert {(o["outcome"], o.get("reason", "")) for o in told} == {
        ("on_time", ""),
        ("late", ""),
        ("dead_letter", "undecodable"),
    }
    assert ledger_of(test)[-1]["end"] == test.broker.committed("p")[T0] == 5


def test_a_transaction_that_is_aborted_tells_nothing() -> None:
    config = pipeline(delivery="exactly_once", outcomes=NOTHING_SENT)
    test = PipelineTest(config, executor=FakeExecutor(fixed_ns=MS), acknowledge_ns=MS)
    test.sink.fail_commits(times=2)
    for value in ({"x": 1}, b"{", {"x": 2}):
        test.send("ticks", value)
    test.run()
    assert audit(test, "exactly_once") == []


def test_what_is_done_behind_the_position_is_told_with_its_transaction() -> None:
    config = pipeline(delivery="exactly_once", outcomes=NOTHING_SENT, deadline=within("1s"))
    test = PipelineTest(config, executor=FakeExecutor(fixed_ns=50 * MS), acknowledge_ns=MS)
    for value in ({"x": 1}, b"{"):
        test.send("ticks", value)
    test.run()
    first, second = ledger_of(test)
    assert (first["start"], first["end"], first["outcomes"][0]["offsets"]) == (0, 0, "1")
    assert (second["start"], second["end"], second["outcomes"][0]["offsets"]) == (0, 2, "0")
    assert audit(test, "exactly_once") == []


def test_its_records_are_of_the_schema() -> None:
    test = PipelineTest(pipeline(outcomes=NOTHING_SENT), executor=FakeExecutor(fixed_ns=MS))
    for value in ({"x": 1}, b"{"):
        test.send("ticks", value)
    test.run()
    (record,) = ledger_of(test)
    assert list(record) == SCHEMA["required"] == list(SCHEMA["properties"])
    item = SCHEMA["properties"]["outcomes"]["items"]
    assert set(item["properties"]["outcome"]["enum"]) == {outcome.word for outcome in Outcome}
    for outcome in record["outcomes"]:
        assert set(item["required"]) <= set(outcome) <= set(item["properties"])
        assert re.fullmatch(item["properties"]["offsets"]["pattern"], outcome["offsets"])


@given(
    outcomes=st.lists(st.sampled_from([Outcome.ON_TIME, Outcome.SHED]), min_size=1, max_size=200),
    gap=st.integers(1, 3),
)
def test_offsets_come_back_from_many_records(outcomes: list[Outcome], gap: int) -> None:
    partitions = PartitionTable()
    partitions.assign({T0: 0})
    (partition,) = partitions.all()
    offset = np.arange(len(outcomes)) * gap
    partition.fetched(offset, int(offset[-1]) + 1)
    ledger = Ledger("ledger", "p", partitions)
    ordinals = np.arange(len(outcomes))
    is_shed = np.array([o is Outcome.SHED for o in outcomes])
    for outcome, rows in ((Outcome.SHED, is_shed), (Outcome.ON_TIME, ~is_shed)):
        if rows.any():
            ledger.note(partition, ordinals[rows], outcome, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamproc.engine.ledger._RUNS_MAX", 8)
        (records,) = ledger.records({T0: int(offset[-1]) + 1})
    found: dict[int, str] = {}
    end = 0
    for value in records.value:
        told = decode_ledger(value or b"")
        assert told.start == end
        end = told.end
        for some in told.outcomes:
            for part in some.offsets.split(","):
                first, _, last = part.partition("-")
                found |= dict.fromkeys(range(int(first), int(last or first) + 1), some.outcome)
    assert end == offset[-1] + 1
    assert found == {int(o): outcome.word for o, outcome in zip(offset, outcomes, strict=True)}
