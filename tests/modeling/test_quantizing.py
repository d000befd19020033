"""Fewer bits a number, and decisions that stay."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from streamproc.modeling.graphs import Graph
from streamproc.modeling.inference import run_in_batches
from streamproc.modeling.quantizing import dynamic_int8, half, static_int8
from tests.modeling.conftest import events, network

CALIBRATION = {"x": events(128)}


def _operators(model: Graph) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(
    ("make", "smaller", "operator"),
    [
        (dynamic_int8, 2.0, "DynamicQuantizeLinear"),
        (lambda model: static_int8(model, CALIBRATION, reduced=True), 1.5, "QuantizeLinear"),
        (half, 1.7, "Cast"),
    ],
    ids=["dynamic", "static", "half"],
)
def test_decisions_stay(make: Callable[[Graph], Graph], smaller: float, operator: str) -> None:
    model = network(normalised=False)
    made = make(model)
    assert operator in _operators(made)
    assert _weight_bytes(model) > smaller * _weight_bytes(made)
    x = {"x": events(200, seed=1)}
    wanted, given = (run_in_batches(one, x) for one in (model, made))
    assert given.dtype == np.float32
    assert (wanted.argmax(1) == given.argmax(1)).mean() > 0.9
    assert model == network(normalised=False), "what was given is left as it is"


def test_reduced_range_uses_seven_bits() -> None:
    reduced, full = (
        static_int8(network(normalised=False), CALIBRATION, reduced=r) for r in (True, False)
    )
    assert [_largest(model) for model in (reduced, full)] == [64, 127]


def _largest(model: Graph) -> int:
    arrays = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]
    return max(
        int(np.abs(a.astype(int)).max()) for a in arrays if a.dtype == np.int8 and a.ndim > 1
    )


def _weight_bytes(model: Graph) -> int:
    arrays = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]
    return sum(array.nbytes for array in arrays if array.ndim > 1)
