"""Whether one thing is quicker than another, said only where it is more than noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb, inf
from typing import Final, Literal

import numpy as np

from streamproc.core import NS_PER_MS, Array, Int64Array
from streamproc.modeling.measuring import NowNs

Verdict = Literal["quicker", "slower", "none"]

MARGIN: Final = 0.02
"""A difference that is smaller is not worth a line of configuration, however sure it is."""
_SETTLE_NS: Final = 5 * NS_PER_MS
"""Threads of the one before it may spin for a while: what runs until then is not counted."""
_BEYOND: Final = 0.05


@dataclass(frozen=True, slots=True)
class Took:
    """What a thing took in each round, in ns: the median of its turn.

    Attributes:
        wall_ns: int64 [rounds], of the wall.
        cpu_ns: int64 [rounds], of all threads of the process.
    """

    wall_ns: Int64Array
    cpu_ns: Int64Array


@dataclass(frozen=True, slots=True)
class Ratio:
    """How long one thing takes beside another; below 1 it is quicker.

    Attributes:
        median: of the rounds.
        low: with ``high``, where the true median lies with 95% (by the sign test, so whatever the noise looks like).
        high: see ``low``; infinite where there were too few rounds to say anything.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, took_ns: Int64Array, base_ns: Int64Array) -> "Ratio":
        """Of what both took in the same rounds, int64 [rounds] each."""
        ratios: Array = np.sort(took_ns / base_ns)
        rounds = len(ratios)
        place = _outer(rounds)
        low, high = (0.0, inf) if place == 0 else (ratios[place - 1], ratios[rounds - place])
        return cls(float(np.median(ratios)), float(low), float(high))

    @property
    def verdict(self) -> Verdict:
        """``none`` where it may be noise, or is too small to matter."""
        if self.high < 1 - MARGIN:
            return "quicker"
        return "slower" if self.low > 1 + MARGIN else "none"


def _outer(rounds: int) -> int:
    """The largest k for which the k-th smallest and k-th largest hold the median with 95%; 0 for none."""
    below, place = 0, 0
    while True:
        below += comb(rounds, place)
        if 2 * below > _BEYOND * 2**rounds:
            return place
        place += 1


def take_turns(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    block: int = 8,
    wall_ns: NowNs,
    cpu_ns: NowNs,
) -> dict[str, Took]:
    """Measure several things round by round, each beside all others.

    Args:
        runs: by name, what to run.
        rounds: how often each has its turn; every second round goes through them backwards.
        block: how often it runs in a turn and is counted.
        wall_ns: the wall's clock.
        cpu_ns: the clock of what this process computes.
    """
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(rounds):
        order = list(runs) if number % 2 == 0 else list(reversed(runs))
        for name in order:
            took[name].append(_turn(runs[name], block, wall_ns, cpu_ns))
    return {name: Took(*np.rint(np.array(all_).T).astype(np.int64)) for name, all_ in took.items()}


def _turn(
    run: Callable[[], object], block: int, wall_ns: NowNs, cpu_ns: NowNs
) -> tuple[float, float]:
    settled_ns = wall_ns() + _SETTLE_NS
    run()
    while wall_ns() < settled_ns:
        run()
    cpu_begun_ns, wall = cpu_ns(), []
    for _ in range(block):
        begun_ns = wall_ns()
        run()
        wall.append(wall_ns() - begun_ns)
    return float(np.median(wall)), (cpu_ns() - cpu_begun_ns) / block
