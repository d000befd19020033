"""How long a model takes: one after the other in turns, so that a machine that is busy for a while is so for all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from streamproc.core import Int64Array, process_cpu_ns

NowNs: TypeAlias = Callable[[], int]
TimeKind: TypeAlias = Literal["cpu", "wall"]
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """How long runs took, in ns.

    Attributes:
        mean: of all.
        p50: half of them took no longer.
        p90: 90 of 100 took no longer.
        p99: 99 of 100 took no longer.
        p999: 999 of 1,000 took no longer.
        runs: how many.
    """

    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    runs: int

    @classmethod
    def of(cls, took_ns: Int64Array) -> "Timing":
        """Of what each run took, int64 [runs], one at least."""
        p50, p90, p99, p999 = (float(q) for q in np.quantile(took_ns, (0.5, 0.9, 0.99, 0.999)))
        return cls(float(took_ns.mean()), p50, p90, p99, p999, len(took_ns))


def in_turns(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    block: int = 8,
    now_ns: NowNs = process_cpu_ns,
) -> dict[str, Timing]:
    """Measure several things in turns.

    Args:
        runs: by name, what to run.
        rounds: how often each has its turn.
        block: how often it runs in a turn; the first is not counted, for it finds the caches full of the others'.
        now_ns: a clock; by default the CPU time of this process, which other processes do not lengthen.
    """
    for run in runs.values():
        for _ in range(_WARM_UP):
            run()
    took: dict[str, list[int]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            for _ in range(block):
                begun_ns = now_ns()
                run()
                took[name].append(now_ns() - begun_ns)
    return {name: Timing.of(np.array(all_ns, np.int64)) for name, all_ns in took.items()}
