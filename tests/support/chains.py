"""Three models that make one: numbers are scaled, decided on, and made probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.support.models import written

if TYPE_CHECKING:
    from pathlib import Path

    from streamproc.core import Array

MEAN = np.array([1, 2, 3], np.float32)
DEVIATION = np.array([2, 4, 0.5], np.float32)
WEIGHTS = np.array([[1, -2], [0.5, 3], [0, 1]], np.float32)
FLOAT, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.STRING


class ChainFiles(NamedTuple):
    """The files: ``raw`` [n, 3] -> ``scaled``; ``x`` [n, 3] -> ``y`` [n, 2]; ``logits`` [n, 2] -> ``scores``."""

    scale: str
    linear: str
    softmax: str


def chain_files(folder: Path, *, opsets: tuple[int, int, int] = (13, 17, 15)) -> ChainFiles:
    """Write them, each with another set of operators unless they are told."""
    scale = helper.make_graph(
        [
            helper.make_node("Sub", ["raw", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "deviation"], ["scaled"]),
        ],
        "scale",
        [helper.make_tensor_value_info("raw", FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("scaled", FLOAT, ["n", 3])],
        [
            numpy_helper.from_array(MEAN, "mean"),
            numpy_helper.from_array(DEVIATION, "deviation"),
        ],
    )
    linear = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["n", 2])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    softmax = helper.make_graph(
        [helper.make_node("Softmax", ["logits"], ["scores"], axis=-1)],
        "softmax",
        [helper.make_tensor_value_info("logits", FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("scores", FLOAT, ["n", 2])],
    )
    return ChainFiles(
        written(scale, folder / "scale.onnx", opset=opsets[0]),
        written(linear, folder / "linear.onnx", opset=opsets[1]),
        written(softmax, folder / "softmax.onnx", opset=opsets[2]),
    )


def expected(raw: Array) -> Array:
    """What they give together for ``raw`` [n, 3]: float32 [n, 2]."""
    y = (raw - MEAN) / DEVIATION @ WEIGHTS
    e = np.exp(y - y.max(axis=1, keepdims=True))
    scores: Array = e / e.sum(axis=1, keepdims=True)
    return scores
