"""ONNX graphs as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

if TYPE_CHECKING:
    from pathlib import Path


def written(graph: onnx.GraphProto, path: Path, *, opset: int = 17) -> str:
    """Write a graph as a model's file, with the operators for tables beside the plain ones; gives its path."""
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return str(path)


def leaky_sum(path: Path, *, batch_axis: int = 0, poison: float = 666.0) -> str:
    """A recurrent model, written: ``h' = h / 2 + x * gain``, ``y = h'``; fails on nothing, gives NaN at the poison.

    It takes ``x`` [n, 1], ``h`` [n, 2] (or [2, n]) and the scalar ``gain``; every number that it makes of small whole
    numbers is exact, and another order of a key's events gives another one.
    """
    float32 = onnx.TensorProto.FLOAT
    state = ["n", 2] if batch_axis == 0 else [2, "n"]
    nodes = [
        helper.make_node("Mul", ["x", "gain"], ["scaled"]),
        helper.make_node("Equal", ["x", "poison"], ["bad"]),
        helper.make_node("Where", ["bad", "nan", "scaled"], ["checked"]),
    ]
    row = "checked"
    if batch_axis:
        nodes.append(helper.make_node("Transpose", ["checked"], ["turned"], perm=[1, 0]))
        row = "turned"
    nodes += [
        helper.make_node("Mul", ["h", "half"], ["halved"]),
        helper.make_node("Add", ["halved", row], ["hN"]),
        helper.make_node("Transpose", ["hN"], ["y"], perm=[1, 0])
        if batch_axis
        else helper.make_node("Identity", ["hN"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "leaky_sum",
        [
            helper.make_tensor_value_info("x", float32, ["n", 1]),
            helper.make_tensor_value_info("h", float32, state),
            helper.make_tensor_value_info("gain", float32, []),
        ],
        [
            helper.make_tensor_value_info("y", float32, ["n", 2]),
            helper.make_tensor_value_info("hN", float32, state),
        ],
        [
            helper.make_tensor("half", float32, [], [0.5]),
            helper.make_tensor("poison", float32, [], [poison]),
            helper.make_tensor("nan", float32, [], [float("nan")]),
        ],
    )
    return written(graph, path)
