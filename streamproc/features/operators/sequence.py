"""A key's last events as a sequence, for convolutional and recurrent models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns
from streamproc.features.operators.operator import EVENTS_MAX, Need, View, field_of


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySequence:
    """The key's last events with some of their fields, ``[steps, features]``, oldest first, this event's own at the end.

    Attributes:
        fields: the fields of a step, side by side; a list counts with all its numbers.
        steps: how many events.
        when: only events for which this holds; null for all.
        fill: what stands in the steps that there were not yet, which come first.
        as_: the name of what is made.
    """

    fields: Sequence[str]
    steps: int
    when: str | None = None
    fill: float = 0.0
    as_: str = "sequence"

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= EVENTS_MAX:
            msg = f"steps must be from 1 to {EVENTS_MAX}, was {self.steps}"
            raise ValueError(msg)
        if not self.fields:
            msg = "fields must name at least one field"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """The steps."""
        return Need(tuple(self.fields), self.steps, None, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        kinds = [field_of(fields, name, single=False) for name in self.fields]
        if any(len(kind.shape) > 1 for kind in kinds):
            msg = "the fields of a step must be numbers or lists of numbers"
            raise ValueError(msg)
        width = sum(kind.size if kind.shape else 1 for kind in kinds)
        return {self.as_: FieldType("float64", (self.steps, width))}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        window = history.window(events=self.steps)
        parts = [history.values(window, name, view.columns) for name in self.fields]
        parts = [part[..., np.newaxis] if part.ndim == 2 else part for part in parts]  # noqa: PLR2004 - [n, steps]
        made = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        if not window.full and self.fill:
            made = np.where(window.member[:, :, np.newaxis], made, self.fill)
        return {self.as_: made}
