"""Variants of a model: which one decides, and what its decisions say."""

from collections import Counter
from typing import Any

import pytest

from streamproc.core import ConfigError, Duration, Outcome, TensorSpec
from streamproc.engine import Output
from streamproc.executors import Model, ModelVariant, Simulated
from streamproc.scheduling import Batching
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    assert_accounts,
    assert_no_on_time_after_deadline,
)
from tests.engine.pipelines import MS, pipeline, within


def simulated(fixed: str, per_event: str) -> Simulated:
    return Simulated(fixed=Duration.parse(fixed), per_event=Duration.parse(per_event))


FULL = ModelVariant("full", quality=1.0, executor=simulated("10ms", "1ms"))
SMALL = ModelVariant("small", quality=0.9, executor=simulated("1ms", "50us"))


def made(*executor: FakeExecutor, **changes: Any) -> PipelineTest:
    parts: dict[str, Any] = {
        "model": Model(variants=(FULL, SMALL)),
        "batching": Batching(max_size=64),
    }
    return PipelineTest(pipeline(**(parts | changes)), executor=list(executor) or None)


def test_in_quiet_times_the_best_one_decides() -> None:
    test = made()
    start_ns = test.now_ns
    for n in range(20):
        test.send("ticks", {"x": n}, at_ns=start_ns + n * 20 * MS)
    result = test.run()
    assert {(d.outcome, d.model["variant"]) for d in result.decisions} == {("on_time", "full")}


def test_under_load_a_cheaper_one_decides_and_says_so() -> None:
    test = made()
    start_ns = test.now_ns
    for n in range(6_000):  # 2,000/s for 3 s: twice what the full one can do
        test.send("ticks", {"x": n}, at_ns=start_ns + n * MS // 2)
    for n in range(600):  # 100/s for 6 s
        test.send("ticks", {"x": n}, at_ns=start_ns + 3_000 * MS + n * 10 * MS)
    result = test.run()
    assert_accounts(result.summary)
    assert_no_on_time_after_deadline(
        result.decisions, result.acknowledged_ns, acked_late=result.accounts.acked_late
    )
    outcomes = result.summary["outcomes"]
    assert outcomes["degraded"] > 5_000
    assert outcomes["on_time"] + outcomes["degraded"] > 0.95 * 6_600
    by = Counter((d.outcome, d.model["variant"]) for d in result.decisions)
    assert by.keys() <= {
        ("on_time", "full"),
        ("degraded", "small"),
        ("late", "full"),
        ("late", "small"),
    }
    last = [d.outcome for d in result.decisions if d.event_time_ns >= start_ns + 5_000 * MS]
    assert last == ["on_time"] * 400
    sent = {dict(d.record.headers)["streamproc-outcome"] for d in result.decisions}
    assert {b"on_time", b"degraded"} <= sent


def test_each_variant_runs_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.scheduling.Scheduler._choose", lambda *_: 1)
    full = FakeExecutor(lambda inputs: inputs["input"], fixed_ns=MS)
    small = FakeExecutor(lambda inputs: -inputs["input"], fixed_ns=MS, variant="small")
    test = made(full, small)
    test.send("ticks", {"x": 7})
    result = test.run()
    (decision,) = result.decisions
    assert (decision.outcome, decision.output, decision.model["variant"]) == (
        "degraded",
        [-7.0],
        "small",
    )
    assert result.accounts.settled == {(Outcome.DEGRADED, ""): 1}


def test_a_degraded_decision_can_be_late_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.scheduling.Scheduler._choose", lambda *_: 1)
    small = FakeExecutor(fixed_ns=MS, variant="small")
    test = made(FakeExecutor(fixed_ns=MS), small, deadline=within("50ms"))
    small.slow_down(fixed_ns=200 * MS)
    test.send("ticks", {"x": 7})
    (decision,) = test.run().decisions
    assert (decision.outcome, decision.model["variant"]) == ("late", "small")


def test_labels_must_fit_every_variant() -> None:
    def scores(count: int, variant: str) -> FakeExecutor:
        return FakeExecutor(outputs=[TensorSpec("y", "float32", (count,))], variant=variant)

    output = Output(labels=("down", "up"))
    made(scores(2, "full"), scores(2, "small"), output=output)
    with pytest.raises(ConfigError, match="2 labels, but the model's output 'y' has"):
        made(scores(2, "full"), scores(3, "small"), output=output)
