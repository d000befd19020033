"""How fast a model is, by the scenarios of MLPerf's LoadGen."""

from streamproc.modeling.bench.scenarios import SCENARIOS, Outcome, Scenario, Shape, run_scenario

__all__ = ["SCENARIOS", "Outcome", "Scenario", "Shape", "run_scenario"]
