"""What became of the events of a simulation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamproc.core import Int64Array, InvariantError, Outcome
from streamproc.replay.simulation.machine import Machine
from streamproc.replay.simulation.traffic import Traffic
from streamproc.scheduling import LaneSpec, Run, Shed
from streamproc.telemetry import Accounts

IN_TIME = (Outcome.ON_TIME, Outcome.DEGRADED)


class Ran(NamedTuple):
    """A batch, when it began and ended, and when its decisions were acknowledged."""

    run: Run
    started_ns: int
    ended_ns: int
    acknowledged_ns: int


@dataclass(frozen=True, slots=True)
class Result:
    """How each event ended.

    Attributes:
        traffic: the events.
        outcome: uint8 [n], codes of ``Outcome``.
        acknowledged_ns: int64 [n], when each decision was with the broker; 0 for what was shed.
        quality: float64 [n], what the decision is worth by its variant; 0 for what was shed or late.
        ran: the batches, in the order of their begin.
        shed: what was given up, in that order.
    """

    traffic: Traffic
    outcome: npt.NDArray[np.uint8]
    acknowledged_ns: Int64Array
    quality: npt.NDArray[np.float64]
    ran: Sequence[Ran]
    shed: Sequence[Shed]

    @classmethod
    def of(
        cls, traffic: Traffic, machine: Machine, ran: Sequence[Ran], shed: Sequence[Shed]
    ) -> "Result":
        """The result of what was run and given up.

        Raises:
            InvariantError: an event has no outcome, or two.
        """
        ends = [*(one.run.number for one in ran), *(one.number for one in shed)]
        times = np.bincount(np.concatenate([np.empty(0, np.int64), *ends]), minlength=len(traffic))
        if len(times) != len(traffic) or (times != 1).any():
            lost, twice = np.flatnonzero(times == 0), np.flatnonzero(times > 1)
            msg = f"events without an outcome: {lost[:5]}, with two: {twice[:5]} of {len(traffic)}"
            raise InvariantError(msg)
        outcome = np.full(len(traffic), Outcome.SHED, np.uint8)
        acknowledged_ns, quality = np.zeros(len(traffic), np.int64), np.zeros(len(traffic))
        for one in ran:
            rows = one.run.number
            in_time = one.acknowledged_ns <= traffic.deadline_ns[rows]
            good = Outcome.DEGRADED if one.run.variant else Outcome.ON_TIME
            outcome[rows] = np.where(in_time, np.uint8(good), np.uint8(Outcome.LATE))
            quality[rows] = in_time * machine.variants[one.run.variant].quality
            acknowledged_ns[rows] = one.acknowledged_ns
        return cls(traffic, outcome, acknowledged_ns, quality, ran, shed)

    @property
    def in_time(self) -> int:
        """Events decided before their deadline."""
        return int(np.isin(self.outcome, IN_TIME).sum())

    @property
    def late(self) -> int:
        """Events decided after their deadline."""
        return int((self.outcome == Outcome.LATE).sum())

    @property
    def duration_ns(self) -> int:
        """From the first arrival to the last acknowledgement, or the last arrival."""
        if not len(self.traffic):
            return 0
        last_ns = max(int(self.acknowledged_ns.max()), int(self.traffic.arrival_ns[-1]))
        return last_ns - int(self.traffic.arrival_ns[0])

    def accounts(
        self, pipeline: str, lanes: Sequence[LaneSpec], *, exact_bounds_ns: Sequence[int] = ()
    ) -> Accounts:
        """The books, as the service keeps them."""
        names = [lane.name for lane in lanes]
        accounts = Accounts(pipeline=pipeline, exact_bounds_ns=exact_bounds_ns, lanes=names)
        accounts.fetched = len(self.traffic)
        lane = self._lane()
        for outcome in (Outcome.ON_TIME, Outcome.DEGRADED, Outcome.LATE):
            accounts.settle_lanes(outcome, lane[self.outcome == outcome])
        for one in self.shed:
            accounts.settle_lanes(Outcome.SHED, lane[one.number], one.reason)
        arrival_ns = self.traffic.arrival_ns
        for ran in self.ran:
            came_ns, count = arrival_ns[ran.run.number], len(ran.run.number)
            accounts.batch(count, ran.run.reason)
            accounts.latency(ran.acknowledged_ns - came_ns)
            accounts.stage("queue", ran.started_ns - came_ns)
            accounts.stage_constant("infer", ran.ended_ns - ran.started_ns, count)
            accounts.stage_constant("emit", ran.acknowledged_ns - ran.ended_ns, count)
        return accounts

    def by_lane(self, lanes: int) -> list[tuple[int, int]]:
        """For each lane, how many events came and how many were in time."""
        lane = self._lane()
        came = np.bincount(lane, minlength=lanes)
        good = np.bincount(lane[np.isin(self.outcome, IN_TIME)], minlength=lanes)
        return list(zip(came.tolist(), good.tolist(), strict=True))

    def _lane(self) -> Int64Array:
        """int64 [n], each event's lane."""
        lane = self.traffic.lane
        return np.zeros(len(self.traffic), np.int64) if lane is None else lane
