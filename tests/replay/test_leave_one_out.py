"""The report of the teacher's ladder, each person left out: its arithmetic, and what is committed of it."""

import json

import numpy as np

from replay.sensor.dataset import Windows
from replay.sensor.leave_one_out import TEACHER, report_of
from streamproc.cli.assets import asset


def test_each_persons_windows_are_decided_by_the_models_made_without_them() -> None:
    label = np.array([0, 1, 0, 1, 1, 1])
    subject = np.array([2, 1, 2, 1, 1, 2])
    windows = Windows(np.zeros((6, 100, 6), np.float32), label, subject, subject)
    decided = {
        "2": {TEACHER: [0, 0, 0], "cheap": [0, 1, 1]},
        "1": {TEACHER: [1, 1, 0], "cheap": [1, 0, 0]},
    }
    models = report_of(decided, windows)["models"]
    assert models[TEACHER]["accuracy"] == round(4 / 6, 4)
    assert models[TEACHER]["loss"] == 0
    assert models["cheap"]["accuracy"] == round(3 / 6, 4)
    assert models["cheap"]["loss"] == round(1 / 6, 4)
    assert models["cheap"]["flips"] == round(3 / 6, 4)
    assert models["cheap"]["accuracy_by_subject"] == {"1": round(1 / 3, 4), "2": round(2 / 3, 4)}


def test_what_is_committed_is_of_all_ten_people() -> None:
    found = json.loads(asset("replay", "sensor", "ladder.json").read_text("utf-8"))
    assert found["windows"] == 4_677
    for model in found["models"].values():
        assert len(model["accuracy_by_subject"]) == 10
        assert model["loss_95"][0] <= model["loss"] <= model["loss_95"][1]
