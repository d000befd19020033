"""What a latency histogram held at one moment: percentiles of it, and of what came between two moments."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from streamproc.core import Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class LatencyCounts:
    """How many durations were counted, by their length.

    Attributes:
        edges_ns: int64 [m], ascending, the inclusive upper edge of each bin; what is longer has none.
        cumulative: int64 [m], for each edge how many are not above it.
        count: how many in all.
        sum_ns: their sum.
        max_ns: the longest; 0 where there is none.
    """

    edges_ns: Int64Array
    cumulative: Int64Array
    count: int
    sum_ns: int
    max_ns: int

    @property
    def mean_ns(self) -> float:
        """The arithmetic mean; 0 where there is none."""
        return self.sum_ns / self.count if self.count else 0.0

    def percentile_ns(self, q: float) -> int:
        """The duration that ``q`` percent of all do not exceed, rounded up to its bin's edge.

        The one meant has the rank ceil(q / 100 * count) in ascending order, no interpolation.

        Raises:
            ValueError: there are none, or q is not within 0 to 100.
        """
        if not 0 <= q <= 100:  # noqa: PLR2004 - percent
            msg = f"q is in percent, 0 to 100, was {q}"
            raise ValueError(msg)
        if self.count == 0:
            msg = "no values, so no percentile: look at count first"
            raise ValueError(msg)
        # In fractions, because ceil(0.999 * 1000) in floats can be 1,000.
        rank = max(1, math.ceil(Fraction(str(q)) * self.count / 100))
        return self._of_rank(rank)

    def since(self, earlier: "LatencyCounts") -> "LatencyCounts":
        """What was added between an earlier moment of the same histogram and this one.

        Its ``max_ns`` is known as closely as its percentiles are: to the bin's edge.

        Raises:
            ValueError: the other one has other edges, or is no earlier moment.
        """
        if not np.array_equal(self.edges_ns, earlier.edges_ns):
            msg = "the edges differ: only moments of the same histogram have a difference"
            raise ValueError(msg)
        count = self.count - earlier.count
        if count < 0:
            msg = f"{earlier.count} values came before {self.count}: the moments are the wrong way round"
            raise ValueError(msg)
        added = LatencyCounts(
            self.edges_ns,
            self.cumulative - earlier.cumulative,
            count,
            self.sum_ns - earlier.sum_ns,
            self.max_ns,
        )
        longest_ns = added._of_rank(count) if count else 0
        return LatencyCounts(
            added.edges_ns, added.cumulative, added.count, added.sum_ns, longest_ns
        )

    def _of_rank(self, rank: int) -> int:
        """The edge of the bin that holds the value of this rank, from 1 in ascending order."""
        place = int(self.cumulative.searchsorted(rank))
        if place == self.edges_ns.size:
            return self.max_ns
        return min(int(self.edges_ns[place]), self.max_ns)
