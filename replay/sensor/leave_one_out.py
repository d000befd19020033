"""The teacher and its cheap variants, each of the ten people left out in turn: `ladder.json`.

    python -m replay.sensor.leave_one_out watch_activity.npz decided.json [--only 3]

For each person a teacher is trained on the nine others, quantized, cut and distilled on their windows, and all decide
that person's. The settings are those that were chosen on subjects 6 and 7. Three CPU minutes or more a person: what
each model decided is kept in `decided.json`, and people that are in it already are not trained for again.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from replay.sensor.dataset import IntArray, Windows, cut, load
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
TEACHER: Final = "full"
REPORT: Final = Path(__file__).with_name("ladder.json")

Decided = dict[str, dict[str, list[int]]]
"""By person, by model: the class of each of the person's windows, in their order."""


def decided_of(subject: int, windows: Windows, subjects: tuple[int, ...]) -> dict[str, list[int]]:
    """Train on all but one person, and let every model decide that one's windows."""
    others = windows.of_subjects(tuple(one for one in subjects if one != subject))
    unseen = windows.of_subjects((subject,))
    events = Events({"window": others.window}, others.recording)
    calibration = events.first(CALIBRATION_EVENTS).inputs
    techniques = Techniques(training=TRAINING, fixed=SCALING)
    with threadpool_limits(limits=1):
        teacher = trained(others, int(windows.label.max()) + 1)
        small = smaller(teacher, KEEP, events, techniques)
    pruned = f"pruned to {KEEP:.0%}"
    models = {
        TEACHER: teacher,
        "INT8, static, 7 bits": static_int8(teacher, calibration, reduced=True),
        pruned: small,
        f"{pruned} + INT8, static, 7 bits": static_int8(small, calibration, reduced=True),
    }
    return {
        name: decisions(run_in_batches(model, {"window": unseen.window})).tolist()
        for name, model in models.items()
    }


def report_of(decided: Decided, windows: Windows) -> dict[str, Any]:
    """What each model gets right, and what it loses of the teacher's accuracy."""
    subjects = sorted(decided, key=int)
    bootstrap = Bootstrap.of(windows.subject)
    rows: dict[str, IntArray] = {}
    for name in decided[subjects[0]]:
        rows[name] = np.zeros(len(windows.label), np.int64)
        for subject in subjects:
            rows[name][windows.subject == int(subject)] = decided[subject][name]
    models: dict[str, Any] = {}
    for name, called in rows.items():
        judged = judge(called, rows[TEACHER], windows.label, bootstrap)
        right = called == windows.label
        models[name] = {
            "accuracy": _rounded(judged.accuracy),
            "accuracy_95": _rounded(judged.accuracy_95),
            "loss": _rounded(judged.loss),
            "loss_95": _rounded(judged.loss_95),
            "flips": _rounded(judged.flips),
            "flips_95": _rounded(judged.flips_95),
            "accuracy_by_subject": {
                subject: _rounded(float(right[windows.subject == int(subject)].mean()))
                for subject in subjects
            },
        }
    return {
        "keep": KEEP,
        "epochs": TRAINING.epochs,
        "windows": len(windows.label),
        "intervals": f"bootstrap of the {len(subjects)} subjects",
        "models": models,
    }


def _rounded(value: Any) -> Any:  # noqa: ANN401 - a number, or an interval of two
    return None if value is None else np.round(value, 4).tolist()


def main() -> None:
    """Leave out each person that is not in the file yet; with all of them there, write the report."""
    parser = argparse.ArgumentParser(description="Leave one person out.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    parser.add_argument("decided", type=Path, help="what was decided so far (.json); made if new")
    parser.add_argument("--only", type=int, metavar="SUBJECT", help="leave out this one alone")
    arguments = parser.parse_args()
    windows = cut(load(arguments.source))
    subjects = tuple(np.unique(windows.subject).tolist())
    path = arguments.decided
    decided: Decided = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for subject in subjects if arguments.only is None else (arguments.only,):
        if str(subject) in decided:
            continue
        decided[str(subject)] = decided_of(subject, windows, subjects)
        path.write_text(json.dumps(decided), encoding="utf-8")
        print(f"subject {subject} is decided")
    if len(decided) < len(subjects):
        print(f"{len(decided)} of {len(subjects)} subjects are decided; the report needs all")
        return
    text = json.dumps(report_of(decided, windows), indent=2) + "\n"
    REPORT.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
