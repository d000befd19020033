"""When each event of a recording is due: an absolute schedule, computed without a clock.

Event i is due at ``start + (t_i - t_0) / speed``, whatever happened to those before it: a player that falls
behind catches up, and its lag can be told. Playing gap by gap adds up the sleeper's errors.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Self

import numpy as np

from streamproc.core import NS_PER_S, Int64Array

_EVENTS_MAX = 1 << 48
"""More than anybody plays: a day at a billion a second."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of a recording that is repeated for ever, relative to the start.

    Attributes:
        offset_ns: int64 [n], when each event comes after the first, ascending from 0.
        speed: how many times quicker than it was.
    """

    offset_ns: Int64Array
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not self.offset_ns.size or self.offset_ns[0] != 0 or np.any(np.diff(self.offset_ns) < 0):
            msg = "offset_ns must be ascending from 0, with at least one event"
            raise ValueError(msg)
        if not 0 < self.speed < float("inf"):
            msg = f"speed must be positive, was {self.speed}"
            raise ValueError(msg)

    @classmethod
    def of(cls, timestamp_ns: Int64Array, *, speed: float = 1.0) -> Self:
        """The schedule of events that were seen at these times, int64 [n], ascending."""
        return cls(timestamp_ns - timestamp_ns[:1], speed)

    @property
    def lap_ns(self) -> int:
        """How long one lap takes at speed 1: the recording, and a mean gap before it begins again."""
        gaps = max(1, self.offset_ns.size - 1)
        span_ns = int(self.offset_ns[-1])
        return max(span_ns + span_ns // gaps, 1)

    def due_ns(self, index: int) -> int:
        """When the event of this running number is due, in ns after the start."""
        return int(self._place_ns(index) / self.speed)

    def count_within(self, duration_ns: int) -> int:
        """How many events are due within so long from the start, its end not included."""
        return bisect_left(range(_EVENTS_MAX), duration_ns, key=self.due_ns)

    def at_rate(self, rate_per_s: float, *, duration_ns: int) -> Self:
        """The same schedule at the speed that plays so many events a second, in the mean of a duration.

        Bursts and lulls are kept, in proportion. Where fewer than one event falls into the duration, the
        speed stays as it is.
        """
        count = round(rate_per_s * duration_ns / NS_PER_S)
        place_ns = self._place_ns(count)
        if not place_ns:
            return self
        return type(self)(self.offset_ns, place_ns / duration_ns)

    def _place_ns(self, index: int) -> int:
        """The event's time at speed 1."""
        lap, place = divmod(index, self.offset_ns.size)
        return lap * self.lap_ns + int(self.offset_ns[place])
