"""All techniques on a small model: rows that are true, a front, and a ladder that can be served."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from streamproc.core import SystemClock, VirtualClock
from streamproc.executors import Agreement, Model, ModelVariant, load_executors
from streamproc.modeling.graphs import load_graph
from streamproc.modeling.ladder import write_ladder
from streamproc.modeling.optimizing import Optimized, Settings, optimize
from streamproc.modeling.techniques import FULL, UNFUSED, Techniques
from streamproc.modeling.traffic import Traffic, read_npz
from tests.modeling.conftest import CLASSES, events, network

ROWS = [
    UNFUSED,
    FULL,
    "INT8, dynamic",
    "INT8, static, 8 bits",
    "INT8, static, 7 bits",
    "FP16",
    "pruned to 50%",
    "pruned to 50% + INT8, static, 7 bits",
]


class _Steps:
    """A clock on which each reading is later than the one before: every run takes equally long."""

    def __init__(self) -> None:
        self.clock = VirtualClock()

    def __call__(self) -> int:
        self.clock.advance(1_000)
        return self.clock.now_ns()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Optimized, Traffic]:
    folder = tmp_path_factory.mktemp("optimize")
    (folder / "m.onnx").write_bytes(network(normalised=False).SerializeToString())
    np.savez(
        folder / "e.npz", x=events(400), label=np.arange(400) % CLASSES, group=np.arange(400) // 20
    )
    traffic = read_npz(folder / "e.npz", ["x"])
    techniques = Techniques(keep=(0.5,), training=None)
    settings = Settings(batches=(1, 4), rounds=2, loss_max=0.05)
    model = load_graph(folder / "m.onnx")
    return optimize(model, traffic, techniques, settings, say=str, now_ns=_Steps()), traffic


def test_every_technique_has_its_row(found: tuple[Optimized, Traffic]) -> None:
    result, _ = found
    assert [row.candidate.name for row in result.rows] == ROWS
    assert not result.failed
    for row in result.rows:
        assert row.timings.keys() == {1, 4}
        assert row.speedups == {1: 1.0, 4: 1.0}, "on this clock all are equally quick"
    assert result.row(FULL).test.flips == 0
    assert result.row(UNFUSED).test.flips == 0
    assert result.row("INT8, dynamic").bytes_total < result.row(FULL).bytes_total


def test_what_loses_too_much_is_shown_and_not_served(found: tuple[Optimized, Traffic]) -> None:
    result, _ = found
    for row in result.rows:
        assert row.validation.loss is not None
        assert row.served == (row.candidate.fused and row.validation.loss <= 0.05)
        assert not row.front or row.served


def test_nothing_served_beats_the_front(found: tuple[Optimized, Traffic]) -> None:
    result, _ = found
    front = [row for row in result.rows if row.front]
    assert front
    for row in front:
        for other in result.rows:
            if other.served:
                better = (other.validation.loss or 0) < (row.validation.loss or 0)
                assert not better, "with equal times only the loss counts"


def test_the_ladder_is_served_as_it_is_written(
    found: tuple[Optimized, Traffic], tmp_path: Path
) -> None:
    result, traffic = found
    written = write_ladder(result, traffic.test, tmp_path / "ladder")
    assert {path.name for path in written} >= {"full.onnx", "events.npz", "model.yaml"}
    said = yaml.safe_load((tmp_path / "ladder" / "model.yaml").read_text())["model"]
    qualities = [variant["quality"] for variant in said["variants"]]
    assert qualities == sorted(set(qualities), reverse=True)
    variants = [
        ModelVariant(v["name"], str(tmp_path / "ladder" / v["path"]), v["quality"])
        for v in said["variants"]
    ]
    agreement = Agreement(
        str(tmp_path / "ladder" / said["agreement"]["path"]), said["agreement"]["at_least"]
    )
    executors = load_executors(Model(variants=variants, agreement=agreement), SystemClock())
    assert executors[0].info.variant == "full"
