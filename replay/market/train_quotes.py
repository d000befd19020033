"""Train the model of the template `market-quotes` on features that its own pipeline makes of raw ticks.

    python -m replay.market.train_quotes RAW_DIR streamproc/templates/market-quotes/models/direction.onnx

The task, at every trade: is the mid price one second later lower than now, the same, or higher? No code here makes
a feature: the ticks are played through the engine with `pipeline.yaml`, as `export --training` does it. Periods,
network, settings and scores are those of `train_model.py`; nothing was chosen anew. `report_quotes.json`, beside this
file, gets the figures.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from sklearn.linear_model import LogisticRegression

from replay.market.features import TEST_FILE, TRAIN_FILE, WARM_UP_NS, Float32Array, read_lines
from replay.market.make_ticks import STEP_NS
from replay.market.quotes import Tick, ticks
from replay.market.scoring import BLOCK_NS, CLASS_NAMES, DRAWS, FLAT, IntArray
from replay.market.train_model import (
    EPOCHS,
    HIDDEN,
    HORIZON_NS,
    L2,
    LOGISTIC_C,
    SEED,
    Layer,
    Period,
    as_onnx,
    best_threshold,
    checked_probabilities,
    fit,
    folded_layers,
    network,
    rule,
    score,
    shares,
    side,
)
from replay.training import sha256, train_and_write, versions
from streamproc.config import load as load_config
from streamproc.core import RecordBatch, TopicPartition
from streamproc.replay.training import FeatureRows, features_of
from streamproc.runtime import Pipeline

NAMES: Final = ("imbalance", "side", "flow", "trend", "volatility", "spread", "rate")
"""What the pipeline makes, in its order."""
ODD: Final = 4
"""The first so many change their sign where bids and asks, buys and sells are swapped."""
MS_NS: Final = 1_000_000
FETCH: Final = 500
CONFIG: Final = Path("streamproc/templates/market-quotes/pipeline.yaml")
REPORT: Final = Path(__file__).with_name("report_quotes.json")


def records(some: Sequence[Tick], step_ns: int) -> Iterator[RecordBatch]:
    """The ticks as Kafka gives them.

    Args:
        some: the ticks of one symbol.
        step_ns: what their times are whole numbers of.
    """
    for position in range(0, len(some), FETCH):
        batch = some[position : position + FETCH]
        stamp_ns = np.array([tick.receive_ns for tick in batch]) // step_ns * step_ns
        values = [{"kind": t.kind, "price": t.price, "size": t.size} for t in batch]
        yield RecordBatch(
            source=TopicPartition("ticks", 0),
            offset=np.arange(position, position + len(batch)),
            timestamp_ns=stamp_ns,
            key=[tick.symbol.encode() for tick in batch],
            value=[orjson.dumps(value) for value in values],
            headers={},
            arrival_ns=int(stamp_ns[-1]),
            end_position=position + len(batch),
        )


def features(some: Sequence[Tick], step_ns: int = STEP_NS) -> tuple[IntArray, Float32Array]:
    """The places of the trades among the ticks, and float32 [trades, features], made by the pipeline."""
    places, rows = [], []

    def take(made: FeatureRows) -> None:
        places.append(made.events.offset)
        rows.append(made.events.inputs["f"])

    with tempfile.TemporaryDirectory() as folder:
        # The engine asks the model what it takes; its answers are not looked at.
        untrained = Path(folder) / "untrained.onnx"
        shape = (len(NAMES), 3)
        layer = Layer(np.zeros(shape, np.float32), np.zeros(3, np.float32))
        untrained.write_bytes(as_onnx([layer], NAMES))
        loaded = load_config(CONFIG, overrides=[f"model.path={untrained}"], environ={})
        features_of(Pipeline.from_file(loaded), lambda: records(some, step_ns), take)
    return np.concatenate(places), np.concatenate(rows)


def mids(some: Sequence[Tick]) -> IntArray:
    """Twice the mid price in force after each tick, in units of 1e-8; 0 before both sides were quoted."""
    best = {"bid": 0, "ask": 0}
    found = []
    for tick in some:
        if tick.kind in best:
            best[tick.kind] = round(tick.price * 1e8)
        found.append(best["bid"] + best["ask"] if all(best.values()) else 0)
    return np.array(found, np.int64)


def labelled(some: Sequence[Tick]) -> Period:
    """Label each trade that has features by the mid price in force HORIZON_NS later."""
    place, made = features(some)
    receive_ns = np.array([tick.receive_ns for tick in some], np.int64)
    mid, at_ns = mids(some), receive_ns[place]
    later = np.searchsorted(receive_ns, at_ns + HORIZON_NS, side="right") - 1
    label = np.sign(mid[later] - mid[place]) + FLAT
    known = at_ns + HORIZON_NS <= receive_ns[-1]
    return Period(at_ns[known], made[known], label[known])


def run(raw_dir: Path) -> tuple[bytes, dict[str, Any]]:
    """Train, export and score; return the ONNX bytes and the report."""
    days = [list(ticks(read_lines(raw_dir / name))) for name in (TRAIN_FILE, TEST_FILE)]
    train, test = (labelled(day) for day in days)
    warm = train.receive_ns >= days[0][0].receive_ns + WARM_UP_NS
    train = Period(train.receive_ns[warm], train.features[warm], train.label[warm])
    trained = fit(train, network(SEED), ODD)
    model = as_onnx(folded_layers(trained), NAMES)
    probabilities = checked_probabilities(model, trained, test.features)
    regression = fit(train, LogisticRegression(C=LOGISTIC_C, max_iter=500), ODD)
    logistic = regression.probabilities(test.features)
    threshold = best_threshold(train)
    imbalance = test.features[:, NAMES.index("imbalance")]
    sign = rule(imbalance, 0.0)
    scores = score(
        test,
        {
            "model": (probabilities.argmax(axis=1), side(probabilities)),
            "logistic_same_features": (logistic.argmax(axis=1), side(logistic)),
            "rule_sign_of_imbalance": (sign, sign),
            "rule_with_flat_zone": (rule(imbalance, threshold), sign),
        },
    )
    _, in_ms = features(days[1], MS_NS)
    by_ms = trained.probabilities(in_ms[: len(test.label)]).argmax(axis=1)
    report = {
        "task": "sign of the mid-price move over the next 1 s, at every trade",
        "classes": CLASS_NAMES,
        "features": NAMES,
        "train": {"file": TRAIN_FILE, **shares(train)},
        "test": {"file": TEST_FILE, **shares(test)},
        "scores": scores,
        "flat_zone_threshold": threshold,
        "bootstrap": {"block_s": BLOCK_NS // 1_000_000_000, "draws": DRAWS, "seed": SEED},
        "calls_changed_by_times_in_ms": int((by_ms != probabilities.argmax(axis=1)).sum()),
        "settings": {"seed": SEED, "hidden": HIDDEN, "epochs": EPOCHS, "l2": L2},
        "onnx_sha256": sha256(model),
        "raw_sha256": {
            name: sha256((raw_dir / name).read_bytes()) for name in (TRAIN_FILE, TEST_FILE)
        },
        "versions": versions(),
    }
    return model, report


if __name__ == "__main__":
    train_and_write(
        run, REPORT, what="market-quotes", source="folder of the raw binance_spot_*.gz files"
    )
