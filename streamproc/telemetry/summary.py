"""What ``--json`` prints at the end of a run."""

from typing import NotRequired, TypedDict

from streamproc.core import NS_PER_MS
from streamproc.telemetry.histogram import LatencyHistogram


class Summary(TypedDict):
    """What ``--json`` prints at the end of a run; every outcome is always there."""

    pipeline: str
    consumed: int
    duration_s: float
    throughput_per_s: float
    cpu_s: float
    outcomes: dict[str, int]
    skipped: int
    handed_back: int
    restored: int
    emitted: int
    batches: int
    reasons: dict[str, int]
    latency_ms: dict[str, float]
    stages_ms: dict[str, dict[str, float]]
    own_ms: dict[str, float]
    tail: NotRequired[dict[str, object]]
    lanes: NotRequired[dict[str, dict[str, int]]]
    workers: NotRequired[dict[str, int]]


def _ms(value_ns: int) -> float:
    return round(value_ns / NS_PER_MS, 3)


def stage_ms(histogram: LatencyHistogram) -> dict[str, float]:
    """Two percentiles of a stage; empty where nothing was measured."""
    if histogram.count == 0:
        return {}
    return {f"p{q}": _ms(histogram.percentile_ns(q)) for q in (50, 99)}


def latency_ms(histogram: LatencyHistogram) -> dict[str, float]:
    """Percentiles of a latency; empty where nothing was measured."""
    if histogram.count == 0:
        return {}
    percents = {"p50": 50, "p90": 90, "p99": 99, "p999": 99.9}
    shown = {name: _ms(histogram.percentile_ns(q)) for name, q in percents.items()}
    return shown | {"max": _ms(histogram.max_ns)}
