"""Inputs and labels out of a recording, by the features that serve."""

from pathlib import Path

import numpy as np
import pytest

from streamproc.config import parse
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError
from streamproc.modeling.recorded import traffic_of
from streamproc.modeling.traffic import Traffic
from streamproc.runtime import Pipeline
from tests.modeling.recordings import CONFIG, KEYS, drawn, write_model, write_recording


def traffic(folder: Path, *, label: str | None = None, keys: int = KEYS, **more: int) -> Traffic:
    write_model(folder / "m.onnx")
    write_recording(folder / "day.mcap", keys=keys)
    loaded = parse(CONFIG, folder=folder, overrides=['model={"path": "m.onnx"}'])
    reader = CaptureReader(folder / "day.mcap")
    return traffic_of(Pipeline.from_file(loaded), reader.records, label=label, **more)


def expected(keys: int = KEYS) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, 2] of the trades, and int64 [n] whether they go up, by a plain loop."""
    x, quote, up = drawn()
    rows = []
    for row in np.flatnonzero(~quote):
        mine = x[row % keys : row + 1 : keys][-3:]
        total = 0.0
        for value in mine:
            total += value
        rows.append((total / len(mine), 2 * x[row]))
    return np.array(rows).astype(np.float32), up[~quote].astype(np.int64)


@pytest.mark.parametrize("label", ["truth", "place"])
def test_inputs_and_labels_are_those_of_the_events_that_are_decided(
    label: str, tmp_path: Path
) -> None:
    found = traffic(tmp_path, label=label)
    inputs, truth = expected()
    parts = (found.train, found.validation, found.test)
    assert sum(len(part) for part in parts) == len(inputs)
    wanted = sorted(zip(map(bytes, inputs), truth.tolist(), strict=True))
    got = [
        pair
        for part in parts
        for pair in zip(map(bytes, part.inputs["f"]), part.label.tolist(), strict=True)  # type: ignore[union-attr]
    ]
    assert sorted(got) == wanted


def test_the_parts_share_no_key(tmp_path: Path) -> None:
    found = traffic(tmp_path)
    groups = [set(part.group.tolist()) for part in (found.train, found.validation, found.test)]
    assert [len(some) for some in groups] == [12, 4, 4]
    assert len(set.union(*groups)) == KEYS
    assert found.test.label is None


def test_of_few_keys_they_are_stretches_of_time(tmp_path: Path) -> None:
    found = traffic(tmp_path, keys=1)
    inputs, _ = expected(keys=1)
    together = np.concatenate([p.inputs["f"] for p in (found.train, found.validation, found.test)])
    assert together.tobytes() == inputs.tobytes()  # one after the other


def test_of_a_long_recording_every_so_manyth_event_is_taken(tmp_path: Path) -> None:
    found = traffic(tmp_path, keys=1, events_max=300)
    inputs, _ = expected(keys=1)
    together = np.concatenate([p.inputs["f"] for p in (found.train, found.validation, found.test)])
    assert together.tobytes() == inputs[::4].tobytes()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("nothing", "the codec reads no such field: there are x, kind, truth, place"),
        ("kind", "'trade' is none of output.labels: down, up"),
        ("x", "must be whole numbers, or texts"),
    ],
)
def test_labels_that_cannot_be(label: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        traffic(tmp_path, label=label)
