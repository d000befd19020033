"""How long a batch takes in the executor, by its size: a curve, corrected by every run."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Self

import numpy as np

from streamproc.core import Float64Array, Int64Array
from streamproc.scheduling.latency_text import LatencyText

_WINDOW = 48
"""Runs that a bucket remembers: four dozen, at 1 ms a run a change is followed within a twentieth of a second."""
_QUANTILE = 0.85
"""Of those; one outlier in ten moves nothing (at 0.9 it does: 48 may hold five, and place 43 of 0..47 is the fifth last)."""
_ENOUGH = 8
"""Runs from which on a bucket stands for itself: of eight, the quantile leaves the largest out."""
_FRESH_RUNS = 256
"""Runs of any size after which what a bucket saw is of another time: a quarter of a second at 1 ms a run."""
_REFRESH = 8
"""Runs between two looks at a bucket's window (a look costs 5 us)."""
_LATE_SHARE = 0.001
"""Of the batches that were planned to be in time, how many may be late by the noise of their times."""
_MARGIN_STEP = 0.03
_MARGIN_MAX = 0.3
"""What is longer by more is no noise: a margin against it would cost every batch and save none."""
_MARGIN_NOTICEABLE = 0.005
_NOTICEABLE = 0.02
"""A factor that moved by less is within the noise of its quantile, and not worth a new array (20 us at 256 sizes)."""
_LONGEST_NS = 3.2e16
"""A year: predictions stay far from where int64 ends, whatever was measured."""


class LatencyModel:
    """Execution time as a function of batch size, measured by a sweep and corrected by every run.

    What is learned are factors on the curve, one for each power of two of sizes that was run, each a quantile
    of the last runs' times over the curve's. Between two of them the factor goes in a line over the logarithm
    of the size; beyond the first and the last it stays as it is there. So a curve that could not be measured
    (one point: flat) finds its shape, and a sweep's shape is kept where nothing says otherwise. What one
    bucket learns anew, those follow that saw nothing lately: a slower machine is slower at all sizes.

    On top of it lies a margin for noise, which nothing but lateness raises: a step for each batch that was planned to
    be in time and was not, and back by so little for each that was, that it stands still where one batch in a
    thousand is late. It is the control of a quantile by its own misses (adaptive conformal inference, Gibbs and
    Candes 2021): however the times are spread and whatever slack plans happen to have, the share of misses is held.

    Args:
        size: batch sizes measured, ascending, from 1.
        run_ns: their times in ns.
        size_max: the largest batch that will be asked for.
        quantile: of the last runs' times, what is predicted.

    Raises:
        ValueError: nothing was measured, a time is not positive, or a size or the quantile cannot be.
    """

    __slots__ = (
        "_curve_ns",
        "_factor",
        "_level",
        "_log_size",
        "_margin",
        "_margin_used",
        "_measured",
        "_place",
        "_quantile",
        "_run_ns",
        "_runs",
        "_settled",
        "_windows",
    )

    def __init__(
        self,
        size: Sequence[int],
        run_ns: Sequence[int],
        *,
        size_max: int,
        quantile: float = _QUANTILE,
    ) -> None:
        if not size or len(size) != len(run_ns) or min(run_ns) <= 0:
            msg = f"a latency model needs positive times, got {list(run_ns)} for sizes {list(size)}"
            raise ValueError(msg)
        if min(size) < 1 or any(b <= a for a, b in pairwise(size)):
            msg = f"a latency model needs ascending batch sizes from 1, got {list(size)}"
            raise ValueError(msg)
        if size_max < 1 or not 0.0 < quantile <= 1.0:
            msg = f"size_max must be 1 or more, quantile in (0, 1], were {size_max} and {quantile}"
            raise ValueError(msg)
        self._measured = (tuple(map(int, size)), tuple(map(int, run_ns)))
        self._quantile = quantile
        curve = np.interp(np.arange(1, size_max + 1), size, run_ns)
        self._curve_ns: Float64Array = np.minimum(np.maximum.accumulate(curve), _LONGEST_NS)
        self._log_size: Float64Array = np.log2(np.arange(1, size_max + 1))
        buckets = size_max.bit_length()
        self._windows = [_Window() for _ in range(buckets)]
        # The factors by bucket: where on the axis of log2(size) each stands, and what it is.
        self._place: dict[int, float] = {}
        self._level: dict[int, float] = {}
        self._settled: set[int] = set()
        self._runs = 0
        self._margin = 0.0
        self._margin_used = 0.0
        self._factor: Float64Array = np.ones(size_max)
        self._run_ns: Int64Array = np.maximum(np.rint(self._curve_ns), 1).astype(np.int64)

    @property
    def run_ns(self) -> Int64Array:
        """int64 [size_max]: ``run_ns[b - 1]`` is the predicted time of a batch of b; never decreasing."""
        return self._run_ns

    def predict_ns(self, size: int) -> int:
        """The predicted time of a batch of ``size`` events."""
        return int(self._run_ns[min(size, len(self._run_ns)) - 1])

    def observe(self, size: int, took_ns: int) -> None:
        """Learn that a batch of ``size`` took so long."""
        size = min(size, len(self._curve_ns))
        bucket = size.bit_length() - 1
        window = self._windows[bucket]
        self._runs += 1
        if self._runs - window.run_last > _FRESH_RUNS:
            window.count = 0
        window.add(size - 1, max(took_ns, 1) / self._curve_ns[size - 1])
        window.run_last = self._runs
        if window.count <= _REFRESH or window.count % _REFRESH == 0:
            self._learn(bucket, window)

    def judge(self, size: int, took_ns: int, *, in_time: bool) -> None:
        """Learn whether a batch that was planned to be in time was; moves the margin.

        Args:
            size: of the batch.
            took_ns: how long it ran.
            in_time: whether it was in time.
        """
        if in_time:
            if not self._margin:
                return
            self._margin = max(0.0, self._margin - _MARGIN_STEP * _LATE_SHARE)
        else:
            without = self.predict_ns(size) / (1 + self._margin_used)
            if took_ns > without * (1 + _MARGIN_MAX):
                return
            self._margin = min(_MARGIN_MAX, self._margin + _MARGIN_STEP)
        if abs(self._margin - self._margin_used) > _MARGIN_NOTICEABLE or not self._margin:
            self._rebuild()

    def forget(self) -> None:
        """Let the next run alone tell the time: the last ones misled.

        After a stall of the executor nothing seems to fit a deadline, so nothing is run but a probe now and
        then; without this it would take a window full of probes, a quarter of a minute, to serve again. The
        shape of the curve is kept: the next run moves all of it.
        """
        self._runs = 0
        for window in self._windows:
            window.forget()

    def to_json(self) -> str:
        """A JSON document that ``from_json`` reads: the sweep, the quantile and the factors."""
        size, run_ns = self._measured
        return LatencyText(
            size=size,
            run_ns=run_ns,
            size_max=len(self._curve_ns),
            quantile=self._quantile,
            corrections={
                min(2.0**place, float(len(self._curve_ns))): level
                for place, level in zip(*self._known(), strict=True)
            },
        ).dumps()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The model that was saved; its next run counts as the first one of a new model's does.

        Raises:
            ValueError: the text is no such document; the message says why.
        """
        found = LatencyText.loads(text)
        model = cls(found.size, found.run_ns, size_max=found.size_max, quantile=found.quantile)
        model._restore(found.corrections)
        return model

    def _restore(self, corrections: Mapping[float, float]) -> None:
        for size, factor in sorted(corrections.items()):
            bucket = int(size).bit_length() - 1
            if bucket in self._place or size > len(self._curve_ns):
                msg = f"corrections: one for each power of two up to size_max, got size {size} too"
                raise ValueError(msg)
            self._place[bucket] = math.log2(size)
            self._level[bucket] = factor
            self._settled.add(bucket)
        if self._place:
            self._rebuild()

    def _learn(self, bucket: int, window: "_Window") -> None:
        """Set the bucket's factor by its last runs, where it has changed noticeably."""
        row, ratio = window.held()
        # Within a bucket the largest size may take twice the smallest's time: each run is compared with the
        # factor at its own size, or the quantile would be that of the sizes.
        ratio = ratio / self._factor[row]
        # A bucket that saw little yet is held by what others say of it, so that one outlier moves nothing.
        # At the very start nobody says anything: the first run already counts.
        held_by = max(_ENOUGH - len(ratio), 0) if self._runs > _ENOUGH else 0
        if held_by:
            ratio = np.concatenate((ratio, np.ones(held_by)))
        rank = math.ceil(self._quantile * (len(ratio) - 1))
        ratio.partition(rank)
        moved = float(ratio[rank])
        if abs(moved - 1.0) <= _NOTICEABLE and bucket in self._place:
            return
        place = max(
            float(self._log_size[row].mean()), float(bucket)
        )  # an ulp below, it were another's
        before = float(np.interp(place, *self._known())) if self._place else 1.0
        # What a bucket learns first is the curve's shape; from then on, what has changed for all.
        if bucket in self._settled or self._runs <= _ENOUGH:
            self._lead(bucket, moved)
        if window.count >= _ENOUGH:
            self._settled.add(bucket)
        self._place[bucket] = place
        self._level[bucket] = _bounded(before * moved)
        self._rebuild()

    def _lead(self, leader: int, moved: float) -> None:
        """Let those that saw nothing lately follow the nearest that did."""
        fresh = [b for b in self._place if self._runs - self._windows[b].run_last <= _FRESH_RUNS]
        if not fresh:
            return  # all was forgotten, and nothing was learned since
        for follower in self._place.keys() - fresh:
            if min(fresh, key=lambda other: abs(other - follower)) == leader:
                self._level[follower] = _bounded(self._level[follower] * moved)

    def _known(self) -> tuple[list[float], list[float]]:
        """Where factors stand on the axis of log2(size), ascending, and what they are."""
        buckets = sorted(self._place)
        return [self._place[b] for b in buckets], [self._level[b] for b in buckets]

    def _rebuild(self) -> None:
        if self._place:
            self._factor = np.interp(self._log_size, *self._known())
        self._margin_used = self._margin
        times_ns = self._curve_ns * self._factor * (1 + self._margin)
        run_ns = np.maximum.accumulate(np.clip(times_ns, 1.0, _LONGEST_NS))
        self._run_ns = np.rint(run_ns).astype(np.int64)


def _bounded(factor: float) -> float:
    """Far from where products of floats end."""
    return min(max(factor, 1e-18), 1e18)


class _Window:
    """The last runs of one bucket.

    Attributes:
        count: runs that it saw.
        run_last: the model's run that was its last one.
    """

    __slots__ = ("_ratio", "_row", "count", "run_last")

    def __init__(self) -> None:
        self._row: Int64Array = np.empty(_WINDOW, np.int64)
        self._ratio: Float64Array = np.empty(_WINDOW)
        self.forget()

    def add(self, row: int, ratio: float) -> None:
        place = self.count % _WINDOW
        self._row[place] = row
        self._ratio[place] = ratio
        self.count += 1

    def held(self) -> tuple[Int64Array, Float64Array]:
        """int64 [n], batch sizes less 1, and float64 [n], the times over the curve's."""
        count = min(self.count, _WINDOW)
        return self._row[:count], self._ratio[:count]

    def forget(self) -> None:
        self.count = 0
        self.run_last = -_FRESH_RUNS - 1
