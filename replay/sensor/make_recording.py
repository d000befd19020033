"""Write the recording of the sensor demo: the people whom the model has not seen.

    python -m replay.sensor.make_recording WATCH_ACTIVITY_NPZ replay/sensor/exercises.npz

The file is what `streamproc.replay.Signals` describes: the 42 recordings of the three test subjects as int16,
cut into windows only when it is played. `label`, `label_names` and `channel_names` stand beside it.

**The times are made.** The source has none. All recordings begin in the same second, each at a seeded random
instant of it, as 42 people do who begin together. So each key has one window a second, and for the first 24 s
42 windows come each second; then one recording after the other ends, the last after 49 s.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np

from replay.sensor.dataset import (
    HOP_ROWS,
    PERIOD_NS,
    TEST_SUBJECTS,
    WINDOW_ROWS,
    Dataset,
    Float32Array,
    load,
)

SEED: Final = 0
START_NS: Final = 1_704_067_200_000_000_000
"""2024-01-01 00:00 UTC; any would do."""
JITTER_NS: Final = HOP_ROWS * PERIOD_NS
STEP: Final = np.array([1 / 2048] * 3 + [1 / 512] * 3, np.float32)
"""What a step of the int16 is worth, in g and rad/s: the largest numbers, 5.8 g and 29 rad/s, take half of its
range. Powers of two, so that a step is exact in float32."""
FILE_BYTES_MAX: Final = 1_000_000


def as_steps(signal: Float32Array) -> Any:  # noqa: ANN401 - int16, which numpy's stubs lose
    """A signal float32 [rows, 6] as int16 [6, rows]: a channel together is packed better.

    Raises:
        ValueError: a number is beyond the range.
    """
    steps = np.rint(signal / STEP)
    if np.abs(steps).max() > np.iinfo(np.int16).max:
        msg = "a number is beyond the range of int16: enlarge STEP"
        raise ValueError(msg)
    return np.ascontiguousarray(steps.astype(np.int16).T)


def arrays(data: Dataset) -> dict[str, Any]:
    """All arrays of the file by name."""
    chosen = np.flatnonzero(np.isin(data.subject, TEST_SUBJECTS))
    # By key, so that nothing depends on the order of the source.
    chosen = np.array(sorted(chosen.tolist(), key=data.key))
    parts = [data.signal[data.offset[i] : data.offset[i + 1]] for i in chosen]
    jitter_ns = np.random.default_rng(SEED).integers(0, JITTER_NS, len(chosen))
    return {
        "signal": as_steps(np.concatenate(parts)),
        "scale": STEP,
        "offset": np.cumsum([0, *map(len, parts)]),
        "key": np.array([data.key(i) for i in chosen]),
        "start_ns": START_NS + jitter_ns,
        "period_ns": np.int64(PERIOD_NS),
        "window_rows": np.int64(WINDOW_ROWS),
        "hop_rows": np.int64(HOP_ROWS),
        "label": data.label[chosen],
        "label_names": np.array(data.label_names),
        "channel_names": np.array(data.channel_names),
    }


def main() -> None:
    """Write the recording and print what is in it."""
    parser = argparse.ArgumentParser(description="Write the sensor recording.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    parser.add_argument("out", type=Path, help="recording to write (.npz)")
    arguments = parser.parse_args()

    made = arrays(load(arguments.source))
    np.savez_compressed(arguments.out, **made)
    size = arguments.out.stat().st_size
    if size >= FILE_BYTES_MAX:
        arguments.out.unlink()
        msg = f"the recording has {size} bytes, {FILE_BYTES_MAX} at most: enlarge STEP"
        raise SystemExit(msg)
    rows = np.diff(made["offset"])
    events = int(((rows - WINDOW_ROWS) // HOP_ROWS + 1).sum())
    print(f"{arguments.out}: {len(rows)} recordings, {events} windows, {size} bytes")


if __name__ == "__main__":
    main()
