"""Recordings by their files' names."""

from pathlib import Path

from streamproc.replay.recorded import Playable
from streamproc.replay.recording import Recording
from streamproc.replay.signal_recording import SignalRecording


def open_recording(path: Path) -> Playable:
    """The recording in a file: sampled signals where its name ends with ``.npz``, else lines of JSON."""
    return SignalRecording(path) if path.suffix == ".npz" else Recording(path)
