"""Measuring in turns, on a clock that the runs move."""

import numpy as np

from streamproc.core import VirtualClock
from streamproc.modeling.measuring import Timing, in_turns


def test_each_has_its_turn_and_the_first_run_of_a_turn_does_not_count() -> None:
    clock, asked = VirtualClock(), []

    def run(name: str, cost_ns: int) -> None:
        clock.advance(cost_ns * (100 if asked[-1:] != [name] else 1))
        asked.append(name)

    found = in_turns(
        {"slow": lambda: run("slow", 20), "quick": lambda: run("quick", 10)},
        rounds=3,
        block=2,
        now_ns=clock.now_ns,
    )
    assert (found["slow"].p50, found["slow"].p99, found["slow"].runs) == (20, 20, 6)
    assert (found["quick"].mean, found["quick"].runs) == (10, 6)
    assert asked[6:] == (["slow"] * 3 + ["quick"] * 3) * 3, "behind three runs each to warm up"


def test_percentiles_are_those_of_the_runs() -> None:
    timing = Timing.of(np.arange(1, 1_002))
    assert (timing.mean, timing.p50, timing.p90, timing.p99, timing.p999) == (
        501,
        501,
        901,
        991,
        1000,
    )
