"""A variant that decides otherwise than the best one, on this machine, is not served."""

from pathlib import Path

import numpy as np
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from streamproc.core import Columns, ConfigError, SystemClock
from streamproc.executors import Agreement, Model, ModelVariant, check_agreement, load_executors
from streamproc.executors.models.agreement import agreeing
from streamproc.testing import FakeExecutor
from tests.executors.conftest import MakeModel
from tests.support.saturation import FEATURES, dense, has_vnni, saturating, scores_of


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, rows: np.ndarray) -> None:
        self._left = [{"x": rows}]

    def get_next(self) -> Columns | None:
        return self._left.pop() if self._left else None


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray:
    """Events as they come: bright ones, whose products are large."""
    rows = np.random.default_rng(0).uniform(0.6, 1.0, (400, FEATURES)).astype(np.float32)
    np.savez(tmp_path / "events.npz", x=rows)
    return rows


def quantized(full: str, rows: np.ndarray, *, reduced: bool) -> str:
    path = full.replace(".onnx", f"-{'reduced' if reduced else 'int8'}.onnx")
    quantize_static(
        full,
        path,
        _Calibration(rows),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        reduce_range=reduced,
    )
    return path


def ladder(full: str, cheap: str, agreement: Agreement) -> Model:
    variants = (ModelVariant("full", full), ModelVariant("int8", cheap, quality=0.9))
    return Model(variants=variants, agreement=agreement)


@pytest.mark.skipif(has_vnni(), reason="this processor multiplies bytes exactly (VNNI)")
def test_full_range_int8_is_refused_on_a_processor_without_vnni(
    make_model: MakeModel, rows: np.ndarray, tmp_path: Path
) -> None:
    full = make_model(dense())
    model = ladder(
        full, quantized(full, rows, reduced=False), Agreement(str(tmp_path / "events.npz"))
    )
    with pytest.raises(
        ConfigError, match=r"variant 'int8' decides as 'full' does on only"
    ) as raised:
        load_executors(model, SystemClock())
    assert raised.value.problems[0].key == "model.agreement"
    assert "reduced range" in raised.value.problems[0].message


def test_reduced_range_int8_is_served_on_any_processor(
    make_model: MakeModel, rows: np.ndarray, tmp_path: Path
) -> None:
    full = make_model(dense())
    model = ladder(
        full, quantized(full, rows, reduced=True), Agreement(str(tmp_path / "events.npz"))
    )
    executors = load_executors(model, SystemClock())
    shares = check_agreement(executors, model.agreement or Agreement(""))
    assert shares["int8"] >= 0.95


def test_what_saturates_is_refused_wherever_the_test_runs(
    make_model: MakeModel, rows: np.ndarray, tmp_path: Path
) -> None:
    """The same on a processor with VNNI: the sums of ``vpmaddubsw`` are made by hand."""
    (full,) = load_executors(Model(make_model(dense())), SystemClock())
    agreement = Agreement(str(tmp_path / "events.npz"))
    exact, broken = (
        FakeExecutor(lambda given, s=s: {"y": scores_of(given["x"], saturates=s)}, variant="int8")
        for s in (False, True)
    )
    assert check_agreement([full, exact], agreement)["int8"] >= 0.95
    with pytest.raises(ConfigError, match="is not served"):
        check_agreement([full, broken], agreement)


def test_pairs_of_products_saturate_at_16_bits() -> None:
    bright, heavy = np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8)
    assert saturating(bright, heavy) == 32_767
    assert saturating(bright, -heavy) == -32_768
    assert saturating(np.array([[100, 100]], np.uint8), heavy) == 25_400


@pytest.mark.parametrize(
    ("wanted", "given", "share"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], [[0.0, 9.0], [0.0, 1.0]], 0.5),
        ([[10.0], [0.0]], [[10.4], [0.6]], 0.5),
        (["a", "b"], ["a", "c"], 0.5),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], 0.0),
    ],
)
def test_what_deciding_alike_means(wanted: list[object], given: list[object], share: float) -> None:
    assert agreeing(np.array(wanted), np.array(given), 0.05) == share


def test_a_file_without_the_models_input(make_model: MakeModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", z=np.zeros(1))
    model = Model(make_model(dense()), agreement=Agreement(str(tmp_path / "other.npz")))
    with pytest.raises(ConfigError, match="has no input x") as raised:
        load_executors(model, SystemClock())
    assert raised.value.problems[0].key == "model.agreement.path"
