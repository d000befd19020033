"""The teacher and its cheap variant, each of the ten people left out in turn: `ladder.json`.

    python -m replay.sensor.leave_one_out watch_activity.npz

For each person a teacher is trained on the nine others, cut and distilled on their windows, quantized, and both decide
that person's. The settings are those that were chosen on subjects 6 and 7. About half an hour of CPU.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from replay.sensor.dataset import cut, load
from replay.sensor.teacher import SCALING
from replay.sensor.train_teacher import trained
from streamproc.modeling.inference import run_in_batches
from streamproc.modeling.judging import Bootstrap, decisions, judge
from streamproc.modeling.quantizing import static_int8
from streamproc.modeling.techniques import CALIBRATION_EVENTS, Techniques, smaller
from streamproc.modeling.traffic import Events
from streamproc.modeling.training import Training

KEEP: Final = 0.5
TRAINING: Final = Training(epochs=10)
REPORT: Final = Path(__file__).with_name("ladder.json")


def main() -> None:
    """Leave out each person, and write what both models lose on them."""
    parser = argparse.ArgumentParser(description="Leave one person out.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    arguments = parser.parse_args()
    data = load(arguments.source)
    windows = cut(data)
    full, cheap = (np.zeros(len(windows.label), np.int64) for _ in range(2))
    techniques = Techniques(training=TRAINING, fixed=SCALING)
    subjects = tuple(np.unique(windows.subject).tolist())
    for subject in subjects:
        others = windows.of_subjects(tuple(one for one in subjects if one != subject))
        events = Events({"window": others.window}, others.recording)
        with threadpool_limits(limits=1):
            teacher = trained(others, len(data.label_names))
            small = smaller(teacher, KEEP, events, techniques)
        quantized = static_int8(small, events.first(CALIBRATION_EVENTS).inputs, reduced=True)
        rows = windows.subject == subject
        unseen = {"window": windows.window[rows]}
        full[rows] = decisions(run_in_batches(teacher, unseen))
        cheap[rows] = decisions(run_in_batches(quantized, unseen))
        print(subject, *(float((one[rows] == windows.label[rows]).mean()) for one in (full, cheap)))
    judged = judge(cheap, full, windows.label, Bootstrap.of(windows.subject))
    report: dict[str, Any] = {
        "keep": KEEP,
        "epochs": TRAINING.epochs,
        "intervals": "bootstrap of the 10 subjects",
        "teacher": round(float((full == windows.label).mean()), 4),
        "cheap": {
            "accuracy": judged.accuracy,
            "accuracy_95": judged.accuracy_95,
            "loss": judged.loss,
            "loss_95": judged.loss_95,
            "flips": judged.flips,
            "flips_95": judged.flips_95,
        },
        "by_subject": {
            str(one): [
                round(float((some == windows.label)[windows.subject == one].mean()), 4)
                for some in (full, cheap)
            ]
            for one in subjects
        },
    }
    text = json.dumps(report, indent=2) + "\n"
    REPORT.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
