"""The sensor demo's model: random convolution kernels, and one dense layer on how often each of them answers.

In the way of ROCKET (Dempster, Petitjean and Webb 2020): kernels are drawn, not learned; what is learned is one
linear layer, by ridge regression, in seconds and without a framework for networks. A kernel spans 9 samples,
1, 2, 4 or 8 apart, of some of the 6 channels. Its weights sum to zero in each channel, so the direction of
gravity, which is how the watch sits, says nothing to it; 12 plain features (mean and deviation of each channel)
say it beside them.

ROCKET pools a kernel's response by the share of it that is positive. Here the step is a ramp, as wide as half
of the response's deviation: a last bit that differs from one processor to another cannot flip a whole sample.
The ramp's place and width are folded into the convolution, so that a feature is ``mean(clip(conv(x), 0, 1))``.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from replay.sensor.dataset import WINDOW_ROWS, Float32Array, Float64Array

KERNELS: Final = 128
"""Of each dilation."""
DILATIONS: Final = (1, 2, 4, 8)
TAPS: Final = 9
RAMP: Final = 0.5
QUANTILES: Final = (0.05, 0.95)
"""A kernel's threshold is a quantile of its response, drawn between these."""
REFERENCE_WINDOWS: Final = 256
CHANNELS: Final = 6
FEATURES: Final = KERNELS * len(DILATIONS) + 2 * CHANNELS

OPSET: Final = 17
IR_VERSION: Final = 9
_CHUNK: Final = 512


@dataclass(frozen=True, slots=True)
class Layer:
    """Weight and bias: [kernels, channels, taps] of a convolution, [features, classes] of the dense layer."""

    weight: Float32Array
    bias: Float32Array


def draw_kernels(window: Float32Array, generator: np.random.Generator) -> list[Layer]:
    """Draw the kernels, one layer a dilation; places and widths of their ramps follow from some windows.

    Args:
        window: float32 [n, 100, 6], those that the model may know.
        generator: where the draws come from.
    """
    chosen = generator.permutation(len(window))[:REFERENCE_WINDOWS]
    reference = window[chosen].transpose(0, 2, 1)
    deviation = window.std(axis=(0, 1))
    layers = []
    for dilation in DILATIONS:
        weight = generator.normal(size=(KERNELS, CHANNELS, TAPS))
        weight -= weight.mean(axis=2, keepdims=True)
        for kernel in weight:
            count = generator.integers(1, CHANNELS + 1)
            kernel[generator.permutation(CHANNELS)[count:]] = 0.0
        weight /= deviation[:, None]
        response = responses(reference, weight, dilation)
        quantile = generator.uniform(*QUANTILES, size=KERNELS)
        place = np.array([np.quantile(response[:, k], q) for k, q in enumerate(quantile)])
        width = RAMP * response.std(axis=(0, 2))
        bias = 0.5 - place / width
        layers.append(
            Layer((weight / width[:, None, None]).astype(np.float32), bias.astype(np.float32))
        )
    return layers


def responses(signal: Float32Array, weight: Float64Array, dilation: int) -> Float64Array:
    """A convolution without padding, as numpy computes it.

    Args:
        signal: float32 [n, channels, rows].
        weight: float64 [kernels, channels, taps].
        dilation: samples from one tap to the next.

    Returns:
        float64 [n, kernels, rows - (taps - 1) * dilation].
    """
    rows = signal.shape[2] - (TAPS - 1) * dilation
    taps = [signal[:, :, tap * dilation : tap * dilation + rows] for tap in range(TAPS)]
    stacked = np.stack(taps, axis=2).reshape(len(signal), -1, rows)
    return np.asarray(weight.reshape(len(weight), -1) @ stacked.astype(np.float64))


def _feature_nodes(kernels: list[Layer]) -> tuple[list[Any], list[Any]]:
    """Nodes and tensors from ``window`` float32 [n, 100, 6] to ``features`` float32 [n, FEATURES]."""
    node = helper.make_node
    tensors = [
        numpy_helper.from_array(np.array(number, np.float32), name)
        for name, number in (("zero", 0.0), ("one", 1.0))
    ]
    nodes = [
        node("Transpose", ["window"], ["signal"], perm=[0, 2, 1]),
        node("ReduceMean", ["signal"], ["level"], axes=[2], keepdims=1),
        node("Sub", ["signal", "level"], ["swing"]),
        node("Mul", ["swing", "swing"], ["swing_squared"]),
        node("ReduceMean", ["swing_squared"], ["variance"], axes=[2], keepdims=0),
        node("Sqrt", ["variance"], ["deviation"]),
        node("ReduceMean", ["signal"], ["mean"], axes=[2], keepdims=0),
    ]
    shares = []
    for dilation, layer in zip(DILATIONS, kernels, strict=True):
        name = f"every_{dilation}"
        tensors.append(numpy_helper.from_array(layer.weight, f"{name}_weight"))
        tensors.append(numpy_helper.from_array(layer.bias, f"{name}_bias"))
        inputs = ["signal", f"{name}_weight", f"{name}_bias"]
        nodes += [
            node("Conv", inputs, [f"{name}_response"], dilations=[dilation]),
            node("Clip", [f"{name}_response", "zero", "one"], [f"{name}_answer"]),
            node("ReduceMean", [f"{name}_answer"], [f"{name}_share"], axes=[2], keepdims=0),
        ]
        shares.append(f"{name}_share")
    nodes.append(node("Concat", [*shares, "mean", "deviation"], ["features"], axis=1))
    return nodes, tensors


def _as_bytes(nodes: list[Any], tensors: list[Any], output: tuple[str, int], **about: str) -> bytes:
    name, size = output
    shape: list[str | int] = ["n", WINDOW_ROWS, CHANNELS]
    graph = helper.make_graph(
        nodes,
        "activity",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])],
        initializer=tensors,
    )
    model = helper.make_model(
        graph,
        producer_name="streamproc",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        doc_string="Which of seven shoulder exercises, from 2 s of a watch at 50 Hz.",
    )
    helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def features_onnx(kernels: list[Layer]) -> bytes:
    """The part before the dense layer: ``window`` in, ``features`` out; what the training runs."""
    return _as_bytes(*_feature_nodes(kernels), ("features", FEATURES))


def as_onnx(kernels: list[Layer], dense: Layer, label_names: tuple[str, ...]) -> bytes:
    """The whole model: ``window`` float32 [n, 100, 6] in, ``probabilities`` float32 [n, classes] out."""
    nodes, tensors = _feature_nodes(kernels)
    tensors.append(numpy_helper.from_array(dense.weight, "dense_weight"))
    tensors.append(numpy_helper.from_array(dense.bias, "dense_bias"))
    nodes += [
        helper.make_node("Gemm", ["features", "dense_weight", "dense_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    names = ",".join(label_names)
    return _as_bytes(nodes, tensors, ("probabilities", len(label_names)), classes=names)


def run_onnx(model: bytes, window: Float32Array) -> Float32Array:
    """The model's output for windows float32 [n, 100, 6], in onnxruntime on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = [
        session.run(None, {"window": window[start : start + _CHUNK]})[0]
        for start in range(0, len(window), _CHUNK)
    ]
    return np.concatenate(parts)
