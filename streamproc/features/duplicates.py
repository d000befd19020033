"""Events that come twice, recognised by a field of theirs."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from streamproc.core import Array, BoolArray, Duration, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """An event whose field has a value that one before it in its partition had is a duplicate: ``filtered``, and remembered by nobody.

    Attributes:
        field: the decoded field, a text or a whole number, such as an order's number.
        within: how long, by event time, a value is known.
        max: how many values of a partition are known at once, the last ones.
    """

    field: str
    within: Duration
    max: int = 1_000_000

    def __post_init__(self) -> None:
        if self.within <= 0 or self.max < 1:
            msg = "within must be longer than 0, and max at least 1"
            raise ValueError(msg)


class KnownValues:
    """The values that a field had lately, by partition.

    Args:
        options: how long, and how many.
    """

    def __init__(self, options: Duplicates) -> None:
        self._within_ns = int(options.within)
        self._max = options.max
        self._known: dict[int, dict[object, int]] = {}

    def repeated(self, partition: int, values: Array, time_ns: Int64Array) -> BoolArray:
        """Which events are duplicates (bool [n]); their values are known from then on.

        Args:
            partition: whose events they are.
            values: [n], the field.
            time_ns: int64 [n], when the events happened.
        """
        known = self._known.setdefault(partition, {})
        found = np.zeros(len(values), np.bool_)
        for row, (value, at_ns) in enumerate(zip(values.tolist(), time_ns.tolist(), strict=True)):
            before_ns = known.get(value)
            if before_ns is not None and abs(at_ns - before_ns) <= self._within_ns:
                found[row] = True
                continue
            known.pop(value, None)  # so that it is the youngest
            known[value] = at_ns
            if len(known) > self._max:
                del known[next(iter(known))]
        self._forget_old(known)
        return found

    def drop(self, partitions: Collection[int]) -> None:
        """These partitions are ours no longer."""
        for partition in partitions:
            self._known.pop(partition, None)

    def _forget_old(self, known: dict[object, int]) -> None:
        """Free what is too old to matter; it would not be taken for known either."""
        if not known:
            return
        newest_ns = known[next(reversed(known))]
        while known and newest_ns - known[oldest := next(iter(known))] > 2 * self._within_ns:
            del known[oldest]
