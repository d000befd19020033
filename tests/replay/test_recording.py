"""Recordings: what they hold, and what is said of broken ones."""

import gzip
from itertools import islice
from pathlib import Path

import pytest

from streamproc.core import ConfigError
from streamproc.replay import Recorded, Recording

LINES = (
    b'{"timestamp_ns": 5, "key": "a", "value": {"x": 1.50, "y": [1, 2]}}\n'
    b'{"timestamp_ns": 7, "key": null, "value": {}}\n'
)


def written(folder: Path, content: bytes, name: str = "r.jsonl") -> Recording:
    path = folder / name
    path.write_bytes(content)
    return Recording(path)


@pytest.mark.parametrize("zipped", [False, True])
def test_it_is_read_as_it_was_written(tmp_path: Path, zipped: bool) -> None:
    content, name = (gzip.compress(LINES), "r.jsonl.gz") if zipped else (LINES, "r.jsonl")
    recording = written(tmp_path, content, name)
    first, second = Recorded(b"a", b'{"x": 1.50, "y": [1, 2]}'), Recorded(None, b"{}")
    assert recording.timestamp_ns().tolist() == [5, 7]
    assert list(recording.events()) == [first, second]
    assert list(islice(recording.events_for_ever(), 3)) == [first, second, first]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "r.jsonl: holds no events"),
        (LINES + b'{"timestamp_ns": 6}\n', "r.jsonl:3: is earlier than the line before"),
        (LINES + b"{]\n", "r.jsonl:3: JSON is malformed"),
        (b'{"key": "a"}\n', "r.jsonl:1: Object missing required field `timestamp_ns`"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    recording = written(tmp_path, content)
    with pytest.raises(ConfigError) as raised:
        recording.timestamp_ns()
    assert said in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Recording(tmp_path / "none.jsonl").timestamp_ns()


def test_a_cut_gzip_file(tmp_path: Path) -> None:
    recording = written(tmp_path, gzip.compress(LINES * 50)[:-20], "r.jsonl.gz")
    with pytest.raises(ConfigError, match="ends in the middle"):
        recording.timestamp_ns()
