"""Write the golden data by which tests check that source, recording, model and pipeline agree.

    python -m replay.sensor.make_golden WATCH_ACTIVITY_NPZ replay/sensor/exercises.npz MODEL_ONNX

`golden.json` holds, of some events of the recording: place, key and time; the first and the last sample of their
window as the source has them; a hash of the value that is played; and the probabilities of the model.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from replay.sensor.dataset import HOP_ROWS, Dataset, load
from replay.sensor.network import run_onnx
from streamproc.replay import SignalRecording

GOLDEN: Final = Path(__file__).with_name("golden.json")
EVENTS: Final = (0, 1, 41, 400, 800, 1_200, 1_483)


def source_rows(data: Dataset, key: str, number: int) -> list[list[float]]:
    """The first and the last sample of a recording's window, from the source, to 6 decimals."""
    (recording,) = (i for i in range(len(data.label)) if data.key(i) == key)
    first = data.offset[recording] + number * HOP_ROWS
    rows = data.signal[[first, first + 99]]
    return [[round(value, 6) for value in row] for row in rows.tolist()]


def golden(data: Dataset, recording: Path, model: bytes) -> list[dict[str, Any]]:
    """What is known of each of EVENTS."""
    played = SignalRecording(recording)
    events, stamps = list(played.events()), played.timestamp_ns().tolist()
    found = []
    for place in EVENTS:
        event = events[place]
        key = (event.key or b"").decode()
        number = sum(before.key == event.key for before in events[:place])
        window = np.frombuffer(event.value, "<f4").reshape(1, 100, 6)
        found.append(
            {
                "event": place,
                "key": key,
                "timestamp_ns": stamps[place],
                "source_rows": source_rows(data, key, number),
                "value_sha256": hashlib.sha256(event.value).hexdigest(),
                "probabilities": [round(value, 5) for value in run_onnx(model, window)[0].tolist()],
            }
        )
    return found


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write the golden data of the sensor demo.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    parser.add_argument("recording", type=Path, help="recording to take events from")
    parser.add_argument("model", type=Path, help="model to run on them")
    arguments = parser.parse_args()
    made = golden(load(arguments.source), arguments.recording, arguments.model.read_bytes())
    GOLDEN.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
