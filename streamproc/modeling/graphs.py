"""ONNX graphs as values: what every technique of this room reads and writes.

A technique takes a ``ModelProto`` and gives another; none changes what it was given.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from streamproc.core import Array, ConfigError

Graph = Any
"""``onnx.ModelProto``, whose package has no types."""


def load_graph(path: Path) -> Graph:
    """Read a model's file, its tensors in single precision where they are only kept in half.

    Args:
        path: the ONNX file.

    Raises:
        ConfigError: it is none.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        raise ConfigError(text) from error
    except Exception as error:  # protobuf's and the checker's errors have no common ancestor
        text = f"{path} is no ONNX model: {str(error).splitlines()[0]}"
        raise ConfigError(text) from error
    return unpacked(model)


def save_graph(model: Graph, path: Path) -> None:
    """Write a model's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def copy_of(model: Graph) -> Graph:
    """A model that may be changed."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    return other


def tensors_of(model: Graph) -> dict[str, Array]:
    """The model's constant tensors by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def with_tensors(model: Graph, tensors: Mapping[str, Array]) -> Graph:
    """The model with other values, or shapes, of some constant tensors."""
    other = copy_of(model)
    for tensor in other.graph.initializer:
        if tensor.name in tensors:
            tensor.CopyFrom(numpy_helper.from_array(tensors[tensor.name], tensor.name))
    return other


def readers_of(model: Graph, name: str) -> list[Any]:
    """The nodes that take a tensor."""
    return [node for node in model.graph.node if name in node.input]


def attributes_of(node: Any) -> dict[str, Any]:  # noqa: ANN401 - onnx has no types
    """A node's attributes by name."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def parameters_total(model: Graph) -> int:
    """How many numbers the model's constant tensors hold."""
    return sum(int(array.size) for array in tensors_of(model).values())


def unpacked(model: Graph) -> Graph:
    """Constants that a ``Cast`` makes of stored ones as constants: a file may keep its weights in half the bytes."""
    other = copy_of(model)
    stored = tensors_of(other)
    kept: list[Any] = []
    for node in other.graph.node:
        if node.op_type != "Cast" or node.input[0] not in stored:
            kept.append(node)
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes_of(node)["to"])
        array = stored[node.input[0]].astype(dtype)
        other.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    del other.graph.node[:]
    other.graph.node.extend(kept)
    return _without_unread(other)


def packed(model: Graph) -> Graph:
    """The model with its float32 constants of more than one dimension kept as float16, and a ``Cast`` behind each."""
    other = copy_of(model)
    casts: list[Any] = []
    for tensor in other.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.ndim < 2:  # noqa: PLR2004 - biases weigh nothing
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *other.graph.node]
    del other.graph.node[:]
    other.graph.node.extend(nodes)
    return other


def _without_unread(model: Graph) -> Graph:
    read = {name for node in model.graph.node for name in node.input}
    read |= {output.name for output in model.graph.output}
    _keep(model.graph.initializer, [t for t in model.graph.initializer if t.name in read])
    return model


def _keep(field: Any, kept: Iterable[Any]) -> None:  # noqa: ANN401 - a repeated field
    copies = list(kept)
    del field[:]
    field.extend(copies)
