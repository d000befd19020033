"""A histogram of durations that is exact where it must be and close everywhere else."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from streamproc.core import NS_PER_MS, NS_PER_S, Int64Array
from streamproc.telemetry.latency_counts import LatencyCounts

_STEPS = (
    *(100, 109, 119, 130, 141, 154, 168, 183),
    *(200, 219, 240, 263, 289, 316, 347, 380, 416, 456),
    *(500, 545, 595, 648, 707, 771, 841, 917),
)
"""Of a decade, in hundredths: 1, 2 and 5, and between them equal ratios of 1.09 to 1.099."""
COARSE_NS: tuple[int, ...] = (
    *(round(step * NS_PER_MS / 10) for step in (1, 2, 5)),
    *(step * NS_PER_MS for step in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(step * NS_PER_S for step in (1, 2, 5, 10, 30, 60)),
)
"""Upper bounds from 100 us to 1 min, by 1-2-5: for what is seldom looked at."""
_FIRST_NS, _LAST_NS = 10_000, 60 * NS_PER_S
_FINE_NS = (step * 100 * 10**power for power in range(8) for step in _STEPS)
BOUNDS_NS: tuple[int, ...] = tuple(
    sorted({*COARSE_NS, *(bound for bound in _FINE_NS if _FIRST_NS <= bound <= _LAST_NS)})
)
"""The upper bounds of the Prometheus buckets of a latency: 10 us to 1 min, each at most 1.1 times the one before, so
that a quantile interpolated from them is within 10% of the true one (https://prometheus.io/docs/practices/histograms/)."""

FINEST_NS = 1_000
COARSEST_NS = 3_600 * NS_PER_S
RELATIVE_WIDTH = 0.02
"""A percentile is at most this much too high. 1 us to 1 h are ln(3.6e9) / ln(1.02) = 1,111 steps, 9 KiB."""

_PENDING_MAX = 4_096
# Values wait in a buffer (32 KiB, it stays in the L2 cache) and are sorted and counted together. Per
# value, on 2 AVX2 cores: 7 ns at 4,096 together, 19 at 256, 69 at 32; looking each one up among the
# edges instead costs 46, because the branches of a binary search over random values cannot be foreseen.

_FEW = 128
"""So many equal values cost less in the buffer than their place among the edges, which is 3 us to find and fill."""

_SUM_SAFE_NS = (1 << 62) // _PENDING_MAX
# 13 days: below it the sum of a full buffer fits an int64. An event time of 0 lies far above it.


@lru_cache(maxsize=8)
def _joined(bounds_ns: tuple[int, ...], exact_ns: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*bounds_ns, *exact_ns}))


@lru_cache(maxsize=8)
def _edges(bounds_ns: tuple[int, ...]) -> Int64Array:
    """int64 [m], ascending: the fine steps and the bounds, each the inclusive upper edge of a bin."""
    # 1.9% leaves room for the rounding to whole ns, which is 0.1% at 1 us.
    steps = math.ceil(math.log(COARSEST_NS / FINEST_NS) / math.log1p(RELATIVE_WIDTH - 0.001))
    fine = np.rint(np.geomspace(FINEST_NS, COARSEST_NS, steps + 1)).astype(np.int64)
    edges = np.union1d(fine, np.asarray(bounds_ns, dtype=np.int64))
    edges.flags.writeable = False
    return edges


class LatencyHistogram:
    """Counts durations in ns; belongs to one thread.

    A bin holds the values above the edge before it and up to its own edge, that one included, as
    Prometheus' ``le`` demands: a value exactly equal to a deadline is within it. Negative values (a
    producer's clock ahead of ours) are counted as 0, and in ``negative_total``.

    Args:
        exact_bounds_ns: durations for which ``cumulative`` must be exact beside ``BOUNDS_NS``: the
            deadlines and the SLO latencies.
        bounds_ns: the bounds that are shown.

    Raises:
        ValueError: a bound is not above 0.
    """

    __slots__ = (
        "_buffer",
        "_cumulative",
        "_edges",
        "_folded",
        "_max_ns",
        "_negative",
        "_pending",
        "_sum_ns",
        "bounds_ns",
    )

    def __init__(
        self, exact_bounds_ns: Sequence[int] = (), *, bounds_ns: Sequence[int] = BOUNDS_NS
    ) -> None:
        if any(bound <= 0 for bound in exact_bounds_ns):
            msg = f"a bound must be above 0 ns, was {min(exact_bounds_ns)} in {exact_bounds_ns}"
            raise ValueError(msg)
        self.bounds_ns = _joined(tuple(bounds_ns), tuple(map(int, exact_bounds_ns)))
        self._edges = _edges(self.bounds_ns)
        self._cumulative = np.zeros(self._edges.size, dtype=np.int64)
        self._buffer = np.empty(_PENDING_MAX, dtype=np.int64)
        self._pending = 0
        self._folded = 0
        self._sum_ns = 0
        self._max_ns = 0
        self._negative = 0

    def add(self, values_ns: Int64Array) -> None:
        """Count the values, int64 [n]; they are copied."""
        end = self._pending + values_ns.size
        if end > _PENDING_MAX:
            self._flush()
            end = values_ns.size
            if end > _PENDING_MAX:
                self._fold(np.sort(values_ns))
                return
        self._buffer[self._pending : end] = values_ns
        self._pending = end

    def add_constant(self, value_ns: int, count: int) -> None:
        """Count the same value ``count`` times: what a whole batch has in common.

        Raises:
            ValueError: count is negative.
        """
        if count < 0:
            msg = f"count must not be negative, was {count}"
            raise ValueError(msg)
        if count == 0:
            return
        if count <= _FEW:
            if self._pending + count > _PENDING_MAX:
                self._flush()
            self._buffer[self._pending : self._pending + count] = value_ns
            self._pending += count
            return
        if value_ns < 0:
            self._negative += count
            value_ns = 0
        self._cumulative[self._edges.searchsorted(value_ns) :] += count
        self._folded += count
        self._sum_ns += value_ns * count
        self._max_ns = max(self._max_ns, value_ns)

    @property
    def count(self) -> int:
        """How many values were counted."""
        return self._folded + self._pending

    @property
    def sum_ns(self) -> int:
        """Their exact sum, negative ones taken as 0."""
        self._flush()
        return self._sum_ns

    @property
    def max_ns(self) -> int:
        """The largest, exactly; 0 where there is none."""
        self._flush()
        return self._max_ns

    @property
    def negative_total(self) -> int:
        """How many were negative."""
        self._flush()
        return self._negative

    def percentile_ns(self, q: float) -> int:
        """The value that ``q`` percent of all do not exceed, rounded up to its bin's edge.

        The value meant is the one of rank ceil(q / 100 * count) in ascending order, no interpolation.
        What is returned is never below it, so it never flatters; it is above it by at most 2% from
        1 us to 1 h and at most 1 us below that, and never above the largest value.

        Raises:
            ValueError: there are no values, or q is not within 0 to 100.
        """
        self._flush()
        return self._counts(self._cumulative).percentile_ns(q)

    def counts(self) -> LatencyCounts:
        """What was counted up to now, as it stays whatever is counted later."""
        self._flush()
        return self._counts(self._cumulative.copy())

    def cumulative(self, bounds_ns: Sequence[int]) -> list[int]:
        """For each bound, exactly how many values are not above it.

        Raises:
            ValueError: a bound is no edge, so that the answer would not be exact.
        """
        self._flush()
        wanted = np.asarray(bounds_ns, dtype=np.int64)
        place = self._edges.searchsorted(wanted)
        known = self._edges[np.minimum(place, self._edges.size - 1)] == wanted
        if not known.all():
            msg = f"{wanted[~known].tolist()} ns are no edges: name them as exact_bounds_ns"
            raise ValueError(msg)
        counts: list[int] = self._cumulative[place].tolist()
        return counts

    def merge(self, other: "LatencyHistogram") -> None:
        """Add all that the other one counted.

        Raises:
            ValueError: it has other bounds.
        """
        if other.bounds_ns != self.bounds_ns:
            msg = f"bounds differ: {self.bounds_ns} and {other.bounds_ns} ns"
            raise ValueError(msg)
        self._flush()
        other._flush()  # noqa: SLF001 - the same class
        self._cumulative += other._cumulative  # noqa: SLF001
        self._folded += other._folded  # noqa: SLF001
        self._sum_ns += other._sum_ns  # noqa: SLF001
        self._max_ns = max(self._max_ns, other._max_ns)  # noqa: SLF001
        self._negative += other._negative  # noqa: SLF001

    def __getstate__(self) -> dict[str, object]:
        """What another process needs to merge it: no buffer, the bins that hold something; edges follow from bounds."""
        self._flush()
        kept = ("bounds_ns", "_folded", "_sum_ns", "_max_ns", "_negative")
        counts = np.diff(self._cumulative, prepend=0)
        bins = np.flatnonzero(counts)
        return {name: getattr(self, name) for name in kept} | {"bins": bins, "counts": counts[bins]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what ``__getstate__`` gave."""
        bins, counts = state.pop("bins"), state.pop("counts")
        for name, value in state.items():
            setattr(self, name, value)
        self._edges = _edges(self.bounds_ns)
        filled = np.zeros(self._edges.size, dtype=np.int64)
        filled[bins] = counts
        self._cumulative = np.cumsum(filled)
        self._buffer = np.empty(_PENDING_MAX, dtype=np.int64)
        self._pending = 0

    def _counts(self, cumulative: Int64Array) -> LatencyCounts:
        return LatencyCounts(self._edges, cumulative, self._folded, self._sum_ns, self._max_ns)

    def _flush(self) -> None:
        """Count what waits in the buffer."""
        if self._pending:
            waiting = self._buffer[: self._pending]
            waiting.sort()
            self._fold(waiting)
            self._pending = 0

    def _fold(self, ascending_ns: Int64Array) -> None:
        """Count sorted values, at least one; they are changed."""
        if ascending_ns[0] < 0:
            negative = int(ascending_ns.searchsorted(0))
            ascending_ns[:negative] = 0
            self._negative += negative
        self._cumulative += ascending_ns.searchsorted(self._edges, side="right")
        largest = int(ascending_ns[-1])
        safe = largest <= _SUM_SAFE_NS and ascending_ns.size <= _PENDING_MAX
        self._sum_ns += int(ascending_ns.sum()) if safe else sum(ascending_ns.tolist())
        self._folded += ascending_ns.size
        self._max_ns = max(self._max_ns, largest)
