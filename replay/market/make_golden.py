"""Write the golden data by which tests and live code check features and model.

    python -m replay.market.make_golden RAW_DIR replay/market/btcusdt.jsonl.gz MODEL_ONNX

`golden_lines.gz` holds the first raw lines of BTC 2024-08-08 as they came, the snapshot among
them. `golden.json` holds the features of some events in these lines, the last one included,
and the probabilities of the model for some events of the recording.
"""

import argparse
import gzip
import itertools
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from replay.market.features import TRAIN_FILE, MarketFeatures, read_events
from replay.market.make_recording import write_gzip
from replay.market.train_model import run_onnx

FOLDER: Final = Path(__file__).parent
LINES: Final = 300
EVENT_STEP: Final = 45
RECORDING_LINES: Final = (0, 1, 1_000, 20_000, 40_000, 55_280)


def golden_features(raw_dir: Path, out: Path) -> list[dict[str, Any]]:
    """Write the first raw lines to `out`; return some of their events, the last one included."""
    with gzip.open(raw_dir / TRAIN_FILE, "rb") as lines:
        write_gzip(out, b"".join(itertools.islice(lines, LINES)))
    events = read_events(out, MarketFeatures())[::-EVENT_STEP][::-1]
    return [
        {
            "receive_ns": event.receive_ns,
            "kind": event.kind,
            "f": [float(f"{value:.8g}") for value in event.features.tolist()],
        }
        for event in events
    ]


def golden_probabilities(recording: Path, model: Path) -> list[dict[str, Any]]:
    """Return what the model gives for some lines of the recording."""
    with gzip.open(recording, "rb") as file:
        lines = file.readlines()
    features = [orjson.loads(lines[line])["value"]["f"] for line in RECORDING_LINES]
    rows = run_onnx(model.read_bytes(), np.array(features, dtype=np.float32))
    return [
        {"line": line, "probabilities": [round(value, 6) for value in row]}
        for line, row in zip(RECORDING_LINES, rows.tolist(), strict=True)
    ]


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description="Write the golden data of the market demo.")
    parser.add_argument("raw_dir", type=Path, help="folder of the raw binance_spot_*.gz files")
    parser.add_argument("recording", type=Path, help="recording to take events from")
    parser.add_argument("model", type=Path, help="model to run on them")
    arguments = parser.parse_args()
    golden = {
        "features": golden_features(arguments.raw_dir, FOLDER / "golden_lines.gz"),
        "probabilities": golden_probabilities(arguments.recording, arguments.model),
    }
    (FOLDER / "golden.json").write_bytes(
        orjson.dumps(golden, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )


if __name__ == "__main__":
    main()
