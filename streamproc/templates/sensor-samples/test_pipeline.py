"""The pipeline without Kafka and without waiting: `pytest`."""

from itertools import islice
from pathlib import Path

from send_samples import made_samples

from streamproc.testing import PipelineTest

CONFIG = Path(__file__).parent / "pipeline.yaml"
EXERCISES = {"PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"}
PERIOD_NS = 20_000_000


def after(count: int) -> PipelineTest:
    """A pipeline to which a watch sends so many samples, as they are taken."""
    pipeline = PipelineTest(CONFIG)
    for number, sample in enumerate(islice(made_samples(), count)):
        at_ns = pipeline.now_ns + number * PERIOD_NS
        pipeline.send("samples", sample, key="watch-1", at_ns=at_ns)
    return pipeline


def test_there_is_a_decision_a_second_once_two_seconds_are_there() -> None:
    result = after(5 * 50).run()

    outcomes = result.summary["outcomes"]
    assert outcomes["on_time"] in (3, 4)  # as the seconds lie
    assert outcomes["on_time"] + outcomes["absorbed"] == 250
    for decision in result.decisions:
        assert decision.key == "watch-1"
        assert decision.output["label"] in EXERCISES
        assert abs(sum(decision.output["scores"]) - 1) < 1e-3


def test_a_broken_sample_becomes_a_dead_letter() -> None:
    pipeline = after(0)
    pipeline.send("samples", {"sample": [0.0] * 5}, key="watch-1")

    result = pipeline.run()

    assert result.summary["outcomes"]["dead_letter"] == 1
    assert result.dead_letters[0].reason == "wrong_length"
