"""Train the market demo's model, write it as ONNX and report its accuracy out of time.

    python -m replay.market.train_model RAW_DIR streamproc/templates/market/models/direction.onnx

The task, at every event: is the mid price one second later lower than now, the same, or
higher? The model is trained on the last minutes of 2024-08-08 and tested on the first five
of 2024-08-09. `report.json`, beside this file, gets the figures, the cheap rules beside them.

Nothing was chosen by the test period: the settings below lie among 15 that were compared on
four contiguous folds inside the training period. The same machine and versions give the same bytes. Another kind of
CPU may not: the last bits of its sums can differ.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from replay.market.features import (
    FEATURE_NAMES,
    ODD_COUNT,
    TEST_FILE,
    TRAIN_FILE,
    WARM_UP_NS,
    Float32Array,
    Float64Array,
    MarketEvent,
    MarketFeatures,
    read_events,
)
from replay.market.make_recording import rounded
from replay.market.scoring import (
    BLOCK_NS,
    CLASS_NAMES,
    DOWN,
    DRAWS,
    FLAT,
    UP,
    Blocks,
    IntArray,
    balanced_accuracy,
    confusion,
    direction_accuracy,
    draw_blocks,
    drawn,
    interval,
)
from replay.training import sha256, train_and_write, versions

SEED: Final = 0
OTHER_SEEDS: Final = (1, 2, 3, 4)
HORIZON_NS: Final = 1_000_000_000
HIDDEN: Final = (64, 64)
EPOCHS: Final = 5
L2: Final = 10.0
LOGISTIC_C: Final = 1e-3
TOP_IMBALANCE: Final = FEATURE_NAMES.index("top_imbalance")

# The exporter computes in float32 what the trainer computes in float64.
AGREEMENT_MAX: Final = 1e-5
OPSET: Final = 17
IR_VERSION: Final = 9
REPORT: Final = Path(__file__).with_name("report.json")


@dataclass(frozen=True, slots=True)
class Period:
    """The labelled events of one period.

    Attributes:
        receive_ns: int64 [n], ascending.
        features: float32 [n, 24].
        label: int64 [n], DOWN, FLAT or UP.
    """

    receive_ns: IntArray
    features: Float32Array
    label: IntArray


@dataclass(frozen=True, slots=True)
class Layer:
    """One dense layer: weight float32 [inputs, outputs], bias float32 [outputs]."""

    weight: Float32Array
    bias: Float32Array


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted classifier with the standardisation of its inputs."""

    classifier: Any
    mean: Float64Array
    deviation: Float64Array

    def probabilities(self, features: Float32Array) -> Float64Array:
        """Return float64 [n, 3], computed by scikit-learn."""
        return np.asarray(self.classifier.predict_proba((features - self.mean) / self.deviation))


def labelled(events: list[MarketEvent]) -> Period:
    """Label each event by the mid price in force HORIZON_NS later.

    The events of the last HORIZON_NS have no label and are left out, so that no label of a
    period looks into the next.
    """
    receive_ns = np.array([event.receive_ns for event in events], dtype=np.int64)
    mid = np.array([event.mid_e8_twice for event in events], dtype=np.int64)
    features = np.stack([event.features for event in events])
    known = receive_ns + HORIZON_NS <= receive_ns[-1]
    later = np.searchsorted(receive_ns, receive_ns + HORIZON_NS, side="right") - 1
    label = np.sign(mid[later] - mid) + FLAT
    return Period(receive_ns[known], features[known], label[known])


def load(raw_dir: Path) -> tuple[Period, Period]:
    """Return the training period, without its warm-up, and the test period."""
    state = MarketFeatures()
    train = labelled(read_events(raw_dir / TRAIN_FILE, state))
    test = labelled(read_events(raw_dir / TEST_FILE, state))
    warm = train.receive_ns >= train.receive_ns[0] + WARM_UP_NS
    return Period(train.receive_ns[warm], train.features[warm], train.label[warm]), test


def fit(period: Period, classifier: Any, odd: int = ODD_COUNT) -> Trained:  # noqa: ANN401 - scikit-learn is untyped
    """Fit on the events and their mirror images, every class with the same total weight.

    Swapping bids with asks and buys with sells turns the sign of the odd features, which come
    first, and swaps down with up. With both in the training set, the drift of five minutes teaches nothing.
    """
    mirror = period.features.copy()
    mirror[:, :odd] *= -1.0
    features = np.concatenate([period.features, mirror]).astype(np.float64)
    label = np.concatenate([period.label, UP - period.label])
    weight = label.size / 3.0 / np.bincount(label, minlength=3)[label]
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    with warnings.catch_warnings():
        # The network stops after EPOCHS on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit((features - mean) / deviation, label, sample_weight=weight)
    return Trained(classifier, mean, deviation)


def network(seed: int) -> MLPClassifier:
    """Return the untrained 24-64-64-3 network; `tol=0` keeps it from stopping early."""
    return MLPClassifier(
        HIDDEN,
        alpha=L2,
        batch_size=512,
        learning_rate_init=1e-3,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS + 1,
        tol=0.0,
        random_state=seed,
    )


def folded_layers(trained: Trained) -> list[Layer]:
    """Return the layers with the standardisation folded into the first.

    ``((x - mean) / deviation) W + c  =  x (W / deviation) + (c - (mean / deviation) W)``
    """
    weights = [np.asarray(weight) for weight in trained.classifier.coefs_]
    biases = [np.asarray(bias) for bias in trained.classifier.intercepts_]
    biases[0] = biases[0] - (trained.mean / trained.deviation) @ weights[0]
    weights[0] = weights[0] / trained.deviation[:, None]
    return [
        Layer(weight.astype(np.float32), bias.astype(np.float32))
        for weight, bias in zip(weights, biases, strict=True)
    ]


def as_onnx(layers: list[Layer], names: tuple[str, ...] = FEATURE_NAMES) -> bytes:
    """Return the network as ONNX: `f` float32 [n, features] in, `probabilities` float32 [n, 3] out."""
    nodes, tensors, value = [], [], "f"
    for place, layer in enumerate(layers):
        tensors.append(numpy_helper.from_array(layer.weight, f"weight_{place}"))
        tensors.append(numpy_helper.from_array(layer.bias, f"bias_{place}"))
        inputs = [value, f"weight_{place}", f"bias_{place}"]
        value = f"dense_{place}"
        nodes.append(helper.make_node("Gemm", inputs, [value], name=value))
        if place + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [value], [f"relu_{place}"], name=f"relu_{place}"))
            value = f"relu_{place}"
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], name="softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "direction",
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", len(names)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
        initializer=tensors,
    )
    model = helper.make_model(
        graph,
        producer_name="streamproc",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        doc_string="Sign of the mid-price move over the next second, BTCUSDT.",
    )
    metadata = {"classes": ",".join(CLASS_NAMES), "features": ",".join(names)}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def run_onnx(model: bytes, features: Float32Array) -> Float32Array:
    """Return float32 [n, 3] of the model in onnxruntime, one thread on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"f": features})[0], dtype=np.float32)


def rule(imbalance: npt.NDArray[np.floating[Any]], threshold: float) -> IntArray:
    """Call the sign of the top-of-book imbalance, flat where its size is at most `threshold`."""
    sign = np.sign(imbalance) * (np.abs(imbalance) > threshold)
    return np.asarray(sign, dtype=np.int64) + FLAT


def best_threshold(train: Period) -> float:
    """Return the threshold of the rule with the best balanced accuracy in training."""
    candidates = np.arange(100) / 100.0
    blocks = Blocks(np.zeros_like(train.label), np.ones((1, 1), dtype=np.int64))
    imbalance = train.features[:, TOP_IMBALANCE]
    scores = [
        balanced_accuracy(confusion(train.label, rule(imbalance, threshold), blocks))[0]
        for threshold in candidates
    ]
    return float(candidates[int(np.argmax(scores))])


def side(probabilities: npt.NDArray[np.floating[Any]]) -> IntArray:
    """Return the likelier of DOWN and UP, whatever flat has."""
    return np.where(probabilities[:, UP] > probabilities[:, DOWN], UP, DOWN).astype(np.int64)


def score(test: Period, by_name: dict[str, tuple[IntArray, IntArray]]) -> dict[str, Any]:
    """Score each predictor's (three-class, direction) calls; the first is the one compared.

    Returns:
        By name: both scores with 95% intervals, and the first predictor's lead over it,
        from the same bootstrap draws.
    """
    blocks = draw_blocks(test.receive_ns, np.random.default_rng(SEED))
    result: dict[str, Any] = {}
    first: dict[str, tuple[float, Float64Array]] = {}
    for name, calls in by_name.items():
        result[name] = {}
        for kind, call, measure in (
            ("balanced_accuracy", calls[0], balanced_accuracy),
            ("direction_accuracy", calls[1], direction_accuracy),
        ):
            table = confusion(test.label, call, blocks)
            point, draws = float(measure(table.sum(axis=0))), measure(drawn(table, blocks))
            result[name][kind] = {"value": round(point, 4), "interval_95": interval(draws)}
            if kind in first:
                result[name][kind]["model_leads_by"] = round(first[kind][0] - point, 4)
                result[name][kind]["lead_interval_95"] = interval(first[kind][1] - draws)
            else:
                first[kind] = (point, draws)
    return result


def shares(period: Period) -> dict[str, Any]:
    """Return the size of a period and the share of each class in it."""
    share = np.bincount(period.label, minlength=3) / period.label.size
    return {
        "events": period.label.size,
        "span_s": round(float(period.receive_ns[-1] - period.receive_ns[0]) * 1e-9, 1),
        "class_share": dict(zip(CLASS_NAMES, share.round(4).tolist(), strict=True)),
    }


def checked_probabilities(model: bytes, trained: Trained, features: Float32Array) -> Float32Array:
    """Return what onnxruntime gives, once it is sure to be what the trainer gives.

    Raises:
        RuntimeError: the two differ by more than AGREEMENT_MAX.
    """
    probabilities = run_onnx(model, features)
    difference = float(np.abs(probabilities - trained.probabilities(features)).max())
    if difference > AGREEMENT_MAX:
        msg = (
            f"onnxruntime and scikit-learn differ by {difference}, at most {AGREEMENT_MAX} allowed"
        )
        raise RuntimeError(msg)
    return probabilities


def run(raw_dir: Path) -> tuple[bytes, dict[str, Any]]:
    """Train, export and score; return the ONNX bytes and the report."""
    train, test = load(raw_dir)
    trained = fit(train, network(SEED))
    model = as_onnx(folded_layers(trained))
    probabilities = checked_probabilities(model, trained, test.features)
    logistic = fit(train, LogisticRegression(C=LOGISTIC_C, max_iter=500)).probabilities(
        test.features
    )
    threshold = best_threshold(train)
    imbalance = test.features[:, TOP_IMBALANCE]
    sign = rule(imbalance, 0.0)
    scores = score(
        test,
        {
            "model": (probabilities.argmax(axis=1), side(probabilities)),
            "logistic_same_features": (logistic.argmax(axis=1), side(logistic)),
            "rule_sign_of_top_imbalance": (sign, sign),
            "rule_with_flat_zone": (rule(imbalance, threshold), sign),
        },
    )
    by_seed = {str(seed): run_seed(train, test, seed) for seed in OTHER_SEEDS}
    recorded = run_onnx(model, np.array([rounded(row) for row in test.features], dtype=np.float32))
    report = {
        "task": "sign of the mid-price move over the next 1 s, at every bookTicker and trade",
        "classes": CLASS_NAMES,
        "train": {"file": TRAIN_FILE, **shares(train)},
        "test": {"file": TEST_FILE, **shares(test)},
        "chance": {"balanced_accuracy": round(1 / 3, 4), "direction_accuracy": 0.5},
        "scores": scores,
        "flat_zone_threshold": threshold,
        "bootstrap": {"block_s": BLOCK_NS // 1_000_000_000, "draws": DRAWS, "seed": SEED},
        "balanced_accuracy_by_other_seed": by_seed,
        "calls_changed_by_rounding": int(
            (recorded.argmax(axis=1) != probabilities.argmax(axis=1)).sum()
        ),
        "settings": {"seed": SEED, "hidden": HIDDEN, "epochs": EPOCHS, "l2": L2},
        "onnx_sha256": sha256(model),
        "raw_sha256": {
            name: sha256((raw_dir / name).read_bytes()) for name in (TRAIN_FILE, TEST_FILE)
        },
        "versions": versions(),
    }
    return model, report


def run_seed(train: Period, test: Period, seed: int) -> float:
    """Return the balanced accuracy that the network reaches from another seed."""
    call = fit(train, network(seed)).probabilities(test.features).argmax(axis=1)
    blocks = Blocks(np.zeros_like(test.label), np.ones((1, 1), dtype=np.int64))
    return round(float(balanced_accuracy(confusion(test.label, call, blocks))[0]), 4)


if __name__ == "__main__":
    train_and_write(run, REPORT, what="market", source="folder of the raw binance_spot_*.gz files")
