"""How long the events of each lane spent in each stage, in the replay's own time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.core import NS_PER_MS, BoolArray, Int64Array, OutRecords, TopicPartition
from streamproc.engine import Settled
from streamproc.telemetry import STAGES, Stage, names


@dataclass(frozen=True, slots=True)
class LaneWay:
    """The events of one lane.

    Attributes:
        events: that came to their end.
        decided: those that were decided.
        mean_ms: how long these spent in each stage, in the mean; empty where none was.
    """

    events: int
    decided: int
    mean_ms: Mapping[Stage, float]


class LaneTimes:
    """Adds up the stages of each lane's events; an ``engine.Tap``.

    Args:
        lanes: the lanes' names.
    """

    def __init__(self, lanes: Sequence[str]) -> None:
        self._lanes = (*lanes, names.LANE_UNKNOWN)
        self._events = np.zeros(len(self._lanes), np.int64)
        self._decided = np.zeros(len(self._lanes), np.int64)
        self._sums_ns = np.zeros((len(STAGES), len(self._lanes)))

    def sent(
        self, source: TopicPartition, offset: Int64Array, records: OutRecords, settled: Settled
    ) -> None:
        """Nothing is final yet."""

    def ended(
        self,
        source: TopicPartition,  # noqa: ARG002 - see Tap
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,  # noqa: ARG002
        final_ns: int,
    ) -> None:
        """Outcomes are final; see ``Tap``."""
        lane = settled.lane
        lanes = np.full(len(offset), lane) if isinstance(lane, int) else lane
        count = np.bincount(lanes % len(self._lanes), minlength=len(self._lanes))  # -1: the last
        self._events += count
        decided = settled.decided
        if decided is None:
            return
        self._decided += count
        events = decided.events
        spent = (
            events.arrival_ns - events.event_time_ns,
            events.admitted_ns - events.arrival_ns,
            decided.started_ns - events.admitted_ns,
            np.full(len(lanes), decided.decided_ns - decided.started_ns),
            np.full(len(lanes), final_ns - decided.decided_ns),
        )
        for place, spent_ns in enumerate(spent):
            self._sums_ns[place] += np.bincount(lanes, weights=spent_ns, minlength=len(self._lanes))

    def ways(self) -> dict[str, LaneWay]:
        """The lanes that had events."""
        found = {}
        for number, name in enumerate(self._lanes):
            decided = int(self._decided[number])
            means = {
                stage: round(self._sums_ns[place, number] / decided / NS_PER_MS, 3)
                for place, stage in enumerate(STAGES)
                if decided
            }
            if self._events[number]:
                found[name] = LaneWay(int(self._events[number]), decided, means)
        return found
