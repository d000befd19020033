"""Recordings by their files' names."""

from pathlib import Path
from typing import Final

from streamproc.replay.recorded import Playable
from streamproc.replay.recording import Recording
from streamproc.replay.sample_recording import SampleRecording
from streamproc.replay.signal_recording import SignalRecording

SAMPLES: Final = "#samples"
"""Behind a file of signals: each sample alone, not the windows."""


def open_recording(path: Path) -> Playable:
    """The recording in a file.

    Args:
        path: sampled signals where it ends with ``.npz``, played as windows; the same as single samples with
            ``.npz#samples``; else lines of JSON.
    """
    if path.name.endswith(SAMPLES):
        return SampleRecording(path, path.with_name(path.name.removesuffix(SAMPLES)))
    return SignalRecording(path) if path.suffix == ".npz" else Recording(path)
