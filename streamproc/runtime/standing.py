"""How things stand in one process at this moment."""

import heapq
from collections.abc import Mapping, Sequence

from streamproc.core import NS_PER_S, Executor, TopicPartition
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.feature_states import carried_states, feature_states
from streamproc.runtime.model_states import model_states
from streamproc.telemetry import DriftState, Gauges, ReorderStates

_SKEWS_SHOWN = 100
"""Of the sources' clocks, those most off: with one a key there may be thousands."""


def standing(
    assembly: Assembly,
    executors: Sequence[Executor],
    *,
    lag: Mapping[TopicPartition, int],
    drift: DriftState | None,
    loop_lag_ns: int,
    reloads: Mapping[str, int],
    now_ns: int,
) -> Gauges:
    """What is waiting, and how far everything is behind.

    Args:
        assembly: the pipeline's parts.
        executors: of the model's variants.
        lag: records still to be fetched, by partition.
        drift: how features are distributed; None where nobody looks.
        loop_lag_ns: how late the event loop last was.
        reloads: how many there were, by result.
        now_ns: the present instant.
    """
    engine = assembly.engine
    order = engine.order
    skews_ns = engine.skews_ns()
    most = heapq.nlargest(_SKEWS_SHOWN, skews_ns, key=lambda source: abs(skews_ns[source]))
    depths = dict(zip(assembly.accounts.lanes, engine.queue_depths, strict=True))
    lag_ns = engine.entrance.read.lag_ns(lag, now_ns)
    latest_ns = engine.entrance.read.event_time_ns
    return Gauges(
        queue_depth=engine.queue_depth,
        lane_depths=depths if len(depths) > 1 else {},
        demand_workers=engine.demand_workers(now_ns),
        variant_level=engine.variant if len(executors) > 1 else None,
        lag_records=lag,
        lag_seconds=None if lag_ns is None else lag_ns / NS_PER_S,
        watermarks_seconds={source: ns / NS_PER_S for source, ns in latest_ns.items()},
        executor_slots=assembly.slots,
        loop_lag_seconds=loop_lag_ns / NS_PER_S,
        features=feature_states(assembly),
        carried=carried_states(assembly),
        reordered=None if order is None else ReorderStates(order.waiting_total, order.forced_total),
        drift=drift,
        model=model_states(executors, reloads),
        event_time_skew_seconds={source: skews_ns[source] / NS_PER_S for source in most},
    )
