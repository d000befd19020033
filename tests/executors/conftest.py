"""Tiny ONNX models, made where they are needed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.models import written

WEIGHTS = np.array([[1, -2], [0.5, 3], [0, 1]], np.float32)
BIAS = np.array([0.25, -1], np.float32)
MakeModel = Callable[..., str]


def linear(batch: str | int, columns: int = 3) -> onnx.GraphProto:
    """``y = x @ WEIGHTS + BIAS`` with x [batch, 3], or with rows of zeros below WEIGHTS."""
    weights = np.zeros((columns, 2), np.float32)
    weights[: len(WEIGHTS)] = WEIGHTS
    return helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, columns])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(BIAS, "b")],
    )


def identities(inputs: Sequence[tuple[str, int, Sequence[str | int]]]) -> onnx.GraphProto:
    """Every input comes out again, as ``<name>_out``."""
    return helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name, _, _ in inputs],
        "identities",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(f"{name}_out", kind, shape) for name, kind, shape in inputs],
    )


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Write a graph as a model file; gives its path."""

    def make(graph: onnx.GraphProto, name: str = "model.onnx") -> str:
        return written(graph, tmp_path / name)

    return make
