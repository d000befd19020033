"""Train the sensor demo's teacher: `teacher.onnx`, and `teacher.json`, what it scores on people it has not seen.

    python -m replay.sensor.train_teacher watch_activity.npz

Two CPU minutes; needs `pip install 'streamproc[distill]'`. The weights are kept in half precision, which halves the
file; they are computed with in single precision.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from replay.sensor.dataset import TEST_SUBJECTS, TRAIN_SUBJECTS, Windows, cut, load
from replay.sensor.scoring import Groups, interval
from replay.sensor.teacher import SCALING, otherwise_worn, untrained
from streamproc.modeling.graphs import packed, parameters_total
from streamproc.modeling.training import Training, fit

TRAINING: Final = Training(epochs=12, batch_size=64, rate=1e-3, seed=0)
MODEL: Final = Path(__file__).with_name("teacher.onnx")
REPORT: Final = Path(__file__).with_name("teacher.json")


def trained(windows: Windows, classes: int) -> Any:  # noqa: ANN401 - an ONNX model
    """The teacher of some people's windows."""
    generator = np.random.default_rng(TRAINING.seed)
    model = untrained(windows.window, classes, generator)
    targets = np.eye(classes, dtype=np.float32)[windows.label]
    return fit(model, windows.window, targets, TRAINING, fixed=SCALING, augment=otherwise_worn)


def right(content: bytes, windows: Windows) -> Any:  # noqa: ANN401 - bool [n]
    """Which windows the model calls by their names."""
    session = onnxruntime.InferenceSession(content)
    (probabilities,) = session.run(["probabilities"], {"window": windows.window})
    return probabilities.argmax(axis=1) == windows.label


def main() -> None:
    """Train on subjects 1-7, test on 8-10, and write both."""
    parser = argparse.ArgumentParser(description="Train the sensor demo's teacher.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    arguments = parser.parse_args()
    data = load(arguments.source)
    windows = cut(data)
    train, test = windows.of_subjects(TRAIN_SUBJECTS), windows.of_subjects(TEST_SUBJECTS)
    with threadpool_limits(limits=1):
        model = trained(train, len(data.label_names))
    content = packed(model).SerializeToString()
    hits = right(content, test)
    groups = Groups.draw(test.recording, np.random.default_rng(TRAINING.seed))
    accuracy, draws = groups.accuracy(hits)
    report = {
        "weights": parameters_total(model),
        "bytes": len(content),
        "epochs": TRAINING.epochs,
        "train": {"subjects": TRAIN_SUBJECTS, "windows": len(train.label)},
        "test": {
            "subjects": TEST_SUBJECTS,
            "windows": len(test.label),
            "accuracy": round(accuracy, 4),
            "interval_95": interval(draws),
            "intervals": "bootstrap of the 42 recordings",
        },
    }
    MODEL.write_bytes(content)
    text = json.dumps(report, indent=2) + "\n"
    REPORT.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
