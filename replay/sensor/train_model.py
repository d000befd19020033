"""Train the sensor demo's model, write it as ONNX and report its accuracy on people it has not seen.

    python -m replay.sensor.train_model WATCH_ACTIVITY_NPZ streamproc/templates/sensor/models/activity.onnx

The task, for each window of 2 s: which of the seven exercises is it? The model is trained on subjects 1-7 and
tested on 8-10, the recording of the demo. `report.json`, beside this file, gets the figures, the simple rules beside
them, and what the same training gives when each of the ten subjects is left out in turn.

The same machine and versions give the same bytes. Another kind of CPU may not: the last bits of its sums can differ.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from replay.sensor.dataset import (
    TEST_SUBJECTS,
    TRAIN_SUBJECTS,
    Float32Array,
    Float64Array,
    IntArray,
    Windows,
    cut,
    load,
)
from replay.sensor.make_recording import STEP
from replay.sensor.network import (
    DILATIONS,
    KERNELS,
    RAMP,
    TAPS,
    Layer,
    as_onnx,
    draw_kernels,
    features_onnx,
    run_onnx,
)
from replay.sensor.scoring import DRAWS, Groups, compared, interval, majority
from replay.training import sha256, train_and_write, versions

SEED: Final = 0
OTHER_SEEDS: Final = (1, 2, 3, 4)
RIDGE: Final = 100.0

# onnxruntime computes in float32 what the trainer computes in float64.
AGREEMENT_MAX: Final = 1e-4
REPORT: Final = Path(__file__).with_name("report.json")


@dataclass(frozen=True, slots=True)
class Trained:
    """Drawn kernels and the dense layer that was fitted on them.

    Attributes:
        kernels: one layer a dilation.
        weight: float64 [features, classes], the standardisation folded in.
        bias: float64 [classes].
    """

    kernels: list[Layer]
    weight: Float64Array
    bias: Float64Array

    def scores(self, window: Float32Array) -> Float64Array:
        """float64 [n, classes] about -1 to 1, for windows float32 [n, 100, 6]."""
        features = run_onnx(features_onnx(self.kernels), window)
        return np.asarray(features @ self.weight + self.bias)


def fit(train: Windows, seed: int) -> Trained:
    """Draw the kernels and fit the dense layer.

    ``((x - mean) / deviation) W + c  =  x (W / deviation) + (c - (mean / deviation) W)``
    """
    kernels = draw_kernels(train.window, np.random.default_rng(seed))
    scaler, ridge = StandardScaler(), RidgeClassifier(alpha=RIDGE)
    features = run_onnx(features_onnx(kernels), train.window).astype(np.float64)
    ridge.fit(scaler.fit_transform(features), train.label)
    weight = ridge.coef_.T / scaler.scale_[:, None]
    return Trained(kernels, weight, ridge.intercept_ - scaler.mean_ @ weight)


def left_out(windows: Windows, seed: int) -> Float64Array:
    """Scores float64 [n, classes] of each subject's windows by a model of the others."""
    subjects = tuple(np.unique(windows.subject).tolist())
    scores = np.zeros((len(windows.label), windows.label.max() + 1))
    for subject in subjects:
        others = tuple(one for one in subjects if one != subject)
        trained = fit(windows.of_subjects(others), seed)
        scores[windows.subject == subject] = trained.scores(windows.of_subjects((subject,)).window)
    return scores


def softmax(scores: Float64Array) -> Float64Array:
    """Probabilities of scores [n, classes]."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def log_loss(probabilities: Float64Array | Float32Array, truth: IntArray) -> float:
    """Mean of ``-ln p`` of the true class."""
    return float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())


def sharpness(scores: Float64Array, truth: IntArray) -> float:
    """The factor that makes of a ridge's scores the best probabilities, by log loss."""
    found = minimize_scalar(
        lambda factor: log_loss(softmax(factor * scores), truth),
        bounds=(0.5, 50),
        method="bounded",
    )
    return float(found.x)


def simple_features(window: Float32Array) -> Float64Array:
    """Mean and deviation of each channel, float64 [n, 12]."""
    return np.concatenate([window.mean(axis=1), window.std(axis=1)], axis=1).astype(np.float64)


def simple_rules(train: Windows, test: Windows) -> dict[str, IntArray]:
    """What simpler ways say about the test's windows, int64 [n] by name."""
    known, unknown = simple_features(train.window), simple_features(test.window)
    commonest = np.bincount(train.label).argmax()
    rules = {
        "logistic_of_mean_and_deviation": LogisticRegression(max_iter=1_000),
        "nearest_centroid_of_mean_and_deviation": NearestCentroid(),
    }
    calls = {
        name: make_pipeline(StandardScaler(), rule).fit(known, train.label).predict(unknown)
        for name, rule in rules.items()
    }
    return calls | {"commonest_class": np.full(len(test.label), commonest)}


def by_subject(right: Any, subject: IntArray) -> dict[str, float]:  # noqa: ANN401 - bool [n]
    """The accuracy of each person's windows."""
    return {
        str(one): round(float(right[subject == one].mean()), 4)
        for one in np.unique(subject).tolist()
    }


def leave_one_out_report(windows: Windows) -> dict[str, Any]:
    """Each of the ten subjects left out in turn: the model, and the logistic rule beside it."""
    call = left_out(windows, SEED).argmax(axis=1)
    rule = np.zeros_like(call)
    subjects = tuple(np.unique(windows.subject).tolist())
    for subject in subjects:
        others = windows.of_subjects(tuple(one for one in subjects if one != subject))
        said = simple_rules(others, windows.of_subjects((subject,)))
        rule[windows.subject == subject] = said["logistic_of_mean_and_deviation"]
    groups = Groups.draw(windows.subject, np.random.default_rng(SEED))
    calls = {"model": call, "logistic_of_mean_and_deviation": rule}
    scores = compared(windows.label, calls, groups)
    for name, said in calls.items():
        single = by_subject(said == windows.label, windows.subject)
        scores[name] |= {
            "mean_of_subjects": round(float(np.mean(list(single.values()))), 4),
            "by_subject": single,
        }
    return {"intervals": "bootstrap of the 10 subjects", "scores": scores}


def test_report(test: Windows, probabilities: Float32Array, train: Windows) -> dict[str, Any]:
    """The three test subjects."""
    call = probabilities.argmax(axis=1)
    groups = Groups.draw(test.recording, np.random.default_rng(SEED))
    names, first = np.unique(test.recording, return_index=True)
    whole = majority(call, test.recording) == test.label[first]
    one_each = Groups.draw(names, np.random.default_rng(SEED))
    point, draws = one_each.accuracy(whole)
    right = call == test.label
    return {
        "intervals": f"bootstrap of the {len(names)} recordings",
        "scores": compared(test.label, {"model": call, **simple_rules(train, test)}, groups),
        "majority_of_a_recording": {"accuracy": round(point, 4), "interval_95": interval(draws)},
        "by_subject": by_subject(right, test.subject),
        "log_loss": round(log_loss(probabilities, test.label), 4),
        "mean_of_the_highest_probability": round(float(probabilities.max(axis=1).mean()), 4),
    }


def size(windows: Windows) -> dict[str, int]:
    """How many there are."""
    return {
        "recordings": len(np.unique(windows.recording)),
        "windows": len(windows.label),
    }


def checked_probabilities(
    model: bytes, expected: Float64Array, window: Float32Array
) -> Float32Array:
    """What onnxruntime gives, once it is sure to be what the trainer gives.

    Raises:
        RuntimeError: the two differ by more than AGREEMENT_MAX.
    """
    probabilities = run_onnx(model, window)
    difference = float(np.abs(probabilities - expected).max())
    if difference > AGREEMENT_MAX:
        msg = f"onnxruntime and the trainer differ by {difference}, at most {AGREEMENT_MAX} allowed"
        raise RuntimeError(msg)
    return probabilities


def run(source: Path) -> tuple[bytes, dict[str, Any]]:
    """Train, export and score; return the ONNX bytes and the report."""
    data = load(source)
    windows = cut(data)
    train, test = windows.of_subjects(TRAIN_SUBJECTS), windows.of_subjects(TEST_SUBJECTS)
    inner = left_out(train, SEED)
    factor = sharpness(inner, train.label)
    trained = fit(train, SEED)
    dense = Layer(
        (factor * trained.weight).astype(np.float32), (factor * trained.bias).astype(np.float32)
    )
    model = as_onnx(trained.kernels, dense, data.label_names)
    expected = softmax(factor * trained.scores(test.window))
    probabilities = checked_probabilities(model, expected, test.window)
    recorded = run_onnx(model, (np.rint(test.window / STEP) * STEP).astype(np.float32))
    right = inner.argmax(axis=1) == train.label
    report = {
        "task": "which of seven exercises, from a window of 2 s, one a second",
        "classes": data.label_names,
        "train": {"subjects": TRAIN_SUBJECTS, **size(train)},
        "test": {"subjects": TEST_SUBJECTS, **size(test)} | test_report(test, probabilities, train),
        "test_accuracy_of_other_seeds": {
            str(seed): round(
                float((fit(train, seed).scores(test.window).argmax(axis=1) == test.label).mean()), 4
            )
            for seed in OTHER_SEEDS
        },
        "each_training_subject_left_out": {
            "accuracy": round(float(right.mean()), 4),
            "by_subject": by_subject(right, train.subject),
        },
        "each_of_all_subjects_left_out": leave_one_out_report(windows),
        "recorded_as_int16": {
            "accuracy": round(float((recorded.argmax(axis=1) == test.label).mean()), 4),
            "calls_changed": int((recorded.argmax(axis=1) != probabilities.argmax(axis=1)).sum()),
        },
        "settings": {
            "seed": SEED,
            "kernels_of_each_dilation": KERNELS,
            "dilations": DILATIONS,
            "taps": TAPS,
            "ramp": RAMP,
            "ridge": RIDGE,
            "sharpness": round(factor, 4),
            "bootstrap_draws": DRAWS,
        },
        "onnx_sha256": sha256(model),
        "source_sha256": sha256(source.read_bytes()),
        "versions": versions(),
    }
    return model, report


if __name__ == "__main__":
    train_and_write(run, REPORT, what="sensor", source="watch_activity.npz")
