"""A small convolutional network, and events on which it decides."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.modeling.inference import run_in_batches

CHANNELS, ROWS, CLASSES = 3, 16, 4


def network(
    tensors: Mapping[str, np.ndarray] | None = None, *, normalised: bool = True
) -> onnx.ModelProto:
    """Two convolutions, a normalisation, the mean over time, a dense layer: x [n, 3, 16] to p [n, 4].

    Args:
        tensors: values for some constants.
        normalised: whether the second convolution has a normalisation behind it.
    """
    return _network(weights() | dict(tensors or {}), normalised=normalised)


def _network(made: Mapping[str, np.ndarray], *, normalised: bool) -> onnx.ModelProto:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w0", "b0"], ["c0"], kernel_shape=[3], pads=[1, 1]),
        node("Relu", ["c0"], ["r0"]),
        node("Conv", ["r0", "w1", "b1"], ["c1"], kernel_shape=[5], strides=[2], pads=[2, 2]),
    ]
    if normalised:
        nodes.append(
            node("BatchNormalization", ["c1", "scale", "shift", "mean", "variance"], ["n1"])
        )
    nodes += [
        node("Relu", ["n1" if normalised else "c1"], ["r1"]),
        node("GlobalAveragePool", ["r1"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "w2", "b2"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
    ]
    read = {name for one in nodes for name in one.input}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, ROWS])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in made.items() if name in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def weights() -> dict[str, np.ndarray]:
    """Drawn ones, with a last bias that makes each class about equally common: decisions that vary."""
    return {name: array.copy() for name, array in _centred().items()}


@cache
def _centred() -> dict[str, np.ndarray]:
    made = _drawn()
    scores = np.log(run_in_batches(_network(made, normalised=False), {"x": events(256)}))
    made["w2"] *= 8
    made["b2"] = (8 * (made["b2"] - scores.mean(axis=0))).astype(np.float32)
    return made


def _drawn() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3).normal
    shapes = {
        "w0": (16, CHANNELS, 3),
        "b0": (16,),
        "w1": (32, 16, 5),
        "b1": (32,),
        "scale": (32,),
        "shift": (32,),
        "mean": (32,),
        "w2": (32, CLASSES),
        "b2": (CLASSES,),
    }
    made = {name: (0.4 * draw(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    made["variance"] = np.full(32, 2.0, np.float32)
    return made


def events(count: int, seed: int = 0) -> np.ndarray:
    """float32 [count, 3, 16]: four kinds of waves in noise."""
    generator = np.random.default_rng(seed)
    kind = np.arange(count) % CLASSES
    phase = generator.uniform(0, 6, (count, CHANNELS, 1))
    waves = np.sin((kind[:, None, None] + 1) * np.linspace(0, 6, ROWS) + phase)
    return np.asarray(waves + 0.1 * generator.normal(size=waves.shape), np.float32)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    path.write_bytes(network().SerializeToString())
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Events of twenty sources, with their truth."""
    path = tmp_path / "events.npz"
    np.savez(path, x=events(400), label=np.arange(400) % CLASSES, group=np.arange(400) // 20)
    return path
