"""Trials side by side: each the same whatever else is tried."""

import numpy as np

from streamproc.replay.simulation import (
    Machine,
    Rules,
    SimulatedVariant,
    Traffic,
    Trial,
    compare,
    straight_line,
)
from streamproc.scheduling import Batching, LaneSpec, PlannerName

MS = 1_000_000
RUN_NS = straight_line(fixed_ns=2 * MS, per_event_ns=MS, size_max=8)
RULES = Rules(batching=Batching(max_size=8), lanes=[LaneSpec("default", budget_ns=20 * MS)])


def traffic(gap_ns: int) -> Traffic:
    arrival_ns = np.arange(60) * gap_ns
    return Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + 20 * MS)


def trials(*planners: PlannerName, jitter: float = 0.1, executors: int = 1) -> list[Trial]:
    machine = Machine(variants=[SimulatedVariant(RUN_NS)], jitter=jitter, executors=executors)
    traffics = {1.0: traffic(2 * MS), 2.0: traffic(MS)}
    return list(compare(traffics, machine, RULES, planners, seed=3))


def test_the_order_of_trials() -> None:
    found = trials("early_drop", "fixed")
    places = [(trial.load, trial.planner) for trial in found]
    assert places == [(1.0, "early_drop"), (1.0, "fixed"), (2.0, "early_drop"), (2.0, "fixed")]


def test_a_trial_does_not_depend_on_what_else_is_tried() -> None:
    alone = trials("fixed")
    beside = [trial for trial in trials("early_drop", "fixed") if trial.planner == "fixed"]
    for one, other in zip(alone, beside, strict=True):
        assert one.result.acknowledged_ns.tolist() == other.result.acknowledged_ns.tolist()


def test_goodput_and_its_share() -> None:
    for trial in trials("early_drop", jitter=0.0):
        result = trial.result
        assert trial.best.kind == "exact"
        assert trial.share_of_best == result.in_time / trial.best.served <= 1.0
        assert trial.goodput_per_s == result.traffic.rate_per_s * result.in_time / 60
    assert {trial.best.kind for trial in trials("early_drop", executors=2)} == {"bound"}
