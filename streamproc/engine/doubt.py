"""Which answers of a model are unsure: an expression over its outputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    ConfigError,
    Float64Array,
    Problem,
    TensorSpec,
)
from streamproc.features import Expression

MARGIN = "margin"
TOP = "top"
_NUMBERS = "iuf"


class Doubt:
    """Marks the answers that a better variant should give.

    ``margin`` is the highest score less the second highest, ``top`` the highest; of a single score an event they are those
    of it and of its complement to 1. The scores are taken as the model gives them. Besides them, the model's outputs that
    are one number an event have their own names.

    Args:
        unsure: the condition, such as ``margin < 0.2``.
        outputs: what the model gives; empty where it does not say.
        tensor: the output with the scores; None takes the first.
        key: where the condition stands in the configuration.

    Raises:
        ConfigError: it is no condition about what the model gives.
    """

    def __init__(
        self,
        unsure: str,
        *,
        outputs: Sequence[TensorSpec] = (),
        tensor: str | None = None,
        key: str = "model.cascade.unsure",
    ) -> None:
        single = {
            spec.name: spec.dtype for spec in outputs if all(size == 1 for size in spec.shape)
        }
        fields: Mapping[str, str] = {**single, MARGIN: "float64", TOP: "float64"}
        try:
            self._expression = Expression.parse(unsure, fields)
        except ValueError as error:
            raise ConfigError(Problem(str(error), key)) from None
        if not self._expression.is_condition:
            text = f"must be a condition, such as margin < 0.2, was a number: {unsure!r}"
            raise ConfigError(Problem(text, key))
        self._of_scores = not self._expression.fields.isdisjoint((MARGIN, TOP))
        self._tensor = tensor

    def of(self, outputs: Columns, n: int) -> BoolArray:
        """The unsure ones among n answers, bool [n].

        Args:
            outputs: the model's, each [n, ...].
            n: how many.

        Raises:
            ValueError, TypeError: the outputs have no scores, where the condition is about them.
        """
        columns: dict[str, Array] = {}
        for name in self._expression.fields - {MARGIN, TOP}:
            columns[name] = outputs[name].reshape(n)
        if self._of_scores:
            scores = outputs[self._tensor] if self._tensor else next(iter(outputs.values()))
            columns[MARGIN], columns[TOP] = _margin_and_top(scores)
        return self._expression.mask(columns, n)


def _margin_and_top(scores: Array) -> tuple[Float64Array, Float64Array]:
    """The highest score less the second highest, and the highest; each float64 [n].

    Args:
        scores: numbers [n] or [n, c]; of one column it is the score of the first of two classes.
    """
    if scores.dtype.kind not in _NUMBERS:
        msg = (
            f"a cascade needs scores that are numbers, the model's output is of type {scores.dtype}"
        )
        raise TypeError(msg)
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    if flat.shape[1] == 1:
        flat = np.concatenate((flat, 1.0 - flat), axis=1)
    if flat.shape[1] == 2:  # noqa: PLR2004 - a difference is quicker than a partition
        top = flat.max(axis=1)
        return top - flat.min(axis=1), top
    highest = np.partition(flat, -2, axis=1)[:, -2:]
    return highest[:, 1] - highest[:, 0], highest[:, 1]
