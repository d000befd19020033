"""What the pipeline tells of itself: accounts, histograms, the Prometheus page."""

from streamproc.telemetry import names
from streamproc.telemetry.accounts import (
    BATCH_REASONS,
    BATCH_SIZE_BOUNDS,
    SKIP_REASONS,
    UNKNOWN,
    VERDICTS,
    Accounts,
    BatchReason,
    SkipReason,
    Verdict,
)
from streamproc.telemetry.carried_states import CarriedStates, total_carried
from streamproc.telemetry.definition import Definition
from streamproc.telemetry.definitions import DEFINITIONS, definition
from streamproc.telemetry.drift import DriftMonitor, DriftReference, DriftState, total_drift
from streamproc.telemetry.exposition import PipelineCollector, make_registry, render
from streamproc.telemetry.families import family
from streamproc.telemetry.feature_states import FeatureStates, total_features
from streamproc.telemetry.gauges import Gauges, WorkerStates
from streamproc.telemetry.histogram import BOUNDS_NS, LatencyHistogram
from streamproc.telemetry.journey import BatchSpan, Committed, Journey, Told
from streamproc.telemetry.latency_counts import LatencyCounts
from streamproc.telemetry.model_states import ModelProcesses, ModelStates, total_states
from streamproc.telemetry.options import Drift, Metrics, MetricsOtlp, Telemetry, Tls, Traces
from streamproc.telemetry.passage import BatchRun, Passage
from streamproc.telemetry.reorder_states import ReorderStates, total_reordered
from streamproc.telemetry.rollout import Comparison, RolloutBooks
from streamproc.telemetry.sampling import (
    TRACEPARENT,
    TRACESTATE,
    Sampler,
    SpanIds,
    incoming,
    parent_of,
)
from streamproc.telemetry.summary import Summary
from streamproc.telemetry.tail import STAGES, Stage, Tail
from streamproc.telemetry.timeline import Interval, Timeline
from streamproc.telemetry.traces import Tracer

__all__ = [
    "BATCH_REASONS",
    "BATCH_SIZE_BOUNDS",
    "BOUNDS_NS",
    "DEFINITIONS",
    "SKIP_REASONS",
    "STAGES",
    "TRACEPARENT",
    "TRACESTATE",
    "UNKNOWN",
    "VERDICTS",
    "Accounts",
    "BatchReason",
    "BatchRun",
    "BatchSpan",
    "CarriedStates",
    "Committed",
    "Comparison",
    "Definition",
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
    "MetricsOtlp",
    "ModelProcesses",
    "ModelStates",
    "Passage",
    "PipelineCollector",
    "ReorderStates",
    "RolloutBooks",
    "Sampler",
    "SkipReason",
    "SpanIds",
    "Stage",
    "Summary",
    "Tail",
    "Telemetry",
    "Timeline",
    "Tls",
    "Told",
    "Tracer",
    "Traces",
    "Verdict",
    "WorkerStates",
    "definition",
    "family",
    "incoming",
    "make_registry",
    "names",
    "parent_of",
    "render",
    "total_carried",
    "total_drift",
    "total_features",
    "total_reordered",
    "total_states",
]
