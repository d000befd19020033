"""Quantiles of a key's last events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration
from streamproc.features.operators.operator import Need, View, field_of, window_name, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """Quantiles over the key's last events, this one among them; between two members in proportion.

    Attributes:
        field: the field.
        q: which quantiles, from 0 to 1; 0.5 is the median.
        events: the last so many events.
        time: the events of so long before this one happened, the beginning not included.
        max_events: of a window of ``time``, at most so many count, the last ones.
        when: only events for which this holds; null for all.
        fill: the value where there is no member.
        as_: the name of what is made, an array with a number for each of ``q``; ``price_50_quantile`` by default.
    """

    field: str
    q: Sequence[float] = (0.5,)
    events: int | None = None
    time: Duration | None = None
    max_events: int = 256
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        window_of(self.events, self.time, self.max_events)
        if not self.q or any(not 0 <= q <= 1 for q in self.q):
            msg = f"q must be numbers from 0 to 1, was {list(self.q)}"
            raise ValueError(msg)

    @property
    def _name(self) -> str:
        return self.as_ or f"{window_name(self.field, self.events, self.time)}_quantile"

    @property
    def need(self) -> Need | None:
        """The window."""
        size, time_ns = window_of(self.events, self.time, self.max_events)
        return Need((self.field,), size, time_ns, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {self._name: FieldType("float64", (len(self.q),))}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        size, time_ns = window_of(self.events, self.time, self.max_events)
        window = history.window(events=size, time_ns=time_ns)
        values = history.values(window, self.field, view.columns)
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
