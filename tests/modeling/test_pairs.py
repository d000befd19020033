"""What is quicker, and what is noise."""

import numpy as np
import pytest

from streamproc.core import VirtualClock
from streamproc.modeling.pairs import Ratio, take_turns


def test_the_interval_is_that_of_the_sign_test() -> None:
    ratio = Ratio.of(np.arange(1, 31), np.ones(30, np.int64))
    assert (ratio.median, ratio.low, ratio.high) == (
        15.5,
        10,
        21,
    )  # Conover 1999, table A3: ranks 10 and 21 of 30


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_of_few_rounds_nothing_is_said(rounds: int) -> None:
    ratio = Ratio.of(np.full(rounds, 1), np.full(rounds, 1_000_000))
    assert (ratio.low, ratio.high, ratio.verdict) == (0.0, float("inf"), "none")


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.5, "quicker"), (0.99, "none"), (1.0, "none"), (1.01, "none"), (1.5, "slower")],
)
def test_what_is_small_is_no_difference_however_sure(factor: float, verdict: str) -> None:
    base = np.full(20, 1_000_000)
    assert Ratio.of((base * factor).astype(np.int64), base).verdict == verdict


def test_noise_is_no_difference() -> None:
    noise = np.random.default_rng(3).normal(1_000, 200, size=(2, 30)).astype(np.int64)
    assert Ratio.of(*noise).verdict == "none"


def test_a_slow_while_of_the_machine_is_slow_for_all() -> None:
    clock = VirtualClock()
    begin_ns = clock.now_ns()

    def run(cost_ns: int) -> None:
        busy = 10 if (clock.now_ns() - begin_ns) % 400_000_000 > 200_000_000 else 1
        clock.advance(cost_ns * busy)

    runs = {"slow": lambda: run(200_000), "quick": lambda: run(100_000)}
    took = take_turns(runs, rounds=20, wall_ns=clock.now_ns, cpu_ns=clock.now_ns)
    assert Ratio.of(took["quick"].wall_ns, took["slow"].wall_ns).median == 0.5
    assert len(took["slow"].cpu_ns) == 20


def test_what_runs_before_the_threads_of_another_are_asleep_does_not_count() -> None:
    clock = VirtualClock()
    switched_ns = [0]
    last = [""]

    def run(name: str) -> None:
        if last[0] != name:
            last[0], switched_ns[0] = name, clock.now_ns()
        clock.advance(100_000 if clock.now_ns() - switched_ns[0] < 4_000_000 else 10_000)

    runs = {"a": lambda: run("a"), "b": lambda: run("b")}
    took = take_turns(runs, rounds=4, wall_ns=clock.now_ns, cpu_ns=clock.now_ns)
    assert set(took["a"].wall_ns.tolist()) == {10_000}
