"""``profile`` of a recording through a pipeline, of what runs, and of what it cannot look at."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from streamproc.cli import main
from tests.cli.test_replay import CONFIG, record
from tests.executors.conftest import MakeModel, linear, make_model

__all__ = ["make_model"]

MODEL = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
deadline: {budget: 50ms}
lanes: [{name: high, when: x > 50, priority: 0, share: 0.5}]
features: {python: "profiled_features:three"}
model: {path: model.onnx}
sink: {kafka: {topic: decisions}}
"""
FEATURES = """
import numpy as np

def three(batch):
    return np.stack([batch["x"]] * 3, axis=1)
"""
EVENTS = 600

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "day.mcap", EVENTS // 2)
    return tmp_path


def test_a_recording_through_a_pipeline(
    make_model: MakeModel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(linear("batch"))
    (folder / "profiled_features.py").write_text(FEATURES)
    (folder / "pipeline.yaml").write_text(MODEL)
    code = main(["profile", "pipeline.yaml", "--capture", "day.mcap", "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.out + captured.err
    found = json.loads(captured.out)
    assert found["events"] == EVENTS
    stages = {stage["stage"]: stage["share"] for stage in found["stages"]}
    assert {"decode", "features", "infer", "schedule", "encode"} <= stages.keys()
    assert sum(stages.values()) == pytest.approx(1, abs=0.01)
    assert {lane: way["events"] for lane, way in found["lanes"].items()}.keys() == {
        "high",
        "default",
    }
    assert sum(way["events"] for way in found["lanes"].values()) == EVENTS
    assert {node["op"] for node in found["operators"]} == {"Gemm"}
    page = (folder / "streamproc-profile.html").read_text()
    assert "By operator of the model" in page
    assert "<script" not in page


def test_python_of_a_process_that_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of ourselves: we wait in ``profile``; where it is not allowed, that is said."""
    code = main(
        [
            "profile",
            str(os.getpid()),
            "--duration",
            "1s",
            "--rate",
            "50",
            "--json",
            "--out",
            "p.html",
        ]
    )
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["stages"] == []
    assert (folder / "p.html").exists()
    assert found["python"]["samples"] or "py-spy could not look at" in found["notes"][0]


def test_without_py_spy_the_rest_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    (folder / "pipeline.yaml").write_text(CONFIG)
    assert main(["profile", "pipeline.yaml", "--capture", "day.mcap"]) == 0
    captured = capsys.readouterr()
    assert "pip install 'streamproc[profile]'" in captured.err
    assert "decode" in captured.out
    assert "streamproc-profile.html" in captured.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.onnx"], "model.onnx cannot be read"),
        (["pipeline.yaml"], "needs --capture"),
        (["127.0.0.1:1", "--capture", "day.mcap"], "goes with a configuration"),
        (["127.0.0.1:1"], "does not answer"),
    ],
)
def test_what_cannot_be_profiled(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *words]) == 2
    assert said in capsys.readouterr().err
