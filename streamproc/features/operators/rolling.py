"""Statistics of a key's last events: rolling count, sum, mean, standard deviation, least, most, rate, z-score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import NS_PER_S, Columns, Duration, Float64Array, Int64Array
from streamproc.features.history import Window
from streamproc.features.operators.operator import (
    NUMBER,
    Need,
    View,
    field_of,
    window_name,
    window_of,
)
from streamproc.features.sums import running_sum

Statistic = Literal["count", "sum", "mean", "std", "variance", "min", "max", "rate", "z_score"]


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
        made = _Statistics(window, values, view.numbers(self.field), self.fill, time_ns or 0)
        return {f"{self._begin}_{name}": _BY_NAME[name](made) for name in self.take}


class _Statistics:
    """Those of one window, each calculated once."""

    def __init__(
        self,
        window: Window,
        values: Float64Array,
        own: Float64Array,
        fill: float,
        time_ns: int,
    ) -> None:
        self._window = window
        self._values = values
        self._own = own
        self._fill = fill
        self._time_ns = time_ns
        self._sum: Float64Array | None = None
        self._squares: Float64Array | None = None

    def count(self) -> Int64Array:
        return self._window.count

    def sum(self) -> Float64Array:
        if self._sum is None:
            self._sum = running_sum(self._values)
        return self._sum

    def mean(self) -> Float64Array:
        return self._over(self.sum(), self.count())

    def variance(self) -> Float64Array:
        return self._over(self._squared(), self.count() - 1)

    def std(self) -> Float64Array:
        return np.where(self.count() > 1, np.sqrt(np.maximum(self.variance(), 0)), self._fill)

    def least(self) -> Float64Array:
        return self._extreme(np.minimum, np.inf)

    def most(self) -> Float64Array:
        return self._extreme(np.maximum, -np.inf)

    def rate(self) -> Float64Array:
        return self.count() / (self._time_ns / NS_PER_S)

    def z_score(self) -> Float64Array:
        spread = np.where(self.count() > 1, self.std(), 0.0)
        with np.errstate(all="ignore"):
            score = (self._own - self.mean()) / spread
        return np.where(spread > 0, score, self._fill)

    def _over(self, total: Float64Array, count: Int64Array) -> Float64Array:
        with np.errstate(all="ignore"):
            return np.where(count > 0, total / count, self._fill)

    def _squared(self) -> Float64Array:
        """The sum of the squared differences from the mean."""
        if self._squares is None:
            with np.errstate(all="ignore"):
                mean = self.sum() / self.count()
            difference = self._values - mean[:, np.newaxis]
            if not self._window.full:
                difference = np.where(self._window.member, difference, 0.0)
            self._squares = running_sum(difference * difference)
        return self._squares

    def _extreme(self, better: "np.ufunc", worst: float) -> Float64Array:
        values, window = self._values, self._window
        if not window.full:
            values = np.where(window.member, values, worst)
        found: Float64Array = (
            better.reduce(values, axis=1) + 0.0
        )  # of 0 and -0 the one that comes is 0
        return found if window.full else np.where(window.count > 0, found, self._fill)


_BY_NAME: Mapping[str, Callable[[_Statistics], Float64Array | Int64Array]] = {
    "count": lambda made: made.count().astype(np.float64),
    "sum": _Statistics.sum,
    "mean": _Statistics.mean,
    "std": _Statistics.std,
    "variance": _Statistics.variance,
    "min": _Statistics.least,
    "max": _Statistics.most,
    "rate": _Statistics.rate,
    "z_score": _Statistics.z_score,
}
