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
)
from streamproc.telemetry.exposition import PipelineCollector, make_registry, render
from streamproc.telemetry.histogram import BOUNDS_NS, LatencyHistogram
from streamproc.telemetry.options import Metrics, Telemetry, Traces
from streamproc.telemetry.passage import Passage
from streamproc.telemetry.sampling import TRACEPARENT, Sampler
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
    "Journey",
    "LatencyHistogram",
    "Metrics",
    "Passage",
    "PipelineCollector",
    "Sampler",
    "Stage",
    "Summary",
    "Telemetry",
    "Tracer",
    "Traces",
    "make_registry",
    "names",
    "render",
]
