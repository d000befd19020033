"""Statistics of a key's last events: rolling count, sum, mean, standard deviation, least, most, rate, z-score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration
from streamproc.features.operators.operator import (
    NUMBER,
    Need,
    View,
    field_of,
    window_name,
    window_of,
)
from streamproc.features.operators.statistics import Statistic, Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """Statistics over the key's last events, this one among them.

    Each is a function of the members of the window alone, which are taken in the order of their offsets: nothing is
    added and taken off again, so that nothing drifts, and a restart gives the same bits.

    Attributes:
        field: the field.
        take: which statistics: ``count``, ``sum``, ``mean``, ``std`` and ``variance`` (of the sample, n - 1), ``min``,
            ``max``, ``rate`` (members per second, for ``time``), ``z_score`` (how many ``std`` this event's own value
            lies above the ``mean``).
        events: the last so many events.
        time: the events of so long before this one happened, the beginning not included.
        max_events: of a window of ``time``, at most so many count, the last ones; it bounds the memory for each key.
        when: only events for which this holds; null for all.
        fill: the value of a statistic that there is not: of no members, the deviation of one, the score where all
            members are alike.
        as_: what the names of the statistics begin with; ``price_50`` or ``price_5s`` by default.
    """

    field: str
    take: Sequence[Statistic]
    events: int | None = None
    time: Duration | None = None
    max_events: int = 256
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        window_of(self.events, self.time, self.max_events)
        known = get_args(Statistic)
        if not self.take or any(name not in known for name in self.take):
            msg = f"take must name some of {', '.join(known)}, was {list(self.take)}"
            raise ValueError(msg)
        if "rate" in self.take and self.time is None:
            msg = "rate is for a window of time: write time, or take count"
            raise ValueError(msg)

    @property
    def _begin(self) -> str:
        return self.as_ or window_name(self.field, self.events, self.time)

    @property
    def need(self) -> Need | None:
        """The window."""
        size, time_ns = window_of(self.events, self.time, self.max_events)
        return Need((self.field,), size, time_ns, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {f"{self._begin}_{name}": NUMBER for name in self.take}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        size, time_ns = window_of(self.events, self.time, self.max_events)
        window = history.window(events=size, time_ns=time_ns)
        values = history.values(window, self.field, view.columns)
        made = Statistics(window, values, view.numbers(self.field), self.fill, time_ns or 0)
        return {f"{self._begin}_{name}": made.take(name) for name in self.take}
