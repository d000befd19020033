"""Recorded events in three parts that share no source."""

from pathlib import Path

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.modeling.traffic import read_npz


def test_parts_share_no_group(recording: Path) -> None:
    traffic = read_npz(recording, ["x"])
    groups = [set(part.group) for part in (traffic.train, traffic.validation, traffic.test)]
    assert [len(some) for some in groups] == [12, 4, 4]
    assert len(set.union(*groups)) == 20
    assert sum(map(len, (traffic.train, traffic.validation, traffic.test))) == 400
    assert traffic.test.label is not None
    assert len(traffic.train.first(7)) == 7


def test_parts_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "said.npz"
    part = np.array(["test", "train", "validation", "train"])
    np.savez(path, x=np.arange(4.0), part=part, group=np.zeros(4))
    traffic = read_npz(path, ["x"])
    assert traffic.train.inputs["x"].tolist() == [1, 3]
    assert traffic.test.inputs["x"].tolist() == [0]
    assert traffic.test.label is None


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"y": np.zeros(9)}, "has no input x: it has y"),
        ({"x": np.zeros(9), "group": np.zeros(9)}, "has nothing for the part"),
    ],
)
def test_what_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], text: str) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match=text):
        read_npz(path, ["x"])


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_npz(tmp_path / "none.npz", ["x"])
