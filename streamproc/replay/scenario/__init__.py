"""Scenarios: a recording, what is made of it and what goes wrong, and what must come of it."""

from streamproc.replay.scenario.golden import Golden
from streamproc.replay.scenario.limits import LatencyLimit, Limit
from streamproc.replay.scenario.options import Assertions, BatchTime, Faults, Scenario
from streamproc.replay.scenario.running import ScenarioResult, Verdict, run_scenario

__all__ = [
    "Assertions",
    "BatchTime",
    "Faults",
    "Golden",
    "LatencyLimit",
    "Limit",
    "Scenario",
    "ScenarioResult",
    "Verdict",
    "run_scenario",
]
