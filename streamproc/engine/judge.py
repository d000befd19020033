"""When a canary is to be taken back: shares of its events over the last while, held against limits."""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from streamproc.core import NS_PER_S

_SLICES: Final = 40
"""Of the time that is looked at: what is forgotten goes a fortieth of it at a time."""


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


class Share:
    """The share of the events of the last while that are of a kind.

    Args:
        within_ns: of the last so long,
        min_events: or of so many, where those took longer; of fewer there is none.
    """

    __slots__ = ("_min_events", "_part", "_slice_ns", "_slices", "_whole", "_within_ns")

    def __init__(self, within_ns: int, min_events: int) -> None:
        self._within_ns = within_ns
        self._min_events = min_events
        self._slice_ns = max(1, within_ns // _SLICES)
        self._slices: deque[list[int]] = deque()
        """Of each slice of time its number, and how many events there were, and of the kind."""
        self._whole = self._part = 0

    def count(self, whole: int, part: int, now_ns: int) -> None:
        """So many events more, and of them so many of the kind."""
        slot = now_ns // self._slice_ns
        if not self._slices or self._slices[-1][0] < slot:
            self._slices.append([slot, 0, 0])
        self._slices[-1][1] += whole
        self._slices[-1][2] += part
        self._whole += whole
        self._part += part

    def of(self, now_ns: int) -> float | None:
        """The share; None of too few."""
        oldest = (now_ns - self._within_ns) // self._slice_ns
        while self._slices and self._slices[0][0] < oldest:
            _, whole, part = self._slices[0]
            if self._whole - whole < self._min_events:
                break
            self._slices.popleft()
            self._whole -= whole
            self._part -= part
        return self._part / self._whole if self._whole >= self._min_events else None


class CanaryJudge:
    """Counts what becomes of a canary's events, and says when it is enough.

    Args:
        limits: what is enough.

    Attributes:
        failed: of the events that it was asked about, those on which it failed.
        missed: of its events that ended, those that were not decided in time.
        others_missed: the same of all other events.
        differed: of its decisions that were compared, those that are other ones.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.failed, self.missed, self.others_missed, self.differed = (
            Share(limits.within_ns, limits.min_events) for _ in range(4)
        )

    def verdict(self, now_ns: int) -> Verdict | None:
        """Whether it is enough."""
        limits, failed = self._limits, self.failed.of(now_ns)
        if failed is not None and _above(failed, limits.failures):
            return Verdict("failures", f"it failed on {failed:.1%} of its events")
        missed, others = self.missed.of(now_ns), self.others_missed.of(now_ns)
        if missed is not None and others is not None and _above(missed - others, limits.misses):
            words = (
                f"{missed:.1%} of its events were not decided in time, {others:.1%} of the others"
            )
            return Verdict("misses", words)
        differed = self.differed.of(now_ns)
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


def _above(share: float, limit: float | None) -> bool:
    return limit is not None and share > limit
