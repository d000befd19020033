"""ONNX graphs as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import helper

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


def written(graph: onnx.GraphProto, path: Path) -> str:
    """Write a graph as a model's file; gives its path."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return str(path)
