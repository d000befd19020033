"""Structured pruning: whole channels are taken out of convolutions, so that what is left is a smaller dense model.

Channels are ranked by the L1 norm of their weights (Li and others 2017). Only a convolution whose output goes to
one other weighted operator, with nothing between them but what treats channels apart, can lose channels: others, such
as those of residual sums, stay as they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamproc.core import Array, ConfigError, Float64Array, Int64Array
from streamproc.modeling.graphs import Graph, attributes_of, readers_of, tensors_of, with_tensors

_APART = frozenset(
    {"Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "Identity", "MaxPool", "AveragePool"}
)
"""Operators that treat each channel for itself."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A convolution that can lose channels.

    Attributes:
        weight: its weight, [out, in, ...].
        vectors: what has one number a channel: its bias, the numbers of a normalisation behind it.
        reader: the weight that takes its channels.
        axis: along which it takes them.
    """

    weight: str
    vectors: tuple[str, ...]
    reader: str
    axis: int


def pruned(model: Graph, keep: float) -> Graph:
    """The model with a part of the channels of each convolution that can lose some.

    Args:
        model: the model.
        keep: the part that stays, above 0 and at most 1; of each convolution at least one channel, and a multiple of
            eight where there are so many, since that many fit a vector register.

    Raises:
        ConfigError: no convolution of it can lose channels.
    """
    links = _links(model)
    if not links:
        msg = "no convolution of this model can lose channels: each feeds several operators, or is the last"
        raise ConfigError(msg)
    tensors = tensors_of(model)
    changed: dict[str, Array] = {}

    def now(name: str) -> Array:
        return changed.get(name, tensors[name])

    for link in links:
        # By what the channel weighs before anything was taken out, so that the order of links does not matter.
        norms = np.abs(tensors[link.weight].astype(np.float64)).reshape(len(now(link.weight)), -1)
        kept = _largest(norms.sum(axis=1), keep)
        changed[link.weight] = now(link.weight)[kept]
        for name in link.vectors:
            changed[name] = now(name)[kept]
        changed[link.reader] = np.take(now(link.reader), kept, axis=link.axis)
    return with_tensors(model, changed)


def _largest(norms: Float64Array, keep: float) -> Int64Array:
    total = len(norms)
    count = max(1, round(keep * total))
    if count >= 8:  # noqa: PLR2004 - a register's floats
        count = min(total, 8 * round(count / 8))
    return np.sort(np.argsort(-norms, kind="stable")[:count]).astype(np.int64)


def _links(model: Graph) -> list[_Link]:
    tensors = tensors_of(model)
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv" or attributes_of(node).get("group", 1) != 1:
            continue
        if node.input[1] not in tensors or _shared(model, node.input[1]):
            continue
        link = _link(model, node, tensors)
        if link is not None:
            found.append(link)
    return found


def _link(model: Graph, node: Any, tensors: dict[str, Array]) -> _Link | None:  # noqa: ANN401 - a node
    vectors = [name for name in node.input[2:] if name]
    place, pooled = node.output[0], False
    while True:
        readers = readers_of(model, place)
        if len(readers) != 1 or any(place == output.name for output in model.graph.output):
            return None
        (reader,) = readers
        if reader.op_type == "BatchNormalization":
            vectors += reader.input[1:5]
        elif reader.op_type == "GlobalAveragePool":
            pooled = True
        elif reader.op_type == "Flatten" and not pooled:
            return None
        elif reader.op_type not in _APART | {"Flatten"}:
            taken = _taken(reader, place, tensors)
            if taken is None or not all(name in tensors for name in vectors):
                return None
            return _Link(node.input[1], tuple(vectors), *taken)
        place = reader.output[0]


def _taken(reader: Any, place: str, tensors: dict[str, Array]) -> tuple[str, int] | None:  # noqa: ANN401
    """The weight of an operator that takes channels, and along which axis."""
    attributes = attributes_of(reader)
    axes = {"Conv": 1, "Gemm": int(attributes.get("transB", 0)), "MatMul": 0}
    if reader.op_type not in axes or reader.input[0] != place or attributes.get("transA"):
        return None
    if attributes.get("group", 1) != 1 or reader.input[1] not in tensors:
        return None
    return reader.input[1], axes[reader.op_type]


def _shared(model: Graph, name: str) -> bool:
    return len(readers_of(model, name)) > 1
