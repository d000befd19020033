"""From the model's outputs to the decisions' ``output``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np

from streamproc.core import (
    Array,
    Columns,
    ConfigError,
    EventBatch,
    Problem,
    TensorSpec,
    UserFunction,
)

_DECIMALS = 6
"""Of scores: float32 holds seven significant digits, and a shorter text is quicker to write."""


class LabelOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """The class with the highest score, and the scores in the order of the labels."""

    label: str
    scores: list[float] | None = None


class Decider(Protocol):
    """Makes one output an event."""

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[object]:
        """N objects that JSON can hold, for n events.

        Args:
            events: the events.
            outputs: the model's outputs by name, each [n, ...].

        Raises:
            Exception: whatever the user's function raises; ValueError where the result does not fit.
        """
        ...


class LabelDecider:
    """Names the label of the highest score.

    Args:
        labels: the classes, in the order of the scores.
        scores: True to add the scores.
        tensor: the model's output that holds them; None takes the first.
    """

    def __init__(self, labels: Sequence[str], *, scores: bool, tensor: str | None) -> None:
        self._labels = list(labels)
        self._scores = scores
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[object]:
        """``LabelOutput`` an event; see ``Decider``."""
        scores = _output(outputs, self._tensor)
        if scores.shape != (len(events), len(self._labels)):
            msg = (
                f"the model gave {list(scores.shape)}, "
                f"but {len(events)} events and {len(self._labels)} labels need "
                f"{[len(events), len(self._labels)]}"
            )
            raise ValueError(msg)
        labels = self._labels
        best = scores.argmax(axis=1).tolist()
        if not self._scores:
            return [LabelOutput(labels[i]) for i in best]
        rounded = np.round(scores.astype(np.float64), _DECIMALS).tolist()
        return [LabelOutput(labels[i], row) for i, row in zip(best, rounded, strict=True)]


class PlainDecider:
    """Gives the model's output as it is.

    Args:
        tensor: which of its outputs; None takes the first.
    """

    def __init__(self, *, tensor: str | None) -> None:
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[object]:
        """A number or a list of numbers an event; see ``Decider``."""
        array = _output(outputs, self._tensor)
        if array.ndim == 0 or len(array) != len(events):
            msg = f"the model gave {list(array.shape)} for {len(events)} events"
            raise ValueError(msg)
        listed: list[object] = array.tolist()
        return listed


class PythonDecider:
    """Calls ``function(batch, outputs, **options)``, which gives n objects, or columns by name.

    Args:
        function: the user's.
        options: keyword arguments for it.
    """

    def __init__(self, function: UserFunction, *, options: Mapping[str, object]) -> None:
        self._function = function
        self._options = dict(options)

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[object]:
        """What the user's function gives; see ``Decider``."""
        made = self._function(events, outputs, **self._options)
        if isinstance(made, Mapping):
            columns = {name: np.asarray(column).tolist() for name, column in made.items()}
            if any(not isinstance(c, list) or len(c) != len(events) for c in columns.values()):
                msg = f"the decide function gave columns that have not one row for each of {len(events)} events"
                raise ValueError(msg)
            return [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        listed = made.tolist() if isinstance(made, np.ndarray) else list(made)  # type: ignore[call-overload]
        if len(listed) != len(events):
            msg = f"the decide function gave {len(listed)} results for {len(events)} events"
            raise ValueError(msg)
        return list(listed)


def check_labels(labels: Sequence[str], tensor: str | None, outputs: Sequence[TensorSpec]) -> None:
    """See that the model's output has one score a label.

    Raises:
        ConfigError: it has not, or has no such output.
    """
    if not outputs:
        return
    by_name = {spec.name: spec for spec in outputs}
    if tensor is not None and tensor not in by_name:
        raise ConfigError(
            Problem(
                f"the model has no output {tensor!r}: it has {', '.join(by_name)}", "output.tensor"
            )
        )
    spec = by_name[tensor] if tensor is not None else outputs[0]
    if labels and (len(spec.shape) != 1 or spec.shape[0] not in (None, len(labels))):
        text = (
            f"{len(labels)} labels, but the model's output {spec.name!r} has "
            f"{list(spec.shape)} numbers an event"
        )
        raise ConfigError(Problem(text, "output.labels"))


def _output(outputs: Columns, tensor: str | None) -> Array:
    return outputs[tensor] if tensor is not None else next(iter(outputs.values()))
