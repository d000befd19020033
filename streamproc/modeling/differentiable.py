"""An ONNX graph as a function that jax can differentiate: what makes any such model trainable.

Only the operators of convolutional and dense networks are here; a model with another one is told so and is not
trained. jax is an extra (``streamproc[distill]``): its wheels for CPUs have 0.1 GB, those of torch bring CUDA's 2 GB.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from streamproc.core import ConfigError
from streamproc.modeling.graphs import Graph, attributes_of, tensors_of

Tensors: TypeAlias = Mapping[str, Any]
"""Arrays of numpy or jax by name."""
_Operator: TypeAlias = Callable[[list[Any], dict[str, Any], int], Any]


def jax_modules() -> tuple[Any, Any]:
    """``jax`` and ``jax.numpy``.

    Raises:
        ConfigError: jax is not installed.
    """
    try:
        import jax  # noqa: PLC0415 - an extra, and a second to import
        from jax import numpy  # noqa: PLC0415
    except ImportError as error:
        msg = "training needs jax, which is not installed: pip install 'streamproc[distill]'"
        raise ConfigError(msg) from error
    return jax, numpy


def function_of(model: Graph, output: str | None = None) -> Callable[[Tensors, Any], Any]:
    """The function ``(parameters, input) -> output`` that a model computes.

    Args:
        model: with one input.
        output: the tensor that is wanted; None takes the model's first output.

    Raises:
        ConfigError: it has an operator that cannot be trained here.
    """
    unknown = sorted({node.op_type for node in model.graph.node} - _OPERATORS.keys())
    if unknown:
        msg = f"cannot train a model with the operators {', '.join(unknown)}"
        raise ConfigError(msg)
    fixed = {name: a for name, a in tensors_of(model).items() if a.dtype != np.float32}
    wanted = output or model.graph.output[0].name
    nodes = [
        (_OPERATORS[n.op_type], list(n.input), list(n.output), attributes_of(n))
        for n in model.graph.node
    ]
    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    first = model.graph.input[0].name

    def run(parameters: Tensors, given: Any) -> Any:  # noqa: ANN401 - jax's arrays
        values: dict[str, Any] = {**fixed, **parameters, first: given, "": None}
        for operator, inputs, outputs, attributes in nodes:
            values[outputs[0]] = operator([values[name] for name in inputs], attributes, opset)
        return values[wanted]

    return run


def _convolution(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    """Along one axis as one product of matrices: XLA's own gradients of convolutions are slow on CPUs."""
    jax, jnp = jax_modules()
    x, weight = given[0], given[1]
    dimensions = weight.ndim - 2
    stride = attributes.get("strides", [1] * dimensions)
    dilation = attributes.get("dilations", [1] * dimensions)
    pads = attributes.get("pads", [0] * (2 * dimensions))
    groups = attributes.get("group", 1)
    if dimensions == 1 and groups == 1:
        x = jnp.pad(x, ((0, 0), (0, 0), (pads[0], pads[1])))
        taps = weight.shape[2]
        rows = (x.shape[2] - (taps - 1) * dilation[0] - 1) // stride[0] + 1
        last = (rows - 1) * stride[0] + 1
        shifted = [
            x[:, :, tap * dilation[0] : tap * dilation[0] + last : stride[0]] for tap in range(taps)
        ]
        columns = jnp.stack(shifted, axis=2).reshape(x.shape[0], -1, rows)
        made = jnp.einsum("oc,ncr->nor", weight.reshape(weight.shape[0], -1), columns)
    else:
        sides = list(zip(pads[:dimensions], pads[dimensions:], strict=True))
        made = jax.lax.conv_general_dilated(
            x, weight, stride, sides, rhs_dilation=dilation, feature_group_count=groups
        )
    if len(given) > 2:  # noqa: PLR2004 - the bias
        made = made + given[2].reshape(1, -1, *[1] * dimensions)
    return made


def _gemm(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    a = given[0].T if attributes.get("transA") else given[0]
    b = given[1].T if attributes.get("transB") else given[1]
    made = attributes.get("alpha", 1.0) * (a @ b)
    return made + attributes.get("beta", 1.0) * given[2] if len(given) > 2 else made  # noqa: PLR2004


def _mean(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    axes = attributes.get("axes") or (np.asarray(given[1]).tolist() if len(given) > 1 else None)
    keep = bool(attributes.get("keepdims", 1))
    return given[0].mean(axis=None if axes is None else tuple(axes), keepdims=keep)


def _clip(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    _, jnp = jax_modules()
    low = given[1] if len(given) > 1 else attributes.get("min")
    high = given[2] if len(given) > 2 else attributes.get("max")  # noqa: PLR2004
    return jnp.clip(given[0], low, high)


def _reshape(given: list[Any], _: dict[str, Any], __: int) -> Any:  # noqa: ANN401
    shape = np.asarray(given[1]).tolist()
    return given[0].reshape([given[0].shape[at] if n == 0 else n for at, n in enumerate(shape)])


def _flatten(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    axis = attributes.get("axis", 1)
    return given[0].reshape(int(np.prod(given[0].shape[:axis])), -1)


def _softmax(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    jax, _jnp = jax_modules()
    return jax.nn.softmax(given[0], axis=attributes.get("axis", -1))


def _normalise(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    """``BatchNormalization`` as it is served: by the statistics that the model holds."""
    x, scale, bias, mean, variance = given
    _, jnp = jax_modules()
    shape = (1, -1, *[1] * (x.ndim - 2))
    factor = scale / jnp.sqrt(variance + attributes.get("epsilon", 1e-5))
    return x * factor.reshape(shape) + (bias - mean * factor).reshape(shape)


def _of_jax(name: str) -> _Operator:
    def run(given: list[Any], _: dict[str, Any], __: int) -> Any:  # noqa: ANN401
        _, jnp = jax_modules()
        return getattr(jnp, name)(*given)

    return run


def _relu(given: list[Any], _: dict[str, Any], __: int) -> Any:  # noqa: ANN401
    _, jnp = jax_modules()
    return jnp.maximum(given[0], 0)


def _pool(given: list[Any], _: dict[str, Any], __: int) -> Any:  # noqa: ANN401
    return given[0].mean(axis=tuple(range(2, given[0].ndim)), keepdims=True)


def _sigmoid(given: list[Any], _: dict[str, Any], __: int) -> Any:  # noqa: ANN401
    jax, _jnp = jax_modules()
    return jax.nn.sigmoid(given[0])


def _concat(given: list[Any], attributes: dict[str, Any], _: int) -> Any:  # noqa: ANN401
    _, jnp = jax_modules()
    return jnp.concatenate(given, axis=attributes["axis"])


_OPERATORS: Mapping[str, _Operator] = {
    "Add": _of_jax("add"),
    "BatchNormalization": _normalise,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "Div": _of_jax("divide"),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _pool,
    "Identity": lambda given, _, __: given[0],
    "MatMul": _of_jax("matmul"),
    "Mul": _of_jax("multiply"),
    "ReduceMean": _mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Sqrt": _of_jax("sqrt"),
    "Sub": _of_jax("subtract"),
    "Tanh": _of_jax("tanh"),
    "Transpose": lambda given, attributes, _: given[0].transpose(attributes["perm"]),
}
