"""The scheduler on a virtual clock, with a simulated executor: nothing waits, so hours take seconds.

It is the service's own scheduler, told and asked in the same words. Between two decisions nothing happens that it
would be asked about: while all executors are busy, what arrives until the next one is free is told in few offers.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import InvariantError
from streamproc.replay.simulation.machine import Machine, run_time_ns
from streamproc.replay.simulation.result import Ran, Result
from streamproc.replay.simulation.traffic import Traffic
from streamproc.scheduling import (
    Batching,
    Expired,
    Idle,
    LaneSpec,
    LatencyModel,
    Offered,
    Ordering,
    Planner,
    Run,
    Scheduler,
    SendLatency,
    Shed,
    ShedPolicy,
    SkipTo,
    Variant,
    WaitUntil,
)

_NEVER_NS = 1 << 62
INTAKE_NS = 1_000_000
"""What arrives within so long is one offer, as in the service, whose intake takes what has come since its last
look. An event waits from its offer on, so waiting is counted up to this much too short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the scheduler goes by.

    Attributes:
        batching: the planner and its options.
        shed: which events are given up, by which policies.
        ordering: whose decisions leave in the order of their events.
        lanes: the lanes.
    """

    batching: Batching = field(default_factory=Batching)
    shed: Sequence[ShedPolicy] = (Expired(), Planner())
    ordering: Ordering = "key"
    lanes: Sequence[LaneSpec] = (LaneSpec("default"),)


def make_scheduler(rules: Rules, machine: Machine) -> Scheduler:
    """The service's scheduler, which knows the machine as a sweep at the start would have shown it."""
    budget_ns = min((lane.budget_ns for lane in rules.lanes if lane.budget_ns), default=_NEVER_NS)
    return Scheduler(
        batching=rules.batching,
        shed=rules.shed,
        ordering=rules.ordering,
        variants=[
            Variant(
                variant.name,
                variant.quality,
                LatencyModel(
                    range(1, len(variant.run_ns) + 1),
                    variant.run_ns.tolist(),
                    size_max=len(variant.run_ns),
                ),
            )
            for variant in machine.variants
        ],
        send=SendLatency(ceiling_ns=budget_ns // 2, first_ns=machine.send_ns),
        slots=machine.executors,
        lanes=rules.lanes,
    )


def simulate(
    traffic: Traffic, machine: Machine, rules: Rules, *, rng: np.random.Generator
) -> Result:
    """Let all events of the traffic come to their end.

    Args:
        traffic: the events.
        machine: what runs and sends them.
        rules: what the scheduler goes by.
        rng: the source of jitter.

    Raises:
        InvariantError: the scheduler has lost an event, or waits for what is past.
    """
    return _Simulation(traffic, machine, make_scheduler(rules, machine), rng).run()


class _Simulation:
    """One simulation under way."""

    def __init__(
        self, traffic: Traffic, machine: Machine, scheduler: Scheduler, rng: np.random.Generator
    ) -> None:
        self._traffic = traffic
        self._machine = machine
        self._scheduler = scheduler
        self._rng = rng
        self._offered = 0
        self._ends: list[tuple[int, int]] = []
        """When each run ends, and its number: a heap."""
        self._acknowledgements: list[tuple[int, int]] = []
        """When decisions are acknowledged, and when they were made: a heap."""
        self._ran: list[Ran] = []
        self._shed: list[Shed] = []

    def run(self) -> Result:
        """All of it."""
        now_ns = int(self._traffic.arrival_ns[0]) if len(self._traffic) else _NEVER_NS
        while now_ns < _NEVER_NS:
            self._take_in(now_ns)
            self._report(now_ns)
            now_ns = self._next_ns(now_ns, self._act(now_ns))
        return Result.of(self._traffic, self._machine, self._ran, self._shed)

    def _report(self, now_ns: int) -> None:
        """Tell what has come to its end."""
        while self._acknowledgements and self._acknowledgements[0][0] <= now_ns:
            acknowledged_ns, decided_ns = heapq.heappop(self._acknowledgements)
            self._scheduler.acknowledged(decided_ns, acknowledged_ns)
        while self._ends and self._ends[0][0] <= now_ns:
            ended_ns, run = heapq.heappop(self._ends)
            self._scheduler.complete(run, ended_ns)

    def _take_in(self, now_ns: int) -> None:
        """Offer what has arrived, in the order and at the times of its arrival."""
        arrival_ns, begin = self._traffic.arrival_ns, self._offered
        end = begin + int(arrival_ns[begin:].searchsorted(now_ns, side="right"))
        if end - begin > 1:
            looks = (arrival_ns[begin:end] - arrival_ns[0]) // INTAKE_NS
            for cut in np.flatnonzero(np.diff(looks)).tolist():
                self._offer(begin + cut + 1)
        if end > self._offered:
            self._offer(end)

    def _offer(self, end: int) -> None:
        """Offer the events up to this one, as the last of them arrives."""
        traffic, begin = self._traffic, self._offered
        self._offered = end
        rows, number = slice(begin, end), np.arange(begin, end)
        key = number if self._scheduler.wants_keys else None  # none of them waits for another
        self._scheduler.offer(
            Offered(
                number=number,
                deadline_ns=traffic.deadline_ns[rows],
                partition=0,
                lane=None if traffic.lane is None else traffic.lane[rows],
                key=key if traffic.key is None else traffic.key[rows],
                cost=None if traffic.cost is None else traffic.cost[rows],
                value=None if traffic.value is None else traffic.value[rows],
            ),
            int(traffic.arrival_ns[end - 1]),
        )

    def _act(self, now_ns: int) -> int:
        """Do what is to be done now; gives when to ask again, if nothing happens before."""
        while True:
            # With nothing left to come, and nothing under way that could change its mind, it must not wait.
            over = self._offered == len(self._traffic) and not self._ends
            step = self._scheduler.next_action(now_ns)
            if over and isinstance(step.action, Idle) and self._scheduler.queue_depth:
                self._shed += step.shed
                step = self._scheduler.next_action(now_ns, draining=True)
            self._shed += step.shed
            match step.action:
                case Run():
                    self._start(step.action, now_ns)
                case WaitUntil(instant_ns=instant_ns):
                    if instant_ns <= now_ns:
                        msg = (
                            f"the scheduler waits for {instant_ns} at {now_ns}, which is not later"
                        )
                        raise InvariantError(msg)
                    return instant_ns
                case Idle():
                    return _NEVER_NS
                case SkipTo():
                    pass  # what is simulated is no log: there is nothing to skip

    def _start(self, run: Run, now_ns: int) -> None:
        variant = self._machine.variants[run.variant]
        cost = self._traffic.cost
        units = float(len(run.number) if cost is None else cost[run.number].sum())
        least_ns = run_time_ns(variant.run_ns, units)
        end_ns = now_ns + self._machine.took_ns(least_ns, self._rng)
        acknowledged_ns = end_ns + self._machine.took_ns(self._machine.send_ns, self._rng)
        heapq.heappush(self._ends, (end_ns, run.run))
        heapq.heappush(self._acknowledgements, (acknowledged_ns, end_ns))
        self._ran.append(Ran(run, now_ns, end_ns, acknowledged_ns))

    def _next_ns(self, now_ns: int, wake_ns: int) -> int:
        """The next instant at which there is something to tell or to ask."""
        end_ns = self._ends[0][0] if self._ends else _NEVER_NS
        if len(self._ends) == self._machine.executors:
            return end_ns
        arrival_ns = self._traffic.arrival_ns
        next_ns = int(arrival_ns[self._offered]) if self._offered < len(arrival_ns) else _NEVER_NS
        return max(min(end_ns, next_ns, wake_ns), now_ns)
