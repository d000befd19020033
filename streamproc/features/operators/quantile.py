"""Quantiles of a key's last events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns
from streamproc.features.operators.operator import View, field_of
from streamproc.features.operators.windowed import Windowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile(Windowed):
    """Quantiles over the key's last events, this one among them; between two members in proportion.

    Attributes:
        q: which quantiles, from 0 to 1; 0.5 is the median.
        as_: the name of what is made, an array with a number for each of ``q``; ``price_50_quantile`` by default.
    """

    q: Sequence[float] = (0.5,)

    def __post_init__(self) -> None:
        Windowed.__post_init__(self)
        if not self.q or any(not 0 <= q <= 1 for q in self.q):
            msg = f"q must be numbers from 0 to 1, was {list(self.q)}"
            raise ValueError(msg)

    @property
    def _name(self) -> str:
        return self.as_ or f"{self._window_name}_quantile"

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {self._name: FieldType("float64", (len(self.q),))}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        window, values = self._members(view)
        if not window.full:
            values = np.where(window.member, values, np.inf)  # behind all members
        ordered = np.sort(values, axis=1)
        row, last = np.arange(len(view)), np.maximum(window.count - 1, 0)
        made = np.empty((len(view), len(self.q)))
        for place, q in enumerate(self.q):
            at = last * q
            below = np.floor(at).astype(np.int64)
            low, high = ordered[row, below], ordered[row, np.minimum(below + 1, last)]
            with np.errstate(invalid="ignore"):  # where there is no member
                made[:, place] = np.where(
                    window.count > 0, low + (high - low) * (at - below), self.fill
                )
        return {self._name: made}
