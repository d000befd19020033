"""What a model computes and moves: operations and bytes of each operator, out of its shapes."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import onnx
from onnx import shape_inference

from streamproc.core import ConfigError
from streamproc.modeling.graphs import Graph, attributes_of, copy_of

_FREE = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Constant", "Shape"})
"""Operators that move nothing: they name the same memory otherwise."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operator costs, as its shapes say.

    Attributes:
        operator: its kind.
        name: the node's, or its first output's.
        flops: operations; a multiplication with its addition is two.
        bytes_moved: its inputs, weights and outputs, each once.
        weight_bytes: of its constants.
    """

    operator: str
    name: str
    flops: int
    bytes_moved: int
    weight_bytes: int

    @property
    def intensity(self) -> float:
        """Operations a byte: below what the machine can do a byte, memory is what is waited for."""
        return self.flops / self.bytes_moved if self.bytes_moved else 0.0


def costs_of(model: Graph, batch: int) -> list[Cost]:
    """The costs of each node for a batch.

    Args:
        model: the model, every axis but the first of its inputs known.
        batch: events.

    Raises:
        ConfigError: the shapes cannot be known.
    """
    shapes, sizes = _shapes(model, batch)
    constants = {tensor.name for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        used = [name for name in node.input if name]
        unknown = [name for name in (*used, *node.output) if name and name not in shapes]
        if unknown:
            msg = f"the shape of {unknown[0]!r} cannot be known: export the model with fixed inner axes"
            raise ConfigError(msg)
        moved = 0 if node.op_type in _FREE else _bytes((*used, *node.output), shapes, sizes)
        found.append(
            Cost(
                node.op_type,
                node.name or node.output[0],
                0 if node.op_type in _FREE else _flops(node, shapes),
                moved,
                _bytes((name for name in used if name in constants), shapes, sizes),
            )
        )
    return found


def activation_bytes_max(model: Graph, batch: int) -> int:
    """The most memory that tensors between operators take at the same time, each freed behind its last reader."""
    shapes, sizes = _shapes(model, batch)
    constants = {tensor.name for tensor in model.graph.initializer}
    last = {name: at for at, node in enumerate(model.graph.node) for name in node.input}
    kept = {output.name for output in model.graph.output}
    alive = {tensor.name for tensor in model.graph.input} - constants
    most = 0
    for at, node in enumerate(model.graph.node):
        alive |= {name for name in node.output if name}
        most = max(most, _bytes(alive, shapes, sizes))
        alive = {name for name in alive if name in kept or last.get(name, -1) > at}
    return most


def _flops(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:  # noqa: ANN401 - onnx has no types
    out = shapes[node.output[0]]
    if node.op_type == "Conv":
        weight = shapes[node.input[1]]
        return 2 * prod(out) * prod(weight[1:])
    if node.op_type in ("Gemm", "MatMul"):
        axis = 0 if node.op_type == "Gemm" and attributes_of(node).get("transA") else -1
        return 2 * prod(out) * shapes[node.input[0]][axis]
    if node.op_type.startswith(("Reduce", "GlobalAverage", "GlobalMax", "Softmax")):
        return prod(shapes[node.input[0]])
    return 0 if node.op_type in ("Transpose", "Concat", "Cast") else prod(out)


def _shapes(model: Graph, batch: int) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """By tensor its shape, and the bytes of one of its numbers."""
    fixed = copy_of(model)
    for tensor in fixed.graph.input:
        dimensions = tensor.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].dim_value:
            dimensions[0].dim_value = batch
    for tensor in fixed.graph.output:
        tensor.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(fixed, data_prop=True)
    shapes: dict[str, tuple[int, ...]] = {}
    sizes: dict[str, int] = {}
    graph = inferred.graph
    for info in (*graph.input, *graph.value_info, *graph.output):
        kind = info.type.tensor_type
        dimensions = [d.dim_value for d in kind.shape.dim]
        if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            shapes[info.name] = tuple(dimensions)
            sizes[info.name] = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
        sizes[tensor.name] = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return shapes, sizes


def _bytes(names: Iterable[str], shapes: dict[str, tuple[int, ...]], sizes: dict[str, int]) -> int:
    return sum(prod(shapes[name]) * sizes[name] for name in names if name)
