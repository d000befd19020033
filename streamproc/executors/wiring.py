"""Between events and a model's own inputs: constants are added, and state stands with the batch where the model has it.

For whoever calls an executor every tensor has one row an event. A model may take a number that is the same for all
(``sr``), and state whose batch is not the first axis (``[layers, batch, features]``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from streamproc.core import Array, Columns, ConfigError, Problem, StateSpec, TensorSpec
from streamproc.executors.batch_axis import batch_max_of
from streamproc.executors.state_options import ModelState

Constant: TypeAlias = bool | int | float | str | Sequence[bool | int | float | str]
"""A model's input that is the same for all events."""


@dataclass(frozen=True, slots=True)
class Wires:
    """What of a model's inputs does not come from the events.

    Attributes:
        constants: inputs that are the same for all events.
        shapes: by input, the sizes behind the batch axis, where its file leaves them open.
        state: what is carried; None for nothing.
        key: where these stand in the configuration.
    """

    constants: Mapping[str, Constant] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    state: ModelState | None = None
    key: str = "model"


class Port(NamedTuple):
    """An input or output as a runtime tells it; an axis whose size is open has a name, or None."""

    name: str
    dtype: str
    axes: tuple[int | str | None, ...]


class Wiring:
    """A model's inputs and outputs, as whoever calls it sees them.

    Args:
        inputs: the model's own.
        outputs: likewise.
        wires: what does not come from the events.
        path: the model's file.
        key: where it stands in the configuration.

    Attributes:
        inputs: those that the events fill.
        outputs: those that decisions are made of.
        state: what is carried.
        batch_max: the largest batch that it takes; None where there is no limit.

    Raises:
        ConfigError: the model has no such inputs or outputs, or they do not fit one another.
    """

    def __init__(
        self, inputs: Sequence[Port], outputs: Sequence[Port], wires: Wires, path: str, key: str
    ) -> None:
        self._path = path
        self._key = wires.key
        ports = {port.name: port for port in inputs}
        carried = {} if wires.state is None else dict(wires.state.inputs)
        for where, names in (
            ("constants", wires.constants),
            ("shapes", wires.shapes),
            ("state.inputs", carried),
        ):
            self._see(names, ports, where, "input")
        self._see(carried.values(), [port.name for port in outputs], "state.inputs", "output")
        self._constants: dict[str, Array] = {
            name: _constant(ports[name], value, f"{wires.key}.constants.{name}")
            for name, value in wires.constants.items()
        }
        fed = [p for p in inputs if p.name not in carried and p.name not in self._constants]
        sizes = wires.shapes
        self.inputs = tuple(_spec(p, sizes.get(p.name), f"{wires.key}.shapes") for p in fed)
        given = {port.name: port for port in outputs}
        self.outputs = tuple(_spec(p, None, "") for p in outputs if p.name not in carried.values())
        fixed = {size for port in fed for size in port.axes[:1] if isinstance(size, int)}
        self.batch_max = batch_max_of(fixed, path, key)
        batch = next((port.axes[0] for port in fed if port.axes), None)
        axes = {} if wires.state is None else wires.state.batch_axis
        self._axis: dict[str, int] = {}
        state = []
        for name, output in carried.items():
            at = f"model.state.inputs.{name}"
            axis = self._axis[name] = _batch_axis(ports[name], batch, axes.get(name), at)
            state.append(_state(ports[name], given[output], axis, sizes.get(name), at))
        self.state = tuple(state)
        self._plain = not (self._constants or self.state)

    def given(self, inputs: Columns) -> Columns:
        """What the model is to be run with, for inputs that have one row an event."""
        if self._plain:
            return inputs
        count = len(next(iter(inputs.values())))
        whole = {**inputs, **self._constants}
        for spec in self.state:
            rows = inputs.get(spec.input)
            if rows is None:
                rows = np.zeros((count, *spec.shape), spec.dtype)
            # Some runtimes copy what does not lie in one piece, and some read it as if it did.
            whole[spec.input] = np.ascontiguousarray(np.moveaxis(rows, 0, self._axis[spec.input]))
        return whole

    def made(self, outputs: Columns) -> Columns:
        """The model's outputs with one row an event each."""
        if not self.state:
            return outputs
        return outputs | {
            spec.output: np.moveaxis(outputs[spec.output], self._axis[spec.input], 0)
            for spec in self.state
        }

    def _see(self, names: Iterable[str], there: Collection[str], where: str, what: str) -> None:
        for name in names:
            if name not in there:
                text = f"{self._path} has no {what} {name!r}: it has {', '.join(there)}"
                raise ConfigError(Problem(text, f"{self._key}.{where}"))


def _constant(port: Port, value: Constant, key: str) -> Array:
    """A constant as the model takes it."""
    sizes = [size if isinstance(size, int) else -1 for size in port.axes]
    written = np.asarray(value)
    try:
        if (port.dtype == "object") != (written.dtype.kind == "U"):
            msg = "a text is no number"
            raise ValueError(msg)  # noqa: TRY301 - one text for all that it is not
        array = written.astype(port.dtype)
        if written.dtype.kind in "bi" and not np.array_equal(array, written):
            msg = "it does not fit"
            raise ValueError(msg)  # noqa: TRY301
        if written.dtype.kind == "f" and array.dtype.kind != "f":
            msg = "it is no whole number"
            raise ValueError(msg)  # noqa: TRY301
        return array.reshape(array.shape if sizes.count(-1) > 1 else sizes)
    except ValueError as error:
        shape = "x".join(str(size) for size in port.axes) or "one"
        text = f"{value!r} is not what the model takes ({port.dtype}, {shape}): {error}"
        raise ConfigError(Problem(text, key)) from None


def _spec(port: Port, sizes: Sequence[int] | None, key: str) -> TensorSpec:
    """What an event has of an input or output."""
    return TensorSpec(port.name, port.dtype, _sized(port, port.axes[1:], sizes, key))


def _sized(
    port: Port, axes: Sequence[int | str | None], sizes: Sequence[int] | None, key: str
) -> tuple[int | None, ...]:
    """The sizes of axes: the file's, and where it leaves them open those that are written."""
    told = [size if isinstance(size, int) else None for size in axes]
    if sizes is None:
        return tuple(told)
    if len(sizes) != len(told) or any(
        is_ not in (None, wanted) for is_, wanted in zip(told, sizes, strict=True)
    ):
        text = f"{list(sizes)} does not fit the model's {list(axes)} behind the batch axis"
        raise ConfigError(Problem(text, f"{key}.{port.name}"))
    return tuple(sizes)


def _batch_axis(port: Port, batch: int | str | None, written: int | None, key: str) -> int:
    """Which axis of a carried tensor is the batch: the one that is called as the other inputs' first axis is."""
    axes = port.axes
    if written is not None:
        if not 0 <= written < len(axes):
            text = f"must be one of the {len(axes)} axes of {port.name!r}, from 0, was {written}"
            raise ConfigError(Problem(text, f"model.state.batch_axis.{port.name}"))
        return written
    named = [place for place, size in enumerate(axes) if size == batch and size is not None]
    open_ = [place for place, size in enumerate(axes) if not isinstance(size, int)]
    for found in (named, open_):
        if len(found) == 1:
            return found[0]
    text = (
        f"which axis of {list(axes)} is the batch cannot be seen: write "
        f"batch_axis: {{{port.name}: 0}}, or another number"
    )
    raise ConfigError(Problem(text, key))


def _state(port: Port, output: Port, axis: int, sizes: Sequence[int] | None, key: str) -> StateSpec:
    """A carried tensor; what gives it has to fit what takes it."""
    shape = _sized(port, _without(port.axes, axis), sizes, "model.shapes")
    whole = tuple(size for size in shape if size is not None)
    if len(whole) < len(shape):
        text = (
            f"the file leaves the sizes of {port.name!r} open, {list(port.axes)}: write "
            f"model.shapes: {{{port.name}: [...]}}, without the batch axis"
        )
        raise ConfigError(Problem(text, key))
    given = output.axes
    alike = len(given) == len(port.axes) and all(
        size == wanted or not isinstance(size, int)
        for size, wanted in zip(_without(given, axis), whole, strict=True)
    )
    if not alike or output.dtype != port.dtype:
        text = (
            f"{output.name!r} is {output.dtype}{list(given)}, "
            f"{port.name!r} takes {port.dtype}{list(port.axes)}: they must be alike"
        )
        raise ConfigError(Problem(text, key))
    if np.dtype(port.dtype).kind not in "iufb":
        text = f"{port.name!r} is {port.dtype}: only numbers are carried"
        raise ConfigError(Problem(text, key))
    return StateSpec(port.name, output.name, port.dtype, whole)


def _without(axes: Sequence[int | str | None], axis: int) -> tuple[int | str | None, ...]:
    return (*axes[:axis], *axes[axis + 1 :])
