"""The sensor recording's cascade: how its condition is chosen, and the way of the recording through it."""

import numpy as np
import pytest

from replay.sensor.cascade import HERE, play, threshold
from streamproc.cli.assets import template

MARGIN = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
AGREE = np.array([False, True, False, True, True, False, True, True])


@pytest.mark.parametrize(("wanted", "least"), [(1.0, 0.6), (0.875, 0.3), (0.75, 0.1), (0.5, 0.0)])
def test_no_more_is_asked_than_is_needed(wanted: float, least: float) -> None:
    found = threshold(MARGIN, AGREE, wanted)
    assert found == pytest.approx(least)
    asked = found > MARGIN
    assert (asked | AGREE).mean() >= wanted
    assert not found or (found > MARGIN).sum() == (least >= MARGIN).sum()


def test_the_recording_is_answered_by_both_and_the_teacher_has_the_last_word() -> None:
    """The template's own model as the student, at made-up costs: no time is measured here."""
    student = template("sensor") / "models" / "activity.onnx"
    files = {"teacher": str(HERE / "teacher.onnx"), "student": str(student)}
    costs = {"teacher": (0, 300_000), "student": (20_000, 50_000)}
    alone = play(files, costs, unsure=None, speed=20.0, count=200)
    cascade = play(files, costs, unsure="margin < 0.5", speed=20.0, count=200)
    everybody = play(files, costs, unsure="margin < 2", speed=1.0, count=200)
    assert alone["in_time"] == cascade["in_time"] == 1.0
    assert cascade["outcomes"] == {"on_time": 200}
    assert 0.05 < cascade["asked"] < 0.5
    assert cascade["busy_ms"] < 0.7 * alone["busy_ms"]
    assert everybody["labels"] == alone["labels"]
