"""When a canary is to be taken back: shares of its events over the last while, held against limits."""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from streamproc.core import NS_PER_S, Int64Array

_SLICES: Final = 40
"""Of the time that is looked at: what is forgotten goes a fortieth of it at a time."""


class Seen(IntEnum):
    """What is counted of events."""

    TRIED = 0
    FAILED = 1
    ENDED = 2
    MISSED = 3
    OTHERS_ENDED = 4
    OTHERS_MISSED = 5
    COMPARED = 6
    DIFFERED = 7


@dataclass(frozen=True, slots=True)
class Limits:
    """See ``executors.Rollback``, whose words these are; times in ns, and None for no limit."""

    disagreement: float | None
    failures: float | None
    misses: float | None
    stall_ns: int | None
    min_events: int
    within_ns: int


class Verdict(NamedTuple):
    """Why a canary is to be taken back: in a word, and in words."""

    reason: str
    words: str


class CanaryJudge:
    """Counts what becomes of a canary's events, and says when it is enough.

    Each share is of the last ``within``, or, where those were fewer than ``min_events`` events, of as many.

    Args:
        limits: what is enough.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slice_ns = max(1, limits.within_ns // _SLICES)
        self._slices: deque[tuple[int, Int64Array]] = deque()
        self._sums: Int64Array = np.zeros(len(Seen), np.int64)

    @property
    def compared(self) -> int:
        """Events that were compared lately."""
        return int(self._sums[Seen.COMPARED])

    def count(self, seen: Seen, count: int, now_ns: int) -> None:
        """So many events more."""
        slot = now_ns // self._slice_ns
        if not self._slices or self._slices[-1][0] < slot:
            self._slices.append((slot, np.zeros(len(Seen), np.int64)))
        self._slices[-1][1][seen] += count
        self._sums[seen] += count

    def verdict(self, now_ns: int) -> Verdict | None:
        """Whether it is enough."""
        self._forget(now_ns)
        limits, sums = self._limits, self._sums.tolist()
        failed = self._share(sums, Seen.FAILED, Seen.TRIED)
        if failed is not None and _above(failed, limits.failures):
            return Verdict("failures", f"it failed on {failed:.1%} of its events")
        missed = self._share(sums, Seen.MISSED, Seen.ENDED)
        others = self._share(sums, Seen.OTHERS_MISSED, Seen.OTHERS_ENDED)
        if missed is not None and others is not None and _above(missed - others, limits.misses):
            words = (
                f"{missed:.1%} of its events were not decided in time, {others:.1%} of the others"
            )
            return Verdict("misses", words)
        differed = self._share(sums, Seen.DIFFERED, Seen.COMPARED)
        if differed is not None and _above(differed, limits.disagreement):
            return Verdict("disagreement", f"{differed:.1%} of its decisions are other ones")
        return None

    def stalled(self, started_ns: int, now_ns: int) -> Verdict | None:
        """Whether a batch of it that began then takes too long."""
        stall_ns = self._limits.stall_ns
        if stall_ns is None or now_ns - started_ns < stall_ns:
            return None
        return Verdict("stall", f"a batch has not ended for {stall_ns / NS_PER_S:g} s")

    def stalls_at(self, started_ns: int) -> int | None:
        """When a batch that began then takes too long; None where there is no limit."""
        stall_ns = self._limits.stall_ns
        return None if stall_ns is None else started_ns + stall_ns

    def _share(self, sums: list[int], part: Seen, whole: Seen) -> float | None:
        """None of too few."""
        if sums[whole] < self._limits.min_events:
            return None
        return sums[part] / sums[whole]

    def _forget(self, now_ns: int) -> None:
        """Let go of what is older, as long as what stays is enough to say something of each kind."""
        oldest = (now_ns - self._limits.within_ns) // self._slice_ns
        wholes = [Seen.TRIED, Seen.ENDED, Seen.OTHERS_ENDED, Seen.COMPARED]
        while self._slices and self._slices[0][0] < oldest:
            left = self._sums - self._slices[0][1]
            short = (left[wholes] < self._limits.min_events) & (self._slices[0][1][wholes] > 0)
            if short.any():
                return
            self._sums = left
            self._slices.popleft()


def _above(share: float, limit: float | None) -> bool:
    return limit is not None and share > limit
