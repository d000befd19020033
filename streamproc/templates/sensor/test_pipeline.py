"""The pipeline without Kafka and without waiting: `pytest`."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from send_windows import made_samples, windows

from streamproc.testing import PipelineTest

CONFIG = Path(__file__).parent / "pipeline.yaml"
EXERCISES = {"PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"}


def test_every_window_gets_a_decision() -> None:
    pipeline = PipelineTest(CONFIG)
    for value in islice(windows(made_samples()), 3):
        pipeline.send("windows", value, key="watch-1")

    result = pipeline.run()

    assert result.summary["outcomes"]["on_time"] == 3
    for decision in result.decisions:
        assert decision.key == "watch-1"
        assert decision.output["label"] in EXERCISES
        assert abs(sum(decision.output["scores"]) - 1) < 1e-3


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((99, 6), "<f4"), "wrong_length"),
        (np.full((100, 6), np.nan, "<f4"), "not_finite"),
    ],
)
def test_a_broken_window_becomes_a_dead_letter(value: np.ndarray, reason: str) -> None:
    pipeline = PipelineTest(CONFIG)
    pipeline.send("windows", value.tobytes(), key="watch-1")
    pipeline.send("windows", next(windows(made_samples())), key="watch-1")

    result = pipeline.run()

    assert result.summary["outcomes"]["on_time"] == 1
    assert result.summary["outcomes"]["dead_letter"] == 1
    assert result.dead_letters[0].reason == reason
