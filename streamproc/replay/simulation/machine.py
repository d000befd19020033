"""What runs the batches of a simulation, and what comes after them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.core import Int64Array


@dataclass(frozen=True, slots=True)
class SimulatedVariant:
    """A variant of the model.

    Attributes:
        run_ns: int64 [b_max], ``run_ns[b - 1]`` is the least time of a batch of b; never decreasing.
        name: its name.
        quality: what a decision by it is worth, beside the best one's 1.
    """

    run_ns: Int64Array
    name: str = "full"
    quality: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Executors that are alike, and the way of the decisions to the broker.

    Attributes:
        variants: the model's variants, the best first.
        executors: how many batches run at the same time.
        send_ns: the least time from the end of a batch to the acknowledgement of its decisions.
        jitter: by how much times are longer: each is multiplied by 1 + |x|, x normal with this standard
            deviation. So no schedule is ever quicker than the curves, and their optimum stays the optimum.
    """

    variants: Sequence[SimulatedVariant]
    executors: int = 1
    send_ns: int = 0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not self.variants or self.executors < 1 or self.send_ns < 0 or self.jitter < 0:
            msg = "a machine needs a variant and an executor, and times and jitter that are not negative"
            raise ValueError(msg)

    def took_ns(self, least_ns: int, rng: np.random.Generator) -> int:
        """A time as it turns out."""
        if not self.jitter:
            return least_ns
        return round(least_ns * (1 + abs(rng.normal(0.0, self.jitter))))


def straight_line(*, fixed_ns: int, per_event_ns: int, size_max: int) -> Int64Array:
    """int64 [size_max], the times of an executor that takes so much for a batch and for each event of it."""
    return fixed_ns + per_event_ns * np.arange(1, size_max + 1)


def run_time_ns(run_ns: Int64Array, cost: float) -> int:
    """The time of a batch of this cost, which may be above the largest size of the curve.

    One event may cost more than a full batch of ordinary ones; beyond the curve each unit takes as long
    as in the largest batch.
    """
    units = max(1, math.ceil(cost))
    last = int(run_ns[-1])
    return int(run_ns[units - 1]) if units <= len(run_ns) else last * units // len(run_ns)
