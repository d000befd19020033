"""What the pipeline tells of itself: accounts, histograms, the Prometheus page."""

from streamproc.telemetry import names
from streamproc.telemetry.accounts import (
    BATCH_REASONS,
    BATCH_SIZE_BOUNDS,
    SKIP_REASONS,
    STAGES,
    UNKNOWN,
    Accounts,
    BatchReason,
    Gauges,
    SkipReason,
    Stage,
    Summary,
    WorkerStates,
)
from streamproc.telemetry.drift import DriftMonitor, DriftReference, DriftState, total_drift
from streamproc.telemetry.exposition import PipelineCollector, make_registry, render
from streamproc.telemetry.feature_states import FeatureStates, total_features
from streamproc.telemetry.histogram import BOUNDS_NS, LatencyHistogram
from streamproc.telemetry.latency_counts import LatencyCounts
from streamproc.telemetry.model_states import ModelProcesses, ModelStates, total_states
from streamproc.telemetry.options import Drift, Metrics, Telemetry, Tls, Traces
from streamproc.telemetry.passage import Passage
from streamproc.telemetry.sampling import (
    TRACEPARENT,
    TRACESTATE,
    Sampler,
    SpanIds,
    incoming,
    parent_of,
)
from streamproc.telemetry.timeline import Interval, Timeline
from streamproc.telemetry.traces import Journey, Tracer

__all__ = [
    "BATCH_REASONS",
    "BATCH_SIZE_BOUNDS",
    "BOUNDS_NS",
    "SKIP_REASONS",
    "STAGES",
    "TRACEPARENT",
    "TRACESTATE",
    "UNKNOWN",
    "Accounts",
    "BatchReason",
    "Drift",
    "DriftMonitor",
    "DriftReference",
    "DriftState",
    "FeatureStates",
    "Gauges",
    "Interval",
    "Journey",
    "LatencyCounts",
    "LatencyHistogram",
    "Metrics",
    "ModelProcesses",
    "ModelStates",
    "Passage",
    "PipelineCollector",
    "Sampler",
    "SkipReason",
    "SpanIds",
    "Stage",
    "Summary",
    "Telemetry",
    "Timeline",
    "Tls",
    "Tracer",
    "Traces",
    "WorkerStates",
    "incoming",
    "make_registry",
    "names",
    "parent_of",
    "render",
    "total_drift",
    "total_features",
    "total_states",
]
