"""Simulations side by side: several loads, several planners, and what could have been."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamproc.replay.simulation.capacity import capacity_per_s
from streamproc.replay.simulation.machine import Machine
from streamproc.replay.simulation.optimum import Optimum, optimum
from streamproc.replay.simulation.result import Result
from streamproc.replay.simulation.simulator import Rules, simulate
from streamproc.replay.simulation.traffic import Traffic
from streamproc.scheduling import LaneSpec, PlannerName


@dataclass(frozen=True, slots=True)
class Trial:
    """One planner on one traffic.

    Attributes:
        load: the traffic's mean rate over the capacity, as it was asked for.
        planner: which.
        result: what became of the events.
        best: the most that could have been in time.
        lanes: the lanes.
    """

    load: float
    planner: PlannerName
    result: Result
    best: Optimum
    lanes: Sequence[LaneSpec]

    @property
    def goodput_per_s(self) -> float:
        """Events answered in time, a second of arrivals."""
        result = self.result
        rate_per_s = result.traffic.rate_per_s
        return rate_per_s * result.in_time / len(result.traffic) if len(result.traffic) else 0.0

    @property
    def share_of_best(self) -> float:
        """Events in time over the most that could have been; 1 where nothing could."""
        return self.result.in_time / self.best.served if self.best.served else 1.0


def compare(
    traffics: Mapping[float, Traffic],
    machine: Machine,
    rules: Rules,
    planners: Sequence[PlannerName],
    *,
    seed: int,
) -> Iterator[Trial]:
    """Try all planners on all traffics.

    The optimum counts events, not what they are worth, and knows nothing of order: it is no less than what any
    rules allow. It counts with the best variant where there is one, else with the quickest time of each size.

    Args:
        traffics: the events by load.
        machine: what runs them.
        rules: what the scheduler goes by, but for the planner.
        planners: these.
        seed: of the jitter; each trial's own chance depends on nothing but its place.
    """
    least_ns = np.minimum.reduce([variant.run_ns for variant in machine.variants])
    for place, (load, traffic) in enumerate(traffics.items()):
        best = optimum(
            traffic.arrival_ns,
            traffic.deadline_ns - machine.send_ns,
            run_ns=least_ns,
            executors=machine.executors,
        )
        for planner in planners:
            rng = np.random.default_rng([seed, place, zlib.crc32(planner.encode())])
            own = replace(rules, batching=replace(rules.batching, policy=planner))
            result = simulate(traffic, machine, own, rng=rng)
            yield Trial(load, planner, result, best, rules.lanes)


def load_one_per_s(machine: Machine, *, budget_ns: int) -> float:
    """The highest rate that the best variant can sustain; 0 where it can be in time with nothing."""
    return capacity_per_s(
        machine.variants[0].run_ns,
        budget_ns=budget_ns - machine.send_ns,
        executors=machine.executors,
    )
