"""The gauges of several workers as one pipeline's."""

from collections import Counter
from collections.abc import Sequence

from streamproc.telemetry import (
    Gauges,
    WorkerStates,
    total_carried,
    total_drift,
    total_features,
    total_reordered,
    total_states,
)


def total(gauges: Sequence[Gauges], workers: WorkerStates) -> Gauges:
    """What waits in all workers together.

    Args:
        gauges: of each worker that has told.
        workers: how the workers are.
    """
    depths: Counter[str] = Counter()
    for one in gauges:
        depths.update(one.lane_depths)
    demands = [g.demand_workers for g in gauges if g.demand_workers is not None]
    levels = [g.variant_level for g in gauges if g.variant_level is not None]
    slots = [g.executor_slots for g in gauges if g.executor_slots is not None]
    return Gauges(
        queue_depth=sum(g.queue_depth or 0 for g in gauges),
        lane_depths=dict(depths),
        # Each tells for its own partitions how many such as itself they need: together that is the pipeline's.
        demand_workers=sum(demands) if demands else None,
        variant_level=max(levels, default=None),
        lag_records={tp: n for g in gauges for tp, n in g.lag_records.items()},
        lag_seconds=max((g.lag_seconds for g in gauges if g.lag_seconds is not None), default=None),
        watermarks_seconds={tp: t for g in gauges for tp, t in g.watermarks_seconds.items()},
        executor_slots=sum(slots) if slots else None,
        loop_lag_seconds=max((g.loop_lag_seconds or 0.0 for g in gauges), default=None),
        event_time_skew_seconds={
            source: s for g in gauges for source, s in g.event_time_skew_seconds.items()
        },
        workers=workers,
        model=total_states([g.model for g in gauges if g.model is not None]),
        drift=total_drift([g.drift for g in gauges if g.drift is not None]),
        features=total_features([g.features for g in gauges if g.features is not None]),
        carried=total_carried([g.carried for g in gauges if g.carried is not None]),
        reordered=total_reordered([g.reordered for g in gauges if g.reordered is not None]),
    )
