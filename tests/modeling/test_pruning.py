"""Whole channels are taken out, and what is left fits together."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from streamproc.core import ConfigError
from streamproc.modeling.graphs import tensors_of
from streamproc.modeling.inference import run_in_batches
from streamproc.modeling.pruning import pruned
from tests.modeling.conftest import events, network, weights

X = {"x": events(32)}


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in tensors_of(model).items()}


def test_half_of_the_channels_go_from_all_that_hold_them() -> None:
    assert shapes(pruned(network(), 0.5)) == {
        "w0": (8, 3, 3),
        "b0": (8,),
        "w1": (16, 8, 5),
        "b1": (16,),
        **dict.fromkeys(("scale", "shift", "mean", "variance"), (16,)),
        "w2": (16, 4),
        "b2": (4,),
    }


def test_channels_that_say_nothing_go_first_and_nothing_changes() -> None:
    silent = np.arange(32) % 2 == 0
    changed = weights()
    changed["w1"] = np.where(silent[:, None, None], 0, changed["w1"]).astype(np.float32)
    changed["b1"] = np.where(silent, 0, changed["b1"]).astype(np.float32)
    changed["w0"][::2], changed["b0"][::2] = 0, 0
    model = network(changed, normalised=False)
    small = pruned(model, 0.5)
    np.testing.assert_allclose(
        run_in_batches(small, X), run_in_batches(model, X), rtol=1e-4, atol=1e-6
    )


@settings(max_examples=12, deadline=None)
@given(keep=st.floats(0.01, 1.0))
def test_whatever_is_kept_runs_and_is_never_larger(keep: float) -> None:
    small = pruned(network(), keep)
    onnx.checker.check_model(small, full_check=True)
    assert run_in_batches(small, X).shape == (32, 4)
    assert shapes(small)["w1"][0] <= 32


def test_the_model_that_was_given_is_left_as_it_is() -> None:
    model = network()
    before = model.SerializeToString()
    pruned(model, 0.5)
    assert model.SerializeToString() == before


def test_all_kept_is_the_same_model() -> None:
    assert pruned(network(), 1.0) == network()


def test_a_sum_of_two_ways_keeps_its_channels() -> None:
    """A residual network: the channels of both ways must stay together."""
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Conv", ["x", "w"], ["a"], kernel_shape=[1]),
            node("Conv", ["x", "v"], ["b"], kernel_shape=[1]),
            node("Add", ["a", "b"], ["y"]),
        ],
        "residual",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8, 16])],
        [numpy_helper.from_array(np.ones((8, 3, 1), np.float32), name) for name in "wv"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(ConfigError, match="no convolution of this model can lose channels"):
        pruned(model, 0.5)
