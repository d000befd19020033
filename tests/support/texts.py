"""A model that takes texts, and gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

from tests.support.models import written

if TYPE_CHECKING:
    from pathlib import Path

FLOAT, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.STRING
SIDES = {"buy": 1.0, "sell": -1.0}
WORDS = {"buy": "bought", "sell": "sold"}


def small_letters(path: Path) -> str:
    """``typed`` text [n, 1] -> ``small``, the same in small letters, by an operator of onnxruntime-extensions, written."""
    domain = "ai.onnx.contrib"
    graph = helper.make_graph(
        [helper.make_node("StringLower", ["typed"], ["small"], domain=domain)],
        "small letters",
        [helper.make_tensor_value_info("typed", TEXT, ["n", 1])],
        [helper.make_tensor_value_info("small", TEXT, ["n", 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return str(path)


def side_model(path: Path) -> str:
    """``side`` text [n, 1] and ``price`` [n, 1] -> ``signed`` [n, 1] and ``word`` text [n, 1], written.

    ``signed`` is the price, as it is for buy, negative for sell, and 0 for a side that it does not know; ``word`` says it in words.
    """
    node, tables = helper.make_node, "ai.onnx.ml"
    signs = {"keys_strings": list(SIDES), "values_floats": list(SIDES.values())}
    words = {"keys_strings": list(WORDS), "values_strings": list(WORDS.values())}
    nodes = [
        node("LabelEncoder", ["side"], ["sign"], domain=tables, **signs, default_float=0.0),
        node("LabelEncoder", ["side"], ["word"], domain=tables, **words, default_string="?"),
        node("Mul", ["sign", "price"], ["signed"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sides",
        [
            helper.make_tensor_value_info("side", TEXT, ["n", 1]),
            helper.make_tensor_value_info("price", FLOAT, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("signed", FLOAT, ["n", 1]),
            helper.make_tensor_value_info("word", TEXT, ["n", 1]),
        ],
    )
    return written(graph, path)
