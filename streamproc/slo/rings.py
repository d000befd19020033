"""Counts over the last so long: cumulative samples in rings of a bounded size, one a window."""

from typing import Final, NamedTuple

import numpy as np

from streamproc.core import Int64Array
from streamproc.slo.counts import Counts

SAMPLES_MAX: Final = 720
"""Of a window: what is left of one of its steps at its far end is at most 0.14% of it, and that is interpolated. A ring
is 17 KB, so that an objective with nine windows has 160 KB."""


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

    __slots__ = ("_held", "_next", "_samples", "_step_ns", "window_ns")

    def __init__(self, window_ns: int, every_ns: int) -> None:
        self.window_ns = window_ns
        self._step_ns = max(every_ns, -(-window_ns // SAMPLES_MAX))
        size = window_ns // self._step_ns + 3
        self._samples: Int64Array = np.zeros((size, 3), dtype=np.int64)
        self._next = 0
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def add(self, now_ns: int, counts: Counts) -> None:
        """Keep a sample, where the last one is a step old."""
        if self._held:
            newest_ns = int(self._samples[self._next - 1, 0])
            # A timer may come a little early.
            if now_ns - newest_ns < self._step_ns - self._step_ns // 20:
                return
        self._samples[self._next] = (now_ns, *counts)
        self._next = (self._next + 1) % len(self._samples)
        self._held = min(self._held + 1, len(self._samples))

    def increase(self, now_ns: int, now: Counts, *, since_ns: int | None = None) -> Increase:
        """What came in the window that ends now.

        Args:
            now_ns: the present instant.
            now: the counts at it.
            since_ns: what came before this instant counts nowhere; None for no such instant.
        """
        samples = self.samples()
        begin_ns = now_ns - self.window_ns
        if since_ns is not None:
            begin_ns = max(begin_ns, since_ns)
        if not len(samples) or begin_ns >= now_ns:
            return Increase(0.0, 0.0)
        at = samples[:, 0]
        total = float(np.interp(begin_ns, at, samples[:, 1]))
        bad = float(np.interp(begin_ns, at, samples[:, 2]))
        if begin_ns > at[-1]:  # the present is the next sample
            part = (begin_ns - int(at[-1])) / (now_ns - int(at[-1]))
            total = samples[-1, 1] + part * (now.total - samples[-1, 1])
            bad = samples[-1, 2] + part * (now.bad - samples[-1, 2])
        return Increase(max(0.0, now.total - total), max(0.0, now.bad - bad))

    def samples(self) -> Int64Array:
        """int64 [n, 3], ascending: instant, events, bad ones."""
        if self._held < len(self._samples):
            return self._samples[: self._held]
        return np.roll(self._samples, -self._next, axis=0)

    def restore(self, samples: Int64Array) -> None:
        """Put in what ``samples`` gave in another life, the newest of it."""
        kept = samples[-len(self._samples) :]
        self._samples[: len(kept)] = kept
        self._held = len(kept)
        self._next = self._held % len(self._samples)
