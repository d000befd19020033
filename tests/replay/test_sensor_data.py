"""The sensor recording, its model and its template agree with the scripts that made them."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from streamproc.cli.assets import asset, template
from streamproc.core import Columns, VirtualClock
from streamproc.executors import Model, load_executors
from streamproc.replay import SignalRecording
from streamproc.testing import PipelineTest

RECORDING = SignalRecording(asset("replay", "sensor", "exercises.npz"))
TEMPLATE = template("sensor")
MODEL = TEMPLATE / "models" / "activity.onnx"
GOLDEN: list[dict[str, Any]] = json.loads(asset("replay", "sensor", "golden.json").read_text())
REPORT: dict[str, Any] = json.loads(asset("replay", "sensor", "report.json").read_text())
LABELS = ["PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"]


def test_the_recording_is_the_one_that_was_made() -> None:
    events, stamps = list(RECORDING.events()), RECORDING.timestamp_ns()
    assert len(events) == len(stamps) == REPORT["test"]["windows"] == 1484
    assert len({event.key for event in events}) == REPORT["test"]["recordings"] == 42
    step = RECORDING.signals().scale
    for golden in GOLDEN:
        event = events[golden["event"]]
        assert event.key == golden["key"].encode()
        assert stamps[golden["event"]] == golden["timestamp_ns"]
        assert hashlib.sha256(event.value).hexdigest() == golden["value_sha256"]
        window = np.frombuffer(event.value, "<f4").reshape(100, 6)
        off = np.abs(window[[0, -1]] - np.array(golden["source_rows"]))
        assert np.all(off <= step / 2 + 1e-6)


def test_every_key_has_a_window_a_second() -> None:
    source, _, last_ns = RECORDING.signals().windows()
    for one in np.unique(source):
        assert set(np.diff(last_ns[source == one]).tolist()) == {1_000_000_000}


def probabilities() -> Columns:
    (executor,) = load_executors(Model(path=str(MODEL)), VirtualClock())
    windows = [np.frombuffer(event.value, "<f4") for event in RECORDING.events()]
    window = np.stack(windows).reshape(-1, 100, 6)
    answers = [executor.run({"window": part}) for part in np.array_split(window, 40)]
    executor.close()
    return {"probabilities": np.concatenate([answer["probabilities"] for answer in answers])}


def test_the_models_accuracy_is_the_reports() -> None:
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() == REPORT["onnx_sha256"]
    keys = [(event.key or b"").decode() for event in RECORDING.events()]
    truth = [LABELS.index(key.rpartition("-")[2]) for key in keys]
    right = probabilities()["probabilities"].argmax(axis=1) == np.array(truth)
    # Another processor's last bits may change a call or two.
    assert right.mean() == pytest.approx(REPORT["recorded_as_int16"]["accuracy"], abs=0.002)


def test_the_pipeline_decides_as_the_script_says() -> None:
    events = list(RECORDING.events())
    pipeline = PipelineTest(TEMPLATE / "pipeline.yaml")
    for golden in GOLDEN:
        event = events[golden["event"]]
        pipeline.send("windows", event.value, key=event.key)

    result = pipeline.run()

    assert len(result.decisions) == len(GOLDEN)
    for decision, golden in zip(result.decisions, GOLDEN, strict=True):
        assert decision.key == golden["key"]
        assert decision.output["label"] == LABELS[int(np.argmax(golden["probabilities"]))]
        assert decision.output["scores"] == pytest.approx(golden["probabilities"], abs=1e-3)
