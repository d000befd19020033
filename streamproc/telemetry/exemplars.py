"""Exemplars: for each bucket of a latency, one trace that fell into it.

https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Exemplar(NamedTuple):
    """One traced event.

    Attributes:
        trace_id: 32 hex digits.
        value_ns: how long it took.
        at_ns: when it was final.
    """

    trace_id: str
    value_ns: int
    at_ns: int


class Exemplars:
    """The newest traced event of each bucket of one latency; about 200 at most.

    Args:
        bounds_ns: the buckets' inclusive upper bounds, ascending.
    """

    __slots__ = ("_bounds_ns", "_by_bucket")

    def __init__(self, bounds_ns: Sequence[int]) -> None:
        self._bounds_ns = bounds_ns
        self._by_bucket: dict[int, Exemplar] = {}

    def note(self, exemplar: Exemplar) -> None:
        """Keep it, instead of the one before it in its bucket."""
        self._by_bucket[bisect_left(self._bounds_ns, exemplar.value_ns)] = exemplar

    @property
    def by_bucket(self) -> Mapping[int, Exemplar]:
        """By the number of the bucket; the one behind the last bound is without one."""
        return self._by_bucket

    def merge(self, other: "Exemplars") -> None:
        """Take those of another process with the same buckets that are newer."""
        for bucket, exemplar in other._by_bucket.items():  # noqa: SLF001 - the same class
            own = self._by_bucket.get(bucket)
            if own is None or own.at_ns < exemplar.at_ns:
                self._by_bucket[bucket] = exemplar
