"""Statistics of windows, each calculated once."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from streamproc.core import NS_PER_S, Float64Array, Int64Array
from streamproc.features.history import Window
from streamproc.features.sums import running_sum

Statistic = Literal["count", "sum", "mean", "std", "variance", "min", "max", "rate", "z_score"]


class Statistics:
    """Those of each event's window.

    Args:
        window: the members.
        values: float64 [n, size], the members' values, and 0 where there is none.
        own: float64 [n], the events' own values.
        fill: what stands for a statistic that there is not.
        time_ns: how long the window is; 0 where that does not count.
    """

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

    def take(self, name: Statistic) -> Float64Array:
        """One of them (float64 [n])."""
        return STATISTICS[name](self)

    def count(self) -> Int64Array:
        """How many members there are (int64 [n])."""
        return self._window.count

    def sum(self) -> Float64Array:
        """Their sum."""
        if self._sum is None:
            self._sum = running_sum(self._values)
        return self._sum

    def mean(self) -> Float64Array:
        """Their mean."""
        return self._over(self.sum(), self.count())

    def variance(self) -> Float64Array:
        """Of the sample."""
        return self._over(self._squared(), self.count() - 1)

    def std(self) -> Float64Array:
        """Of the sample."""
        return np.where(self.count() > 1, np.sqrt(np.maximum(self.variance(), 0)), self._fill)

    def least(self) -> Float64Array:
        """The least of them."""
        return self._extreme(np.minimum, np.inf)

    def most(self) -> Float64Array:
        """The most of them."""
        return self._extreme(np.maximum, -np.inf)

    def rate(self) -> Float64Array:
        """Members a second."""
        return self.count() / (self._time_ns / NS_PER_S)

    def z_score(self) -> Float64Array:
        """How far the own value lies from the mean, in standard deviations."""
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


STATISTICS: Mapping[Statistic, Callable[[Statistics], Float64Array]] = {
    "count": lambda made: made.count().astype(np.float64),
    "sum": Statistics.sum,
    "mean": Statistics.mean,
    "std": Statistics.std,
    "variance": Statistics.variance,
    "min": Statistics.least,
    "max": Statistics.most,
    "rate": Statistics.rate,
    "z_score": Statistics.z_score,
}
