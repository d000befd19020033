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
from streamproc.telemetry.options import Metrics, Telemetry

__all__ = [
    "BATCH_REASONS",
    "BATCH_SIZE_BOUNDS",
    "BOUNDS_NS",
    "STAGES",
    "Accounts",
    "BatchReason",
    "Gauges",
    "LatencyHistogram",
    "Metrics",
    "PipelineCollector",
    "Stage",
    "Summary",
    "Telemetry",
    "make_registry",
    "names",
    "render",
]
