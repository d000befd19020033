"""The sensor demo's teacher: a convolutional network of half a million weights, to be made cheaper by `optimize`.

Four convolutions along time, each followed by ReLU, the mean over time, one dense layer. What it takes and gives is
what `activity.onnx` takes and gives: `window` float32 [n, 100, 6], `probabilities` float32 [n, 7].
"""

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from replay.sensor.dataset import WINDOW_ROWS, Float32Array
from replay.sensor.network import CHANNELS, IR_VERSION, OPSET

CONVOLUTIONS: Final = ((96, 9, 2), (128, 7, 2), (192, 5, 1), (256, 5, 2))
"""Channels, taps and stride of each: 462,503 weights with the dense layer."""
SCALING: Final = ("mean", "deviation")
"""The constants that are measured, not fitted."""


def untrained(window: Float32Array, classes: int, generator: np.random.Generator) -> Any:  # noqa: ANN401
    """The network before its training, as ONNX: weights as of He and others 2015.

    Args:
        window: float32 [n, 100, 6], those that it may know: their mean and deviation are its scaling.
        classes: how many.
        generator: where the weights come from.
    """
    tensors: dict[str, Float32Array] = {
        "mean": window.mean(axis=(0, 1)).astype(np.float32),
        "deviation": window.std(axis=(0, 1)).astype(np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Sub", ["window", "mean"], ["centred"]),
        node("Div", ["centred", "deviation"], ["scaled"]),
        node("Transpose", ["scaled"], ["signal"], perm=[0, 2, 1]),
    ]
    before, channels = "signal", CHANNELS
    for number, (out, taps, stride) in enumerate(CONVOLUTIONS):
        name = f"layer_{number}"
        spread = np.sqrt(2 / (channels * taps))
        weight = generator.normal(0, spread, (out, channels, taps))
        tensors[f"{name}_weight"] = weight.astype(np.float32)
        tensors[f"{name}_bias"] = np.zeros(out, np.float32)
        pads = [taps // 2, taps // 2]
        inputs = [before, f"{name}_weight", f"{name}_bias"]
        nodes += [
            node("Conv", inputs, [f"{name}_sum"], strides=[stride], pads=pads, kernel_shape=[taps]),
            node("Relu", [f"{name}_sum"], [name]),
        ]
        before, channels = name, out
    dense = generator.normal(0, np.sqrt(1 / channels), (channels, classes))
    tensors["dense_weight"] = dense.astype(np.float32)
    tensors["dense_bias"] = np.zeros(classes, np.float32)
    nodes += [
        node("GlobalAveragePool", [before], ["pooled"]),
        node("Flatten", ["pooled"], ["features"]),
        node("Gemm", ["features", "dense_weight", "dense_bias"], ["scores"]),
        node("Softmax", ["scores"], ["probabilities"], axis=-1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "sensor_teacher",
        [value("window", TensorProto.FLOAT, ["n", WINDOW_ROWS, CHANNELS])],
        [value("probabilities", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    return model


def otherwise_worn(window: Float32Array, generator: np.random.Generator) -> Float32Array:
    """The same windows as of a watch that sits, and an arm that moves, a little otherwise.

    Args:
        window: float32 [n, 100, 6].
        generator: where the changes come from.
    """
    angle = generator.normal(0, 0.15, (len(window), 3))
    one = np.ones(len(window))
    # A small rotation: the identity and the cross product with the angles.
    turn = np.array(
        [
            [one, -angle[:, 2], angle[:, 1]],
            [angle[:, 2], one, -angle[:, 0]],
            [-angle[:, 1], angle[:, 0], one],
        ]
    ).transpose(2, 0, 1)
    turned = np.concatenate(
        [np.einsum("nij,ntj->nti", turn, window[:, :, part : part + 3]) for part in (0, 3)], axis=2
    )
    gain = generator.normal(1, 0.1, (len(window), 1, 6))
    noise = generator.normal(0, 0.05, window.shape)
    return np.asarray(turned * gain + noise, np.float32)
