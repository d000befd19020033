"""The harness on the virtual clock, and what it tells."""

from pathlib import Path

import numpy as np
import pytest

from streamproc.config import parse
from streamproc.core import ConfigError
from streamproc.executors import Model, PythonModel
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    VirtualClock,
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from tests.engine.pipelines import MS, pipeline

CONFIG = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float64}}}
features: [x]
deadline: {budget: 20ms}
model: {executor: {simulated: {fixed: 2ms, per_event: 1ms}}}
sink: {kafka: {topic: decisions}}
"""


def test_a_pipeline_in_virtual_time() -> None:
    clock = VirtualClock(0)
    test = PipelineTest(pipeline(), executor=FakeExecutor(fixed_ns=2 * MS), clock=clock)
    test.send("ticks", {"x": 1.5}, key="a", at_ns=5 * MS)
    test.send("ticks", {"x": "wrong"}, key="b", at_ns=5 * MS)

    result = test.run()

    (decision,) = result.decisions
    assert decision.output == [1.5]
    assert (decision.id, decision.key, decision.outcome) == ("ticks/0/0", "a", "on_time")
    assert (decision.event_time_ns, decision.decided_ns) == (5 * MS, 7 * MS)
    assert result.acknowledged_ns == {"ticks/0/0": 8 * MS}
    assert result.outcome_of("ticks/0/1") == "dead_letter"
    assert result.reason_of("ticks/0/1") == "wrong_type"
    assert result.dead_letters[0].detail.startswith("field 'x' must be float64")
    assert result.committed == {("ticks", 0): 2}
    assert result.summary["consumed"] == 2
    assert result.summary["duration_s"] == 0.008
    with pytest.raises(KeyError, match="ticks/0/9 has no outcome"):
        result.outcome_of("ticks/0/9")
    assert_accounts(result.accounts)
    assert_accounts(result.summary)
    assert_order(result.decisions)
    assert_no_on_time_after_deadline(result.decisions, result.acknowledged_ns)


def test_it_takes_a_file_or_a_loaded_text_and_the_simulated_cost(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(CONFIG)
    for config in (path, str(path), parse(CONFIG)):
        test = PipelineTest(config, acknowledge_ns=0)
        for _ in range(3):
            test.send("ticks", {"x": 1})
        result = test.run()
        assert [d.output for d in result.decisions] == [[0.0]] * 3
        assert result.summary["latency_ms"]["max"] == 5.0


def test_the_configurations_own_model_answers_at_a_set_cost() -> None:
    own = Model(executor=PythonModel(callable="tests.testing.test_pipeline_test:double"))
    test = PipelineTest(pipeline(model=own), acknowledge_ns=0)
    test.send("ticks", {"x": 2})
    result = test.run()
    assert result.decisions[0].output == [4.0]
    assert result.summary["latency_ms"]["max"] == pytest.approx(1.01, rel=0.01)


def double(inputs: dict[str, np.ndarray]) -> np.ndarray:
    return inputs["input"] * 2


def test_what_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="is no field"):
        PipelineTest(pipeline(features=("y",)))
    test = PipelineTest(pipeline())
    test.send("tocks", {"x": 1})
    with pytest.raises(ConfigError, match="topic tocks does not exist"):
        test.run()


def test_the_same_sends_give_the_same_bytes() -> None:
    def run() -> list[bytes | None]:
        test = PipelineTest(pipeline(), executor=FakeExecutor(per_event_ns=MS), partitions=3)
        for n in range(50):
            test.send("ticks", {"x": n}, key=f"k{n % 7}", at_ns=test.now_ns + n * MS // 3)
        return [d.record.value for d in test.run().decisions]

    assert run() == run()


def test_it_stops_at_an_instant_and_goes_on() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor(fixed_ns=2 * MS), clock=VirtualClock(0))
    test.send("ticks", {"x": 1})
    early = test.run(until_ns=1 * MS)
    assert (early.in_flight, early.summary["consumed"], test.now_ns) == (1, 0, 1 * MS)
    assert_accounts(early.accounts, in_flight=1)
    test.sink.hold()
    assert test.run().in_flight == 1
    test.sink.release()
    assert test.run().in_flight == 0


def test_partitions_that_are_taken_are_handed_back_and_read_again() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor(fixed_ns=2 * MS), clock=VirtualClock(0))
    test.send("ticks", {"x": 1}, at_ns=0)
    test.broker.skip("ticks")
    test.revoke(("ticks", 0), at_ns=1 * MS)
    test.send("ticks", {"x": 2}, at_ns=2 * MS)
    handed_back = test.run()
    assert handed_back.outcome_of("ticks/0/1") == "handed_back"
    assert handed_back.decisions == []

    test.assign(("ticks", 0))
    result = test.run()

    assert [o.outcome for o in result.final["ticks/0/1"]] == ["handed_back", "on_time"]
    assert result.outcome_of("ticks/0/2") == "on_time"
    assert result.summary["handed_back"] == 1
    assert result.committed == {("ticks", 0): 3}
    assert_accounts(result.accounts)
