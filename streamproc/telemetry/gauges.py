"""How things stand at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamproc.core import TopicPartition
from streamproc.telemetry.carried_states import CarriedStates
from streamproc.telemetry.drift import DriftState
from streamproc.telemetry.feature_states import FeatureStates
from streamproc.telemetry.model_states import ModelStates
from streamproc.telemetry.reorder_states import ReorderStates


@dataclass(frozen=True, slots=True)
class WorkerStates:
    """How the worker processes of a parent are.

    Attributes:
        by_state: how many are ``starting``, ``ready`` and ``down``.
        restarts: how often one was started again.
        cpu_seconds: what they have used.
    """

    by_state: Mapping[str, int]
    restarts: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Gauges:
    """How things stand at this moment; what is not measured stays as it is here, and is not exposed.

    Attributes:
        queue_depth: events that wait for a batch.
        lane_depths: the same by lane; empty where there is one lane.
        demand_workers: how many workers would meet the objective for what is offered.
        variant_level: which variant decides now, 0 being the best; None where there is one.
        lag_records: records still to be fetched, by partition.
        lag_seconds: how far what is fetched is behind, in the partition that is most; 0 where nothing is to fetch.
        watermarks_seconds: the latest event time that was fetched, since 1970, by partition.
        executor_slots: micro-batches that can run at the same time.
        loop_lag_seconds: how late the event loop last came back to a timer.
        event_time_skew_seconds: by source, how far its clock is off; positive is behind ours.
        workers: the worker processes; None where there is only this one.
        model: how the model is.
        drift: how features are distributed; None where nobody looks, or not enough was seen.
        features: what features remember; None where they remember nothing.
        carried: what the model carries of keys; None where it carries nothing.
        reordered: what waits for events of other topics; None where nothing ever does.
    """

    queue_depth: int | None = None
    lane_depths: Mapping[str, int] = field(default_factory=dict)
    demand_workers: float | None = None
    variant_level: int | None = None
    lag_records: Mapping[TopicPartition, int] = field(default_factory=dict)
    lag_seconds: float | None = None
    watermarks_seconds: Mapping[TopicPartition, float] = field(default_factory=dict)
    executor_slots: int | None = None
    loop_lag_seconds: float | None = None
    event_time_skew_seconds: Mapping[str, float] = field(default_factory=dict)
    workers: WorkerStates | None = None
    model: ModelStates | None = None
    drift: DriftState | None = None
    features: FeatureStates | None = None
    carried: CarriedStates | None = None
    reordered: ReorderStates | None = None
