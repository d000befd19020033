"""From the model's outputs to the decisions' ``output``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import orjson

from streamproc.codecs import row_texts
from streamproc.core import (
    Array,
    Columns,
    ConfigError,
    EventBatch,
    Problem,
    TensorSpec,
    UserFunction,
)


class Decider(Protocol):
    """Makes one output an event."""

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[bytes]:
        """N objects that JSON can hold, for n events.

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
        self._count = len(labels)
        self._plain = [b'{"label":%b}' % orjson.dumps(label) for label in labels]
        self._scored = [b'{"label":%b,"scores":[' % orjson.dumps(label) for label in labels]
        self._scores = scores
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[bytes]:
        """The label of each event; see ``Decider``."""
        scores = _output(outputs, self._tensor)
        wanted = (len(events), self._count)
        if scores.shape != wanted:
            msg = (
                f"the model gave {list(scores.shape)}, "
                f"but {wanted[0]} events and {wanted[1]} labels need {list(wanted)}"
            )
            raise ValueError(msg)
        best = scores.argmax(axis=1).tolist()
        if not self._scores:
            return [self._plain[i] for i in best]
        return [
            self._scored[i] + row + b"]}"
            for i, row in zip(best, row_texts(np.ascontiguousarray(scores)), strict=True)
        ]


class PlainDecider:
    """Gives the model's output as it is.

    Args:
        tensor: which of its outputs; None takes the first.
    """

    def __init__(self, *, tensor: str | None) -> None:
        self._tensor = tensor

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[bytes]:
        """A number or a list of numbers an event; see ``Decider``."""
        array = _output(outputs, self._tensor)
        if array.ndim == 0 or len(array) != len(events):
            msg = f"the model gave {list(array.shape)} for {len(events)} events"
            raise ValueError(msg)
        return [orjson.dumps(row) for row in array.tolist()]


class PythonDecider:
    """Calls ``function(batch, outputs, **options)``, which gives n objects, or columns by name.

    Args:
        function: the user's.
        options: keyword arguments for it.
    """

    def __init__(self, function: UserFunction, *, options: Mapping[str, object]) -> None:
        self._function = function
        self._options = dict(options)

    def decide(self, events: EventBatch, outputs: Columns) -> Sequence[bytes]:
        """What the user's function gives; see ``Decider``."""
        made = self._function(events, outputs, **self._options)
        if isinstance(made, Mapping):
            columns = {name: np.asarray(column).tolist() for name, column in made.items()}
            if any(not isinstance(c, list) or len(c) != len(events) for c in columns.values()):
                msg = f"the decide function gave columns that have not one row for each of {len(events)} events"
                raise ValueError(msg)
            rows = zip(*columns.values(), strict=True)
            return [_json(dict(zip(columns, row, strict=True))) for row in rows]
        listed = made.tolist() if isinstance(made, np.ndarray) else list(made)  # type: ignore[call-overload]
        if len(listed) != len(events):
            msg = f"the decide function gave {len(listed)} results for {len(events)} events"
            raise ValueError(msg)
        return [_json(item) for item in listed]


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


def _json(item: object) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SERIALIZE_NUMPY)
