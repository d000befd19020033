"""Counts over the last so long: cumulative samples in rings of a bounded size, one a window."""

from typing import Final, NamedTuple

import numpy as np

from streamproc.core import Int64Array
from streamproc.slo.counts import Counts

SAMPLES_MAX: Final = 720
"""Of a window: what is left of one of its steps at its far end is at most 0.14% of it, and that is interpolated. A ring
is 35 KB, so that an objective with nine windows has 300 KB."""


class Increase(NamedTuple):
    """What came within a window."""

    total: float
    bad: float

    @property
    def bad_share(self) -> float | None:
        """The share that was bad; None where nothing came."""
        return self.bad / self.total if self.total > 0 else None


class CountRing:
    """Cumulative counts at instants a step apart, for as long as a window and one step more.

    Args:
        window_ns: how far back it is asked.
        every_ns: how often it is told; several of these make a step where the window is long.
    """

    __slots__ = ("_begin", "_end", "_rows", "_samples", "step_ns", "window_ns")

    def __init__(self, window_ns: int, every_ns: int) -> None:
        self.window_ns = window_ns
        self.step_ns = max(every_ns, -(-window_ns // SAMPLES_MAX))
        self._rows = window_ns // self.step_ns + 3
        # Twice as long as it needs to be: what is held lies in one piece, and moves to the front once a round.
        self._samples: Int64Array = np.zeros((2 * self._rows, 3), dtype=np.int64)
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    def add(self, now_ns: int, counts: Counts) -> None:
        """Keep a sample, where the last one is a step old."""
        if len(self):
            newest_ns = int(self._samples[self._end - 1, 0])
            # A timer may come a little early.
            if now_ns - newest_ns < self.step_ns - self.step_ns // 20:
                return
        if self._end == len(self._samples):
            kept = self._samples[self._begin :].copy()
            self._samples[: len(kept)] = kept
            self._begin, self._end = 0, len(kept)
        self._samples[self._end] = (now_ns, *counts)
        self._end += 1
        self._begin = max(self._begin, self._end - self._rows)

    def increase(self, now_ns: int, now: Counts, *, since_ns: int | None = None) -> Increase:
        """What came in the window that ends now.

        Args:
            now_ns: the present instant.
            now: the counts at it.
            since_ns: what came before this instant counts nowhere; None for no such instant.
        """
        begin_ns = now_ns - self.window_ns
        if since_ns is not None:
            begin_ns = max(begin_ns, since_ns)
        samples = self.samples()
        if not len(samples) or begin_ns >= now_ns:
            return Increase(0.0, 0.0)
        total, bad = _between(samples, begin_ns, (now_ns, *now))
        return Increase(max(0.0, now.total - total), max(0.0, now.bad - bad))

    def samples(self) -> Int64Array:
        """int64 [n, 3], ascending: instant, events, bad ones."""
        return self._samples[self._begin : self._end]

    def restore(self, samples: Int64Array) -> None:
        """Put in what ``samples`` gave in another life, the newest of it."""
        kept = samples[-self._rows :]
        self._samples[: len(kept)] = kept
        self._begin, self._end = 0, len(kept)


def _between(samples: Int64Array, at_ns: int, last: tuple[int, int, int]) -> tuple[float, float]:
    """The counts at an instant, on the line from the sample before it to the one behind; those of the first before it."""
    place = int(samples[:, 0].searchsorted(at_ns, side="right"))
    if place == 0:
        return float(samples[0, 1]), float(samples[0, 2])
    before = samples[place - 1].tolist()
    behind = samples[place].tolist() if place < len(samples) else last
    part = (at_ns - before[0]) / max(1, behind[0] - before[0])
    return before[1] + part * (behind[1] - before[1]), before[2] + part * (behind[2] - before[2])
