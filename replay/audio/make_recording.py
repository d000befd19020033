"""Write the recording of the audio demo, and the call of the audio template: two halves of a talk, and four seconds of it.

    python -m replay.audio.make_recording SAMPLE_WAV SAMPLE_RTTM

The source is one file of 30 s, two people who talk, 16 kHz mono. Its halves are played as two calls at the same time.
`speech` stands beside the arrays that `streamproc.replay.Signals` describes: for each frame of each call, whether half of
it or more is covered by a turn of a speaker.

**The times are made.** The source has none. The second call begins 13 ms after the first.
"""

import argparse
import wave
from pathlib import Path
from typing import Any, Final

import numpy as np

SAMPLES_A_SECOND: Final = 16_000
FRAME_SAMPLES: Final = 512
CALLS: Final = 2
START_NS: Final = 1_704_067_200_000_000_000
"""2024-01-01 00:00 UTC; any would do."""
APART_NS: Final = 13_000_000
CLIP_S: Final = (5.0, 9.0)
"""Of the template's call: 1.7 s of nobody, then both of them."""
HERE: Final = Path(__file__).parent
TEMPLATE: Final = HERE.parents[1] / "streamproc" / "templates" / "audio"


def samples_of(path: Path) -> Any:  # noqa: ANN401 - int16, which numpy's stubs lose
    """A wave file's samples, int16 [n]."""
    with wave.open(str(path), "rb") as file:
        assert file.getparams()[:3] == (1, 2, SAMPLES_A_SECOND)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def speech_of(rttm: Path, samples: int) -> Any:  # noqa: ANN401 - bool
    """For each sample whether anybody speaks, bool [n]."""
    spoken = np.zeros(samples, np.bool_)
    for line in rttm.read_text(encoding="utf-8").splitlines():
        _, _, _, start_s, length_s, *_ = line.split()
        start = round(float(start_s) * SAMPLES_A_SECOND)
        spoken[start : start + round(float(length_s) * SAMPLES_A_SECOND)] = True
    return spoken


def arrays(samples: Any, spoken: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """All arrays of the file by name."""
    rows = len(samples) // CALLS // FRAME_SAMPLES * FRAME_SAMPLES
    starts = [call * (len(samples) // CALLS) for call in range(CALLS)]
    signal = np.concatenate([samples[start : start + rows] for start in starts])
    said = np.stack([spoken[start : start + rows] for start in starts])
    return {
        "signal": signal[np.newaxis],
        "scale": np.array([1 / 32768], np.float32),
        "offset": np.arange(CALLS + 1) * rows,
        "key": np.array([f"call-{call + 1}" for call in range(CALLS)]),
        "start_ns": START_NS + APART_NS * np.arange(CALLS),
        "period_ns": np.int64(1_000_000_000 // SAMPLES_A_SECOND),
        "window_rows": np.int64(FRAME_SAMPLES),
        "hop_rows": np.int64(FRAME_SAMPLES),
        "whole": np.bool_(True),  # noqa: FBT003 - a flag of the file
        "speech": said.reshape(CALLS, -1, FRAME_SAMPLES).mean(axis=2) >= 0.5,
    }


def main() -> None:
    """Write both and print what is in them."""
    parser = argparse.ArgumentParser(description="Write the audio recording.")
    parser.add_argument("sample", type=Path, help="sample.wav")
    parser.add_argument("turns", type=Path, help="sample.rttm")
    arguments = parser.parse_args()

    samples = samples_of(arguments.sample)
    made = arrays(samples, speech_of(arguments.turns, len(samples)))
    out = HERE / "calls.npz"
    np.savez_compressed(out, **made)
    speech = made["speech"]
    print(f"{out.name}: {speech.size} frames of {CALLS} calls, {speech.mean():.1%} speech")
    start, stop = (round(at * SAMPLES_A_SECOND) for at in CLIP_S)
    with wave.open(str(TEMPLATE / "call.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLES_A_SECOND, 0, "NONE", "not compressed"))
        file.writeframes(samples[start:stop].tobytes())


if __name__ == "__main__":
    main()
