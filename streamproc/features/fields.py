"""Decoded fields as the model's inputs."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from streamproc.core import Array, Columns, ConfigError, EventBatch, Problem, TensorSpec
from streamproc.features.inputs import fit, shape_fits


class FieldFeatures:
    """Gives decoded fields to the model as they are.

    A model with one input gets all fields side by side [n, d]. One with several gets, for each input, the
    field of the same name, or the one that ``names`` says.

    Args:
        fields: the fields, in order.
        shapes: the sizes of each, () for a single value.
        texts: those that are texts; a model takes them as an input of their own.
        inputs: what the model takes; empty where it does not say.
        names: field by model input, where the names differ.

    Raises:
        ConfigError: the fields do not fit what the model takes.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        shapes: Mapping[str, tuple[int, ...]],
        texts: Collection[str] = (),
        inputs: Sequence[TensorSpec],
        names: Mapping[str, str],
    ) -> None:
        if len(inputs) <= 1:
            spec = inputs[0] if inputs else None
            self._plan = [(spec.name if spec else "input", tuple(fields), spec)]
        else:
            self._plan = [(s.name, (names.get(s.name, s.name),), s) for s in inputs]
        self._check(fields, shapes, texts)

    def _check(
        self,
        fields: Sequence[str],
        shapes: Mapping[str, tuple[int, ...]],
        texts: Collection[str],
    ) -> None:
        problems = []
        for name, used, spec in self._plan:
            missing = [field for field in used if field not in fields]
            if missing:
                text = f"the model's input {name!r} has no field: name it in model.inputs, or list {missing[0]!r} here"
                problems.append(Problem(text, "features"))
            elif (mistaken := _mistaken(name, used, spec, texts)) is not None:
                problems.append(Problem(mistaken, "features"))
            elif spec is not None:
                shape = _shape_of([shapes[field] for field in used])
                if not shape_fits(shape, spec.shape or (1,)):  # a column [n] is a matrix [n, 1]
                    made = (
                        f"{' x '.join(map(str, shape))} {'texts' if spec.dtype == 'object' else 'numbers'}"
                        if shape
                        else "arrays of several sizes"
                    )
                    text = (
                        f"{' + '.join(used)} make {made} an event, but the model's input "
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


def _mistaken(
    name: str, used: Sequence[str], spec: TensorSpec | None, texts: Collection[str]
) -> str | None:
    """What is wrong with the kinds of fields that make an input; None for nothing."""
    words = [field for field in used if field in texts]
    numbers = [field for field in used if field not in texts]
    if spec is None:
        if words and numbers:
            return f"{words[0]} is a text and {numbers[0]} is not: they do not go side by side"
        return None
    if spec.dtype == "object" and numbers:
        return f"the model's input {name!r} takes texts, {numbers[0]} is none"
    if spec.dtype != "object" and words:
        return f"the model's input {name!r} takes {spec.dtype}, {words[0]} is a text: it takes an input of its own"
    return None


def _shape_of(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What fields make together: one as it is, several side by side; () where that cannot be."""
    if len(shapes) == 1:
        return shapes[0] or (1,)
    if any(len(shape) > 1 for shape in shapes):
        return ()
    return (sum(shape[0] if shape else 1 for shape in shapes),)


def _size(spec: TensorSpec) -> str:
    return " x ".join("any number" if size is None else str(size) for size in spec.shape) or "one"


def _side_by_side(events: EventBatch, fields: Sequence[str]) -> Array:
    """The fields as one matrix [n, d]; a single list field is not copied."""
    columns = [events[name] for name in fields]
    columns = [c[:, np.newaxis] if c.ndim == 1 else c for c in columns]
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
