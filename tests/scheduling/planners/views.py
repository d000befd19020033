"""What planners are told, by what matters to a test."""

from collections.abc import Sequence

import numpy as np

from streamproc.scheduling.planners import View
from tests.scheduling.making import MS, RUN_NS, SEND_NS, START_NS


def view(
    after_ms: Sequence[float],
    *,
    run_ns: Sequence[int] = RUN_NS,
    waited_ms: float = 100,
    cost: Sequence[float] | None = None,
    value: Sequence[float] | None = None,
    may_drop: bool = True,
    may_expire: bool = True,
    draining: bool = False,
) -> View:
    """Events whose deadlines come so many ms from now."""
    return View(
        START_NS + (np.array(after_ms) * MS).astype(np.int64),
        START_NS,
        np.array(run_ns, np.int64),
        SEND_NS,
        np.full(len(after_ms), START_NS - int(waited_ms * MS)),
        None if cost is None else np.array(cost, np.float64),
        None if value is None else np.array(value, np.float64),
        may_drop,
        may_expire,
        draining,
    )


def taken(view: View, count: int, reach_ns: int) -> list[int]:
    """The places of the events that a plan takes."""
    start = int(view.deadline_ns.searchsorted(reach_ns))
    return list(range(start, min(start + count, len(view.deadline_ns))))
