"""Records that hold several events: each row is decided, shed or rejected by itself, and all add up."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import ArrowCodec, ArrowDecisions, JsonDecisions
from streamproc.codecs.arrow import arrow_record
from streamproc.core import NS_PER_MS, Columns, EventBatch, object_column
from streamproc.engine import EventTime, Outcomes, PythonFunction
from streamproc.executors import Model, Simulated
from streamproc.telemetry import Metrics, Telemetry, Traces
from streamproc.testing import PipelineTest
from tests.engine.pipelines import MS, decide_at_length, pipeline, reference_to, within

BOTH = pytest.mark.parametrize("decisions", [JsonDecisions(), ArrowDecisions()])


def made(**changes: Any) -> PipelineTest:
    parts: dict[str, Any] = {
        "codec": ArrowCodec(fields={"x": "float64", "ts": "int64", "who": "str"}),
        "outcomes": Outcomes(shed_topic="p.shed"),
    }
    return PipelineTest(pipeline(**(parts | changes)))


def rows(*x: float, ts_ns: int = 0) -> bytes:
    count = len(x)
    return arrow_record(
        {
            "x": np.array(x, float),
            "ts": np.full(count, ts_ns),
            "who": object_column([f"w{n % 2}" for n in range(count)]),
        }
    )


@BOTH
def test_each_row_is_an_event_with_its_own_decision(decisions: Any) -> None:
    test = made(decisions=decisions, key="who")
    test.send("ticks", rows(1, 2, 3), key="k")
    test.send("ticks", rows(4))
    result = test.run()
    assert [d.id for d in result.decisions] == [
        *("ticks/0/0/0", "ticks/0/0/1", "ticks/0/0/2", "ticks/0/1/0"),
    ]
    assert [d.key for d in result.decisions] == ["w0", "w1", "w0", "w0"]
    assert result.summary["consumed"] == 4
    assert result.committed == {("ticks", 0): 2}
    assert set(result.final) == {d.id for d in result.decisions}


def test_columnar_decisions_are_one_record_a_batch_and_partition() -> None:
    test = made(decisions=ArrowDecisions())
    test.send("ticks", rows(*range(200)), key="k")
    result = test.run()
    records = {d.record.offset for d in result.decisions}
    assert len(result.decisions) == 200
    assert len(records) == 1
    assert result.decisions[0].record.key is None
    assert dict(result.decisions[0].record.headers)["streamproc-outcome"] == b"on_time"


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@BOTH
def test_a_traceparent_of_any_bytes_breaks_no_batch(decisions: Any, ratio: float) -> None:
    telemetry = Telemetry(metrics=Metrics(listen=None), traces=Traces(ratio=ratio))
    test = made(decisions=decisions, telemetry=telemetry)
    good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for value in (b"\xff\xfe", b"\xff" * 55, b"", good):
        test.send("ticks", rows(1, 2), headers={"traceparent": value})
    result = test.run()
    assert Counter(result.summary["outcomes"])["on_time"] == 8


def test_columns_carry_on_the_contexts_that_are_one() -> None:
    test = made(decisions=ArrowDecisions())
    good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for value in (b"\xff\xfe", good):
        test.send("ticks", rows(1), headers={"traceparent": value})
    (record,) = {d.record.offset: d.record for d in test.run().decisions}.values()
    table = pa.ipc.open_stream(record.value).read_all()
    assert table["traceparent"].to_pylist() == [None, good.decode()]


def test_a_row_that_does_not_fit_leaves_the_others_alone() -> None:
    test = made()
    test.send("ticks", rows(1, float("nan"), 3, float("inf")), key="k", headers={"h": "1"})
    result = test.run()
    assert [d.id for d in result.decisions] == ["ticks/0/0/0", "ticks/0/0/2"]
    (letter,) = result.dead_letters
    headers = dict(letter.record.headers)
    assert (letter.id, headers["streamproc-rows"], headers["h"]) == ("ticks/0/0", b"1,3", b"1")
    assert letter.record.value == rows(1, float("nan"), 3, float("inf"))
    assert result.summary["outcomes"]["dead_letter"] == 2
    assert result.summary["reasons"] == {"not_finite": 2}
    assert result.committed == {("ticks", 0): 1}


def test_a_record_that_is_none_is_one_dead_letter() -> None:
    test = made()
    test.send("ticks", b"rubbish")
    result = test.run()
    assert result.summary["outcomes"]["dead_letter"] == 1
    assert "streamproc-rows" not in dict(result.dead_letters[0].record.headers)
    assert result.committed == {("ticks", 0): 1}


def test_rows_that_are_too_late_are_shed_together() -> None:
    test = made(event_time=EventTime(field="ts", unit="ns"), deadline=within("50ms"))
    value = arrow_record(
        {
            "x": np.arange(6.0),
            "ts": test.now_ns - np.array([0, 900, 900, 900, 0, 900]) * MS,
            "who": object_column(["w"] * 6),
        }
    )
    test.send("ticks", value)
    result = test.run()
    assert [d.id for d in result.decisions] == ["ticks/0/0/0", "ticks/0/0/4"]
    named = [dict(letter.record.headers)["streamproc-rows"] for letter in result.shed]
    assert sorted(named) == [b"1-3,5"]
    assert result.summary["reasons"] == {"expired": 4}


def test_a_columnar_record_that_is_too_large_is_cut() -> None:
    decide = PythonFunction(python=reference_to(decide_at_length))
    test = made(decisions=ArrowDecisions(), output=decide)
    test.send("ticks", rows(*[200_000.0] * 16, 5_000_000.0))
    result = test.run()
    assert len(result.decisions) == 16
    assert len({d.record.offset for d in result.decisions}) > 1
    (letter,) = result.dead_letters
    assert dict(letter.record.headers)["streamproc-rows"] == b"16"
    assert letter.reason == "too_large"


def test_a_revoke_hands_back_the_rows_that_are_open() -> None:
    slow = Model(executor=Simulated())
    test = made(model=slow)
    test.send("ticks", rows(*range(300)))
    test.revoke(("ticks", 0), at_ns=test.now_ns + 1)
    result = test.run()
    accounts = result.accounts
    assert accounts.fetched == 300
    assert accounts.fetched == accounts.consumed + accounts.handed_back


def fails_at_seven(batch: EventBatch) -> Any:
    if (batch["x"] == 7).any():
        msg = "seven"
        raise ValueError(msg)
    return batch["x"][:, np.newaxis]


def decides_not_at_five(batch: EventBatch, outputs: Columns) -> list[object]:
    if (batch["x"] == 5).any():
        msg = "five"
        raise ValueError(msg)
    return [x for x in batch["x"].tolist()]  # noqa: C416 - a list of floats, not an array


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 5.0, 7.0, float("nan")]), max_size=6), max_size=8
    ),
    columnar=st.booleans(),
    late=st.booleans(),
)
def test_every_row_has_one_outcome_whatever_happens(
    records: list[list[float]], columnar: bool, late: bool
) -> None:
    test = made(
        decisions=ArrowDecisions() if columnar else JsonDecisions(),
        features=PythonFunction(python=f"{__name__}:fails_at_seven"),
        output=PythonFunction(python=f"{__name__}:decides_not_at_five"),
        event_time=EventTime(field="ts", unit="ns"),
        deadline=within("50ms"),
    )
    for number, values in enumerate(records):
        age_ns = 60 * NS_PER_MS if late and number % 2 else 0
        test.send("ticks", rows(*values, ts_ns=test.now_ns - age_ns))
    result = test.run()
    held = [max(1, len(values)) for values in records]
    assert result.summary["consumed"] == sum(held)
    assert result.in_flight == 0
    assert all(len(outcomes) == 1 for outcomes in result.final.values())
    per_record = Counter(event.split("/")[2] for event in result.final)
    assert per_record == {str(n): count for n, count in enumerate(held)}
    if records:
        assert result.committed == {("ticks", 0): len(records)}
