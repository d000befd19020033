"""Fewer bits a number: INT8 with scales that are found while it runs or on a recording, and FP16."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx

from streamproc.core import Columns
from streamproc.modeling.graphs import Graph

_CALIBRATION_BATCH = 32
_QUANTIZED = (
    *("Conv", "Gemm", "MatMul", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Add", "Mul", "Flatten", "Reshape", "Transpose", "Concat"),
)
"""What is computed with bytes. Not a softmax: a byte has 256 steps, and two classes that are close would be one."""


def dynamic_int8(model: Graph) -> Graph:
    """Weights as bytes, activations made bytes while it runs, by the range of each batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - half a second

    return _through_files(
        model, lambda source, target: quantize_dynamic(source, target, weight_type=QuantType.QInt8)
    )


def static_int8(model: Graph, calibration: Columns, *, reduced: bool) -> Graph:
    """Weights and activations as bytes, by ranges that are measured on events.

    Args:
        model: the model.
        calibration: events, by input [n, ...].
        reduced: whether weights use 7 of their 8 bits: without VNNI the product of an unsigned and a signed byte is
            summed up in pairs that saturate at 16 bits, and with 7 bits it cannot.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415

    reader = _calibration(calibration)
    return _through_files(
        model,
        lambda source, target: quantize_static(
            source,
            target,
            reader,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=reduced,
            op_types_to_quantize=list(_QUANTIZED),
        ),
    )


def half(model: Graph) -> Graph:
    """Weights and activations in half precision, inputs and outputs in single."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return convert_float_to_float16(copied, keep_io_types=True)


def _calibration(events: Columns) -> Any:  # noqa: ANN401 - onnxruntime has no types
    from onnxruntime.quantization import CalibrationDataReader  # noqa: PLC0415

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Gives the events in batches, once."""

        def __init__(self) -> None:
            self._batches = _batches(events)

        def get_next(self) -> Columns | None:
            return next(self._batches, None)

    return Reader()


def _batches(events: Columns) -> Iterator[Columns]:
    total = len(next(iter(events.values())))
    for at in range(0, total, _CALIBRATION_BATCH):
        yield {name: array[at : at + _CALIBRATION_BATCH] for name, array in events.items()}


def _through_files(model: Graph, make: Callable[[str, str], None]) -> Graph:
    """Onnxruntime's tools take files, and talk."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory(prefix="streamproc-optimize-") as folder:
            source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
            source.write_bytes(model.SerializeToString())
            make(str(source), str(target))
            return onnx.load(str(target))
    finally:
        logging.disable(level)
