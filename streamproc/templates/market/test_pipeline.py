"""The pipeline without Kafka and without waiting: `pytest`."""

from pathlib import Path
from typing import Any

from streamproc.testing import PipelineTest

CONFIG = Path(__file__).parent / "pipeline.yaml"


def tick(**changes: object) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "kind": "book", "f": [0.1] * 24} | changes


def test_every_tick_gets_a_decision() -> None:
    pipeline = PipelineTest(CONFIG)
    for _ in range(3):
        pipeline.send("ticks", tick(), key="BTCUSDT")

    result = pipeline.run()

    assert result.summary["outcomes"]["on_time"] == 3
    for decision in result.decisions:
        output = decision.output
        assert isinstance(output, dict)
        assert output["label"] in ("down", "flat", "up")
        assert abs(sum(output["scores"]) - 1) < 1e-3


def test_a_broken_tick_becomes_a_dead_letter() -> None:
    pipeline = PipelineTest(CONFIG)
    pipeline.send("ticks", tick(f=[0.1] * 23), key="BTCUSDT")
    pipeline.send("ticks", tick(), key="BTCUSDT")

    result = pipeline.run()

    assert result.summary["outcomes"]["on_time"] == 1
    assert result.summary["outcomes"]["dead_letter"] == 1
    assert result.dead_letters[0].reason == "wrong_length"
