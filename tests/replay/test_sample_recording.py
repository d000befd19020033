"""The same signals, sample by sample."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.replay import SAMPLES, SampleRecording, open_recording
from tests.replay.test_signal_recording import arrays


def written(folder: Path, **changes: object) -> SampleRecording:
    np.savez_compressed(folder / "r.npz", **arrays(**changes))
    recording = open_recording(folder / f"r.npz{SAMPLES}")
    assert isinstance(recording, SampleRecording)
    return recording


def test_samples_come_when_they_are_taken(tmp_path: Path) -> None:
    recording = written(tmp_path)
    stamps, events = recording.timestamp_ns(), list(recording.events())
    assert stamps.tolist() == [1000, 1005, 1010, 1015, 1020, 1025, 1030, 1035, 1040, 1050]
    rows = [0, 6, 1, 7, 2, 8, 3, 9, 4, 5]
    assert [event.key for event in events] == [b"a" if row < 6 else b"b" for row in rows]
    assert [json.loads(event.value) for event in events] == [
        {"sample": [0.5 * row, 0.25 * (100 + row)]} for row in rows
    ]
    assert list(islice(recording.events_for_ever(), 11)) == [*events, events[0]]


def test_there_must_be_samples(tmp_path: Path) -> None:
    nothing = {"signal": np.zeros((2, 0), np.int16), "offset": np.zeros(3, np.int64)}
    with pytest.raises(ConfigError, match="holds no events"):
        written(tmp_path, **nothing).timestamp_ns()
