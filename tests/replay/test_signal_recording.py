"""Recordings of sampled signals: their windows, and what is said of broken files."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.replay import Recorded, Recording, SignalRecording, Signals, open_recording


def arrays(**changes: Any) -> dict[str, Any]:
    """Two sources of two channels, windows of 3 rows every 2: the first has 6 rows, the second 4."""
    return {
        "signal": np.array([range(10), range(100, 110)], np.int16),
        "scale": np.array([0.5, 0.25], np.float32),
        "offset": np.array([0, 6, 10]),
        "key": np.array(["a", "b"]),
        "start_ns": np.array([1_000, 1_005]),
        "period_ns": 10,
        "window_rows": 3,
        "hop_rows": 2,
    } | changes


def written(folder: Path, **changes: Any) -> SignalRecording:
    path = folder / "r.npz"
    np.savez_compressed(path, **arrays(**changes))
    return SignalRecording(path)


def value(first: int) -> bytes:
    rows = [(0.5 * row, 0.25 * (100 + row)) for row in range(first, first + 3)]
    return np.array(rows, "<f4").tobytes()


def test_windows_come_when_their_last_sample_does(tmp_path: Path) -> None:
    recording = written(tmp_path)
    expected = [Recorded(b"a", value(0)), Recorded(b"b", value(6)), Recorded(b"a", value(2))]
    assert recording.timestamp_ns().tolist() == [1_020, 1_025, 1_040]
    assert list(recording.events()) == expected
    assert list(islice(recording.events_for_ever(), 4)) == [*expected, expected[0]]


@pytest.mark.parametrize(("rows", "windows"), [(0, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)])
def test_a_window_is_whole_or_not_there(rows: int, windows: int) -> None:
    made = arrays(
        signal=np.zeros((2, rows + 3), np.int16),
        offset=np.array([0, rows, rows + 3]),
        start_ns=np.array([0, 10**9]),
    )
    source, first, _ = Signals(**made).windows()
    assert source.tolist() == [0] * windows + [1]
    assert first.tolist() == [*range(0, 2 * windows, 2), rows]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": np.ones(3, np.float32)}, "signal is [2, 10] and scale [3]"),
        ({"offset": np.array([0, 10])}, "2 keys need 3 offsets and 2 starts"),
        ({"offset": np.array([0, 6, 9])}, "offset must go from 0 to the 10 rows"),
        ({"offset": np.array([0, 11, 10])}, "offset must ascend"),
        ({"hop_rows": 0}, "must be positive"),
        ({"window_rows": 7}, "holds no events"),
        ({"key": np.array(["a", None])}, "pickle"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        written(tmp_path, **changes).timestamp_ns()
    assert str(raised.value).startswith(f"{tmp_path / 'r.npz'}: ")
    assert said in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        SignalRecording(path).timestamp_ns()
    np.savez(path, other=np.zeros(1))
    with pytest.raises(ConfigError, match=r"has no signal, scale, .*: it is no recording"):
        SignalRecording(path).timestamp_ns()
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"r\.npz: is no whole \.npz file"):
            SignalRecording(path).timestamp_ns()


def test_a_damaged_file(tmp_path: Path) -> None:
    recording = written(tmp_path)
    content = bytearray(recording.path.read_bytes())
    content[60:70] = bytes(10)  # in the first array
    recording.path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"r\.npz: is damaged: "):
        recording.timestamp_ns()


def test_the_name_says_which_kind_it_is(tmp_path: Path) -> None:
    assert isinstance(open_recording(tmp_path / "r.npz"), SignalRecording)
    assert isinstance(open_recording(tmp_path / "r.jsonl.gz"), Recording)
