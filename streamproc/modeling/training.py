"""Fitting a model's constants to given outputs: labels for a teacher, a teacher's outputs for its students.

Distillation as of Hinton, Vinyals and Dean 2015, without a temperature: cross-entropy against the probabilities of
the teacher. Adam (Kingma and Ba 2015), its rate falling as half a cosine.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from streamproc.core import Float32Array
from streamproc.modeling.differentiable import function_of, jax_modules
from streamproc.modeling.graphs import Graph, tensors_of, with_tensors

Augment: TypeAlias = Callable[[Float32Array, np.random.Generator], Float32Array]
"""Makes of a batch of inputs another that has the same answers."""
_BETA_1, _BETA_2, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Training:
    """How a model is fitted.

    Attributes:
        epochs: how often each example is seen.
        batch_size: examples a step.
        rate: the largest step of a parameter, at the beginning.
        weight_decay: how much of a weight is taken away a step, as a part of the rate.
        seed: of the order of the examples, and of their changes.
    """

    epochs: int = 20
    batch_size: int = 64
    rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "rate"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be above 0, was {getattr(self, name)}"
                raise ValueError(msg)


def fit(
    model: Graph,
    inputs: Float32Array,
    targets: Float32Array,
    options: Training,
    *,
    fixed: Collection[str] = (),
    augment: Augment | None = None,
) -> Graph:
    """The model with its float32 constants fitted.

    Args:
        model: with one input and one output; where the output is a softmax the loss is the cross-entropy,
            else the mean square.
        inputs: float32 [n, ...].
        targets: float32 [n, ...], the outputs that are wanted.
        options: how.
        fixed: names of constants that stay.
        augment: changes the inputs of each step.

    Raises:
        ConfigError: jax is not there, or the model has an operator that cannot be trained.
    """
    jax, jnp = jax_modules()
    all_tensors = tensors_of(model)
    stay = {n: a for n, a in all_tensors.items() if n in fixed or a.dtype != np.float32}
    held = {n: a for n, a in stay.items() if a.dtype == np.float32}
    parameters = {n: jnp.asarray(a) for n, a in all_tensors.items() if n not in stay}
    loss = _loss_of(model, held)

    def step(parameters: Any, moments: Any, count: Any, rate: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
        gradient = jax.grad(loss)(parameters, x, y)
        first = jax.tree.map(lambda m, g: _BETA_1 * m + (1 - _BETA_1) * g, moments[0], gradient)
        second = jax.tree.map(
            lambda m, g: _BETA_2 * m + (1 - _BETA_2) * g * g, moments[1], gradient
        )

        def moved(p: Any, a: Any, b: Any) -> Any:  # noqa: ANN401
            down = (a / (1 - _BETA_1**count)) / (jnp.sqrt(b / (1 - _BETA_2**count)) + _TINY)
            decay = options.weight_decay * p if p.ndim > 1 else 0.0
            return p - rate * (down + decay)

        return jax.tree.map(moved, parameters, first, second), (first, second)

    compiled = jax.jit(step)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    moments: Any = (zeros, zeros)
    generator = np.random.default_rng(options.seed)
    size = min(options.batch_size, len(inputs))
    steps = max(1, len(inputs) // size)
    count = 0
    for _ in range(options.epochs):
        order = generator.permutation(len(inputs))
        for at in range(steps):
            chosen = order[at * size : (at + 1) * size]
            x = inputs[chosen] if augment is None else augment(inputs[chosen], generator)
            done = count / (options.epochs * steps)
            rate = options.rate * 0.5 * (1 + np.cos(np.pi * done))
            count += 1
            parameters, moments = compiled(
                parameters, moments, np.float32(count), np.float32(rate), x, targets[chosen]
            )
    return with_tensors(model, {n: np.asarray(a) for n, a in parameters.items()})


def _loss_of(model: Graph, held: dict[str, Any]) -> Callable[[Any, Any, Any], Any]:
    jax, jnp = jax_modules()
    output = model.graph.output[0].name
    last = next(node for node in model.graph.node if output in node.output)
    if last.op_type == "Softmax":
        scores = function_of(model, last.input[0])

        def cross_entropy(parameters: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
            logs = jax.nn.log_softmax(scores({**held, **parameters}, x), axis=-1)
            return -(y * logs).sum(axis=-1).mean()

        return cross_entropy
    run = function_of(model)

    def square(parameters: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
        return jnp.square(run({**held, **parameters}, x) - y).mean()

    return square
