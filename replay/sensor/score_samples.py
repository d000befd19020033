"""How often the template `sensor-samples` is right on the recording, played sample by sample: `report_samples.json`.

    python -m replay.sensor.score_samples

The windows are cut by the pipeline, once a second of its clock: they lie between those that `report.json` is about. The truth is the exercise in the key.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from replay.sensor.dataset import Float32Array, IntArray
from replay.sensor.network import run_onnx
from replay.sensor.scoring import Groups, interval
from streamproc.config import load
from streamproc.core import Duration
from streamproc.replay.scenario import Scenario
from streamproc.replay.scenario.recorded_batches import read_batches
from streamproc.replay.training import FeatureRows, features_of
from streamproc.runtime import Pipeline

TEMPLATE: Final = Path("streamproc/templates/sensor-samples")
RECORDING: Final = Path("replay/sensor/exercises.npz#samples")
REPORT: Final = Path(__file__).with_name("report_samples.json")
EXERCISES: Final = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
FETCH: Final = Duration.parse("100ms")
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """What the pipeline cut out of the samples.

    Attributes:
        key: text [n], whose window each is.
        time_ns: int64 [n], when its last sample was taken.
        window: float32 [n, 100, 6].
    """

    key: list[str]
    time_ns: IntArray
    window: Float32Array


def cut() -> Cut:
    """Play all samples through the pipeline's features."""
    scenario = Scenario(name="samples", recording="", config="", fetch=FETCH)
    batches = read_batches(RECORDING, scenario, ("samples",))
    rows: list[FeatureRows] = []
    pipeline = Pipeline.from_file(load(TEMPLATE / "pipeline.yaml", environ={}))
    features_of(pipeline, lambda: batches, rows.append)
    return Cut(
        [key.decode() for made in rows for key in made.events.key.tolist()],
        np.concatenate([made.events.event_time_ns for made in rows]),
        np.concatenate([made.events.inputs["window"] for made in rows]),
    )


def report_of(made: Cut) -> dict[str, Any]:
    """How many windows there are, and how many of them the model calls by their names."""
    probabilities = run_onnx((TEMPLATE / "models" / "activity.onnx").read_bytes(), made.window)
    truth = np.array([EXERCISES.index(key.rpartition("-")[2]) for key in made.key])
    right = probabilities.argmax(axis=1) == truth
    _, recording = np.unique(made.key, return_inverse=True)
    accuracy, draws = Groups.draw(recording, np.random.default_rng(SEED)).accuracy(right)
    return {
        "windows": len(truth),
        "recordings": len(set(made.key)),
        "accuracy": round(accuracy, 4),
        "interval_95": interval(draws),
        "intervals": "bootstrap of the 42 recordings",
    }


if __name__ == "__main__":
    text = json.dumps(report_of(cut()), indent=2) + "\n"
    REPORT.write_text(text, encoding="utf-8")
    print(text, end="")
