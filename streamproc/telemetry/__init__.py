"""What the pipeline tells of itself: accounts, histograms, the Prometheus page."""

from streamproc.telemetry import names
from streamproc.telemetry.accounts import (
    BATCH_REASONS,
    BATCH_SIZE_BOUNDS,
    STAGES,
    Accounts,
    BatchReason,
    Gauges,
    Stage,
    Summary,
    WorkerStates,
)
from streamproc.telemetry.exposition import PipelineCollector, make_registry, render
from streamproc.telemetry.histogram import BOUNDS_NS, LatencyHistogram
from streamproc.telemetry.latency_counts import LatencyCounts
from streamproc.telemetry.options import Metrics, Telemetry, Traces
from streamproc.telemetry.passage import Passage
from streamproc.telemetry.sampling import TRACEPARENT, Sampler, SpanIds
from streamproc.telemetry.timeline import Interval, Timeline
from streamproc.telemetry.traces import Journey, Tracer

__all__ = [
    "BATCH_REASONS",
    "BATCH_SIZE_BOUNDS",
    "BOUNDS_NS",
    "STAGES",
    "TRACEPARENT",
    "Accounts",
    "BatchReason",
    "Gauges",
    "Interval",
    "Journey",
    "LatencyCounts",
    "LatencyHistogram",
    "Metrics",
    "Passage",
    "PipelineCollector",
    "Sampler",
    "SpanIds",
    "Stage",
    "Summary",
    "Telemetry",
    "Timeline",
    "Tracer",
    "Traces",
    "WorkerStates",
    "make_registry",
    "names",
    "render",
]
