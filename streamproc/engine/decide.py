"""From the model's outputs to the decisions' ``output``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from streamproc.codecs import Fields, Labelled, Numbers, Objects, Outputs
from streamproc.core import (
    Array,
    Columns,
    ConfigError,
    EventBatch,
    Problem,
    TensorSpec,
    UserFunction,
)

_NUMBERS = "iuf"
_PLAIN = "biufU"
"""Kinds of columns that JSON can hold for sure: what else there is must be tried before it is promised."""


class Decider(Protocol):
    """Makes one output an event."""

    def decide(self, events: EventBatch, outputs: Columns) -> Outputs:
        """N outputs for n events.

        Args:
            events: the events.
            outputs: the model's outputs by name, each [n, ...].

        Raises:
            Exception: whatever the user's function raises; ValueError where the result does not fit,
                TypeError where JSON cannot hold it.
        """
        ...


class LabelDecider:
    """Names the label of the highest score: ``{"label": ..., "scores": [...]}``, in the labels' order.

    Args:
        labels: the classes, in the order of the scores.
        scores: True to add the scores.
        tensor: the model's output that holds them; None takes the first.
    """

    def __init__(self, labels: Sequence[str], *, scores: bool, tensor: str | None) -> None:
        self._labels = tuple(labels)
        self._texts = Labelled.texts_of(labels, scores=scores)
        self._scores = scores
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Outputs:
        """The label of each event; see ``Decider``."""
        scores = _output(outputs, self._tensor)
        wanted = (len(events), len(self._labels))
        if scores.shape != wanted:
            msg = (
                f"the model gave {list(scores.shape)}, "
                f"but {wanted[0]} events and {wanted[1]} labels need {list(wanted)}"
            )
            raise ValueError(msg)
        if scores.dtype.kind not in _NUMBERS:
            msg = f"the model's output is of type {scores.dtype}, labels need scores: numbers"
            raise TypeError(msg)
        if scores.dtype == np.float16:
            scores = scores.astype(np.float32)
        return Labelled(
            self._labels, self._texts, scores.argmax(axis=1), scores if self._scores else None
        )


class PlainDecider:
    """Gives the model's output as it is.

    Args:
        tensor: which of its outputs; None takes the first.
    """

    def __init__(self, *, tensor: str | None) -> None:
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Outputs:
        """A number or a list of numbers an event; see ``Decider``."""
        array = _output(outputs, self._tensor)
        if array.ndim == 0 or len(array) != len(events):
            msg = f"the model gave {list(array.shape)} for {len(events)} events"
            raise ValueError(msg)
        return Numbers(array) if array.dtype.kind in _NUMBERS else Objects.of(array.tolist())


class PythonDecider:
    """Calls ``function(batch, outputs, **options)``, which gives n objects, or columns by name.

    Args:
        function: the user's.
        options: keyword arguments for it.
    """

    def __init__(self, function: UserFunction, *, options: Mapping[str, object]) -> None:
        self._function = function
        self._options = dict(options)

    def decide(self, events: EventBatch, outputs: Columns) -> Outputs:
        """What the user's function gives; see ``Decider``."""
        made = self._function(events, outputs, **self._options)
        if isinstance(made, Mapping):
            columns = {name: np.asarray(column) for name, column in made.items()}
            if not columns or any(c.ndim == 0 or len(c) != len(events) for c in columns.values()):
                msg = f"the decide function gave columns that have not one row for each of {len(events)} events"
                raise ValueError(msg)
            if all(column.dtype.kind in _PLAIN for column in columns.values()):
                return Fields(columns)
            made = Fields(columns).objects()
        listed = made.tolist() if isinstance(made, np.ndarray) else list(made)  # type: ignore[call-overload]
        if len(listed) != len(events):
            msg = f"the decide function gave {len(listed)} results for {len(events)} events"
            raise ValueError(msg)
        return Objects.of(listed)


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
