"""Decoded fields as the model's inputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamproc.core import Array, Columns, ConfigError, EventBatch, Problem, TensorSpec
from streamproc.features.inputs import fit, shape_fits


class FieldFeatures:
    """Gives decoded fields to the model as they are.

    A model with one input gets all fields side by side [n, d]. One with several gets, for each input, the
    field of the same name, or the one that ``names`` says.

    Args:
        fields: the fields, in order.
        widths: how many numbers each has.
        inputs: what the model takes; empty where it does not say.
        names: field by model input, where the names differ.

    Raises:
        ConfigError: the fields do not fit what the model takes.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        widths: Mapping[str, int],
        inputs: Sequence[TensorSpec],
        names: Mapping[str, str],
    ) -> None:
        if len(inputs) <= 1:
            spec = inputs[0] if inputs else None
            self._plan = [(spec.name if spec else "input", tuple(fields), spec)]
        else:
            self._plan = [(s.name, (names.get(s.name, s.name),), s) for s in inputs]
        self._check(fields, widths)

    def _check(self, fields: Sequence[str], widths: Mapping[str, int]) -> None:
        problems = []
        for name, used, spec in self._plan:
            missing = [field for field in used if field not in fields]
            if missing:
                text = f"the model's input {name!r} has no field: name it in model.inputs, or list {missing[0]!r} here"
                problems.append(Problem(text, "features"))
            elif spec is not None:
                width = sum(widths[field] for field in used)
                if not shape_fits((width,), spec.shape or (1,)):  # a column [n] is a matrix [n, 1]
                    text = (
                        f"{' + '.join(used)} make {width} numbers an event, but the model's input "
                        f"{name!r} takes {_size(spec)}"
                    )
                    problems.append(Problem(text, "features"))
        if problems:
            raise ConfigError(*problems)

    def build(self, events: EventBatch) -> Columns:
        """The inputs by name; see ``Features``."""
        return {
            name: fit(name, _side_by_side(events, used), spec, len(events))
            for name, used, spec in self._plan
        }


def _size(spec: TensorSpec) -> str:
    return " x ".join("any number" if size is None else str(size) for size in spec.shape) or "one"


def _side_by_side(events: EventBatch, fields: Sequence[str]) -> Array:
    """The fields as one matrix [n, d]; a single list field is not copied."""
    columns = [events[name] for name in fields]
    columns = [c[:, np.newaxis] if c.ndim == 1 else c for c in columns]
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
