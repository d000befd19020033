"""Schedulers and what is offered to them, by what matters to a test."""

from collections.abc import Sequence

import numpy as np

from streamproc.core import Int64Array
from streamproc.scheduling import (
    Batching,
    Expired,
    LaneSpec,
    LatencyModel,
    Offered,
    Ordering,
    Planner,
    PlannerName,
    Scheduler,
    SendLatency,
    ShedPolicy,
    Variant,
)

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
SIZE_MAX = 4
RUN_NS = [(10 + 2 * size) * MS for size in range(1, SIZE_MAX + 1)]
SEND_NS = 3 * MS
BOTH = (Expired(), Planner())


def frozen(values: Sequence[int]) -> Int64Array:
    """A column that nobody may change."""
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


def offered(
    number: Sequence[int],
    deadline_ns: Sequence[int],
    partition: int = 0,
    *,
    lane: Sequence[int] | None = None,
    key: Sequence[int] | None = None,
    cost: Sequence[float] | None = None,
    value: Sequence[float] | None = None,
) -> Offered:
    """Events with these columns."""
    return Offered(
        frozen(number),
        frozen(deadline_ns),
        partition,
        lane=None if lane is None else frozen(lane),
        key=None if key is None else frozen(key),
        cost=None if cost is None else np.array(cost),
        value=None if value is None else np.array(value),
    )


def scheduler(
    *,
    shed: Sequence[ShedPolicy] = BOTH,
    ordering: Ordering = "none",
    slots: int = 1,
    size_max: int = SIZE_MAX,
    ceiling_ns: int = 20 * MS,
    policy: PlannerName = "early_drop",
    lanes: Sequence[LaneSpec] = (LaneSpec("default"),),
    run_ns: Sequence[int] = RUN_NS,
    send_ns: int = SEND_NS,
) -> Scheduler:
    """A scheduler whose model takes ``run_ns[b - 1]`` for a batch of b."""
    latency = LatencyModel(range(1, len(run_ns) + 1), run_ns, size_max=len(run_ns))
    return Scheduler(
        batching=Batching(policy=policy, max_size=size_max),
        shed=shed,
        ordering=ordering,
        variants=[Variant("full", 1.0, latency)],
        send=SendLatency(ceiling_ns=ceiling_ns, first_ns=send_ns),
        slots=slots,
        lanes=lanes,
    )
