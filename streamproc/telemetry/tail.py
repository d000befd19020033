"""Tail attribution: in which stage the slowest events spent their time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from streamproc.core import Int64Array
from streamproc.telemetry.histogram import LatencyHistogram
from streamproc.telemetry.latency_counts import LatencyCounts

Stage = Literal["broker", "decode", "queue", "infer", "emit"]
"""Where an event's time goes, in the order in which it passes."""

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

PERCENT: Final = 99
FIRST_EVENTS: Final = 256
"""So many are needed for a first p99: two or three are above it."""
WINDOW_EVENTS: Final = 4_096
"""The threshold follows the load: it is the p99 of the last one to two windows. Learning it takes 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the time of the slowest events went.

    Attributes:
        threshold_ns: from which latency an event is one of them.
        events: how many there were.
        mean_ns: how long they spent in each stage, in the mean.
        typical_ns: how long all events did.
    """

    threshold_ns: int
    events: int
    mean_ns: Mapping[Stage, float]
    typical_ns: Mapping[Stage, float]

    @property
    def stage(self) -> Stage:
        """The stage that makes them slow: where they spent most more than others do."""
        return max(STAGES, key=lambda stage: self.mean_ns[stage] - self.typical_ns[stage])

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "over_ms": round(self.threshold_ns / 1e6, 3),
            "events": self.events,
            "stage": self.stage,
            "mean_ms": {stage: round(self.mean_ns[stage] / 1e6, 3) for stage in STAGES},
            "typical_ms": {stage: round(self.typical_ns[stage] / 1e6, 3) for stage in STAGES},
        }


class TailCounts:
    """Adds up the stages of the events that are slower than the p99 of those shortly before.

    The threshold is learned from counts of events, never from a clock: a replay has the same one.

    Attributes:
        threshold_ns: from which latency an event counts; None while too few were seen.
        events: how many counted.
        sum_ns: their time by stage, in the order of ``STAGES``; together it is the whole of their latency.
    """

    __slots__ = ("_before", "_last", "_next_count", "events", "sum_ns", "threshold_ns")

    def __init__(self) -> None:
        self.threshold_ns: int | None = None
        self.events = 0
        self.sum_ns = [0] * len(STAGES)
        self._next_count = FIRST_EVENTS
        self._before: LatencyCounts | None = None
        self._last: LatencyCounts | None = None

    def settled(
        self,
        took_ns: Int64Array,
        instants: tuple[Int64Array, Int64Array, Int64Array, int, int, int],
        e2e: LatencyHistogram,
    ) -> None:
        """Decisions were acknowledged.

        Args:
            took_ns: int64 [n], from event time to acknowledgement.
            instants: when they happened, were fetched, were admitted (int64 [n] each), began to run, had run and
                were acknowledged.
            e2e: the latencies of all events, these among them.
        """
        if self.threshold_ns is not None and took_ns.size and took_ns.max() > self.threshold_ns:
            rows = np.flatnonzero(took_ns > self.threshold_ns)
            event_ns, arrival_ns, admitted_ns = (column[rows] for column in instants[:3])
            started_ns, ended_ns, final_ns = instants[3:]
            self.events += len(rows)
            for place, spent_ns in enumerate(
                (
                    int((arrival_ns - event_ns).sum()),
                    int((admitted_ns - arrival_ns).sum()),
                    int((started_ns - admitted_ns).sum()),
                    (ended_ns - started_ns) * len(rows),
                    (final_ns - ended_ns) * len(rows),
                )
            ):
                self.sum_ns[place] += spent_ns
        if e2e.count >= self._next_count:
            self._learn(e2e.counts())

    @property
    def by_stage(self) -> list[tuple[Stage, int]]:
        """Their time (ns) by stage."""
        return list(zip(STAGES, self.sum_ns, strict=True))

    def tail(self, stages: Mapping[Stage, LatencyHistogram]) -> Tail | None:
        """What was found; None where no event was that slow yet.

        Args:
            stages: of all events.
        """
        if self.threshold_ns is None or not self.events:
            return None
        mean_ns = {
            stage: sum_ns / self.events for stage, sum_ns in zip(STAGES, self.sum_ns, strict=True)
        }
        typical_ns = {
            stage: histogram.sum_ns / histogram.count if histogram.count else 0.0
            for stage, histogram in stages.items()
        }
        return Tail(self.threshold_ns, self.events, mean_ns, typical_ns)

    def merge(self, other: "TailCounts") -> None:
        """Add what another process counted; the threshold shown is the highest."""
        known = [t for t in (self.threshold_ns, other.threshold_ns) if t is not None]
        self.threshold_ns = max(known, default=None)
        self.events += other.events
        self.sum_ns = [mine + its for mine, its in zip(self.sum_ns, other.sum_ns, strict=True)]

    def __getstate__(self) -> tuple[int | None, int, list[int]]:
        """What another process needs to merge it."""
        return self.threshold_ns, self.events, self.sum_ns

    def __setstate__(self, state: tuple[int | None, int, list[int]]) -> None:
        """Take what ``__getstate__`` gave."""
        self.threshold_ns, self.events, self.sum_ns = state
        self._next_count, self._before, self._last = FIRST_EVENTS, None, None

    def _learn(self, counts: LatencyCounts) -> None:
        recent = counts if self._before is None else counts.since(self._before)
        self.threshold_ns = recent.percentile_ns(PERCENT)
        self._before, self._last = self._last, counts
        self._next_count = min(2 * counts.count, counts.count + WINDOW_EVENTS)
