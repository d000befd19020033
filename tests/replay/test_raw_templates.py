"""The templates that take raw events make of the committed recordings what their figures say."""

import gzip
import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import orjson
import pytest

from replay.market.quotes import Tick
from replay.market.scoring import Blocks, balanced_accuracy, confusion
from replay.market.train_model import Period, run_onnx
from replay.market.train_quotes import NAMES, labelled
from replay.sensor.score_samples import Cut, cut, report_of
from streamproc.cli.assets import asset, template
from streamproc.replay import SignalRecording


def report(*parts: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asset("replay", *parts).read_text("utf-8"))
    return found


@cache
def samples() -> Cut:
    return cut()


@cache
def quotes() -> tuple[list[Tick], Period]:
    with gzip.open(asset("replay", "market", "ticks.jsonl.gz")) as lines:
        rows = [orjson.loads(line) for line in lines]
    ticks = [Tick(row["timestamp_ns"], row["key"], **row["value"]) for row in rows]
    return ticks, labelled(ticks)


def test_windows_are_the_signals_own_samples_once_a_second() -> None:
    made = samples()
    signals = SignalRecording(asset("replay", "sensor", "exercises.npz")).signals()
    keys = [str(key) for key in signals.key]
    last_rows: dict[str, list[int]] = {key: [] for key in keys}
    for key, time_ns, window in zip(made.key, made.time_ns.tolist(), made.window, strict=True):
        place = keys.index(key)
        last = (time_ns - int(signals.start_ns[place])) // signals.period_ns
        first = int(signals.offset[place]) + last - 99
        assert window.tobytes() == signals.window(first).tobytes()
        last_rows[key].append(last)
    for place, rows in enumerate(last_rows.values()):
        # Within a second of the first 100 samples, then each second to the recording's end.
        assert 99 <= rows[0] <= 149
        length = int(np.diff(signals.offset)[place])
        assert rows == list(range(rows[0], length, 50))


def test_the_sensor_models_accuracy_on_samples_is_the_reports() -> None:
    stated = report("sensor", "report_samples.json")
    found = report_of(samples())
    assert found["windows"] == stated["windows"]
    # Another processor's last bits may change a call or two.
    assert found["accuracy"] == pytest.approx(stated["accuracy"], abs=0.002)
    models = [template(name) / "models" / "activity.onnx" for name in ("sensor", "sensor-samples")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_the_market_models_accuracy_on_ticks_is_the_reports() -> None:
    stated = report("market", "report_quotes.json")
    _, period = quotes()
    model = (template("market-quotes") / "models" / "direction.onnx").read_bytes()
    assert hashlib.sha256(model).hexdigest() == stated["onnx_sha256"]
    assert len(period.label) == stated["test"]["events"]
    called = run_onnx(model, period.features).argmax(axis=1)
    whole = Blocks(np.zeros_like(period.label), np.ones((1, 1), np.int64))
    (accuracy,) = balanced_accuracy(confusion(period.label, called, whole))
    expected = stated["scores"]["model"]["balanced_accuracy"]["value"]
    assert accuracy == pytest.approx(expected, abs=0.002)


def test_trades_have_the_quotes_as_they_were() -> None:
    ticks, period = quotes()
    best: dict[str, Tick] = {}
    expected = []
    for tick in ticks:
        if tick.kind in ("bid", "ask"):
            best[tick.kind] = tick
        elif len(best) == 2:
            bid, ask = best["bid"], best["ask"]
            mid = (bid.price + ask.price) / 2
            spread = (ask.price - bid.price) / mid * 1e4
            imbalance = (bid.size - ask.size) / (bid.size + ask.size)
            side = 1.0 if tick.kind == "buy" else -1.0
            expected.append((imbalance, side, min(10.0, spread)))
    columns = [NAMES.index(name) for name in ("imbalance", "side", "spread")]
    rows = len(period.label)  # the last second has features, and no label
    found = period.features[:, columns]
    assert found.tobytes() == np.array(expected[:rows], np.float32).tobytes()


def test_flows_are_of_the_trades_in_their_time() -> None:
    ticks, period = quotes()
    trades = [tick for tick in ticks if tick.kind in ("buy", "sell")]
    time_ns = np.array([trade.receive_ns for trade in trades])
    signed = np.array([t.size if t.kind == "buy" else -t.size for t in trades])
    for row in range(0, len(period.label), 997):
        at_ns = period.receive_ns[row]
        last = row + len(trades) - np.sum(time_ns >= period.receive_ns[0])
        recent = (time_ns > at_ns - 2_000_000_000) & (np.arange(len(trades)) <= last)
        # At most 256 of each side count.
        bought = signed[recent][signed[recent] > 0][-256:].sum()
        sold = -signed[recent][signed[recent] < 0][-256:].sum()
        wanted = (bought - sold) / (bought + sold)
        assert period.features[row, NAMES.index("flow")] == pytest.approx(wanted, abs=1e-5)


def test_the_pages_say_what_the_reports_say() -> None:
    market = asset("replay", "market", "README.md").read_text("utf-8")
    for row in report("market", "report_quotes.json")["scores"].values():
        for measured in row.values():
            low, high = measured["interval_95"]
            assert f"{measured['value']:.3f} ({low:.3f}-{high:.3f})" in market
    sensor = asset("replay", "sensor", "README.md").read_text("utf-8")
    found = report("sensor", "report_samples.json")
    low, high = found["interval_95"]
    assert f"{found['windows']:,} windows" in sensor
    assert f"{found['accuracy']:.3f} right ({low:.3f}-{high:.3f}" in sensor
    ladder = (asset("schemas").parent / "docs" / "optimizing.md").read_text("utf-8")
    for name, model in report("sensor", "ladder.json")["models"].items():
        low, high = model["accuracy_95"]
        assert f"| {name} | {model['accuracy']:.3f} ({low:.3f}-{high:.3f}) |" in ladder
