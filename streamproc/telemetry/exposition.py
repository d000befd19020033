"""The Prometheus page: the accounts and the gauges under their names.

Only what is measured is exposed: a gauge without a value and a stage without data are left out. The
series of outcomes that every pipeline can have stand at 0 from the start, or the first burst of them
would be invisible to ``rate()`` (it needs a sample before the rise).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest as generate_text
from prometheus_client.gc_collector import GCCollector
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from streamproc.core import NS_PER_S, ModelInfo, Outcome, Reason
from streamproc.telemetry import names
from streamproc.telemetry.accounts import BATCH_SIZE_BOUNDS, Accounts, Gauges
from streamproc.telemetry.drift_families import drift_families
from streamproc.telemetry.feature_states import feature_families
from streamproc.telemetry.histogram import LatencyHistogram
from streamproc.telemetry.model_states import ModelStates, model_families

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_SHED: Final = (
    *(Reason.EXPIRED, Reason.PLANNER, Reason.TAIL_DROP, Reason.CONFLATE),
    *(Reason.PRIORITY, Reason.UTILITY, Reason.CODEL),
)
_BEFORE_DECODING: Final = (Reason.EXPIRED, Reason.CONFLATE)
_AFTER_RUNNING: Final = (
    *(Reason.MODEL_FAILED, Reason.DECIDE_FAILED, Reason.NOT_FINITE, Reason.TOO_LARGE),
    *(Reason.MODEL_CRASHED, Reason.MODEL_TIMEOUT, Reason.MODEL_UNAVAILABLE),
)
_DEAD: Final = tuple(reason for reason in Reason if reason not in (Reason.NONE, *_SHED))

Buckets = list[tuple[str, float]]


class PipelineCollector(Collector):
    """Reads a pipeline's accounts whenever it is asked; to be asked on the event loop's thread.

    Args:
        accounts: the books.
        gauges: how things stand now.
        models: the models that are loaded now.
        version: of streamproc.
    """

    def __init__(
        self,
        accounts: Callable[[], Accounts],
        *,
        gauges: Callable[[], Gauges],
        models: Callable[[], Sequence[ModelInfo]],
        version: str,
    ) -> None:
        self._accounts = accounts
        self._gauges = gauges
        self._models = models
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """All families, in a fixed order."""
        accounts = self._accounts()
        models = self._models()
        yield _outcomes(accounts, variants=len(models))
        yield from _latencies(accounts)
        yield from _batches(accounts)
        yield from _gauges(gauges := self._gauges())
        yield from _counters(accounts)
        yield from model_families(gauges.model or ModelStates())
        if gauges.drift is not None:
            yield from drift_families(gauges.drift)
        if gauges.features is not None:
            yield from feature_families(gauges.features)
        yield from self._infos(models)

    def _infos(self, models: Sequence[ModelInfo]) -> Iterator[Metric]:
        variants = InfoMetricFamily(names.VARIANT.removesuffix("_info"), "The models loaded.")
        for model in models:
            variants.add_metric(
                (), {"variant": model.variant, "digest": model.digest, "runs_on": model.runs_on}
            )
        if variants.samples:
            yield variants
        yield InfoMetricFamily(
            names.BUILD.removesuffix("_info"), "This streamproc.", value={"version": self._version}
        )


def _outcomes(accounts: Accounts, *, variants: int) -> Metric:
    family = CounterMetricFamily(
        names.OUTCOMES,
        "Events by what became of them; their sum is what was consumed.",
        labels=("pipeline", "lane", "outcome", "reason"),
    )
    settled = _from_the_start(accounts, variants=variants) | accounts.settled_by_lane
    for (lane, outcome, reason), count in sorted(settled.items()):
        family.add_metric((accounts.pipeline, lane, outcome.word, reason), count)
    return family


def _from_the_start(accounts: Accounts, *, variants: int) -> dict[tuple[str, Outcome, str], int]:
    """The series that this pipeline can have, at 0."""
    decided = [Outcome.ON_TIME, Outcome.LATE, *([Outcome.DEGRADED] if variants > 1 else [])]
    ends = [(outcome, "") for outcome in decided]
    ends += [(Outcome.SHED, str(reason)) for reason in accounts.shed_reasons]
    before = [(Outcome.SHED, str(r)) for r in accounts.shed_reasons if r in _BEFORE_DECODING]
    before += [(Outcome.DEAD_LETTER, str(reason)) for reason in _DEAD]
    if len(accounts.lanes) == 1:
        return {(accounts.lanes[0], *end): 0 for end in (*ends, *before)}
    ends += [(Outcome.DEAD_LETTER, str(reason)) for reason in _AFTER_RUNNING]
    found = {(lane, *end): 0 for lane in accounts.lanes for end in ends}
    return found | {(names.LANE_UNKNOWN, *end): 0 for end in before}


def _latencies(accounts: Accounts) -> Iterator[Metric]:
    e2e = HistogramMetricFamily(
        names.E2E_LATENCY,
        "From event time to the broker's acknowledgement of the decision.",
        unit="seconds",
    )
    e2e.add_metric((), *_buckets(accounts.e2e))
    yield e2e
    own = HistogramMetricFamily(
        names.OWN_LATENCY,
        "This process's part of it, from fetched to handed to the producer.",
        unit="seconds",
    )
    own.add_metric((), *_buckets(accounts.own))
    yield own
    stages = HistogramMetricFamily(
        names.STAGE_LATENCY,
        "Where an event's time goes, by stage.",
        labels=("stage",),
        unit="seconds",
    )
    for name, histogram in accounts.stages.items():
        if histogram.count:
            stages.add_metric((name,), *_buckets(histogram))
    if stages.samples:
        yield stages


def _batches(accounts: Accounts) -> Iterator[Metric]:
    sizes = HistogramMetricFamily(names.BATCH_SIZE, "Events in a micro-batch.")
    buckets: Buckets = []
    total = 0
    for bound, count in zip((*BATCH_SIZE_BOUNDS, math.inf), accounts.batch_sizes, strict=True):
        total += count
        buckets.append((_le(bound), total))
    sizes.add_metric((), buckets, accounts.batched)
    yield sizes
    batches = CounterMetricFamily(
        names.BATCHES, "Micro-batches by why they were started.", labels=("reason",)
    )
    for reason, count in accounts.batches.items():
        batches.add_metric((reason,), count)
    yield batches
    yield CounterMetricFamily(
        names.BATCH_ROOM,
        "Events that the micro-batches could have held: their sizes over it are how full they were.",
        value=accounts.batch_room,
    )


def _counters(accounts: Accounts) -> Iterator[Metric]:
    skipped = CounterMetricFamily(
        names.SKIPPED, "Records that were never fetched, by why.", labels=("reason",)
    )
    for reason, count in accounts.skips.items():
        skipped.add_metric((reason,), count)
    yield skipped
    for name, text, value in (
        (
            names.ACKED_LATE,
            "Decisions sent in time, acknowledged after their deadline.",
            accounts.acked_late,
        ),
        (
            names.HANDED_BACK,
            "Events fetched and given up before their outcome.",
            accounts.handed_back,
        ),
        (
            names.WRONG_EVENT_TIMES,
            "Events whose time was further ahead than deadline.max_future.",
            accounts.wrong_event_times,
        ),
        (
            names.UNREAD_DEADLINES,
            "Headers x-deadline-ns that are no number.",
            accounts.unread_deadlines,
        ),
        (
            names.TRACES_EXPORTED,
            "Traces that the collector has taken.",
            accounts.traces_exported,
        ),
        (
            names.TRACES_DROPPED,
            "Traces that it has not: it did not answer, or too many waited.",
            accounts.traces_dropped,
        ),
        (
            names.RECORDER_DROPPED,
            "Records, decisions and outcomes that a recording lacks: too much waited, or the disk was full.",
            accounts.recorder_dropped,
        ),
        (
            names.AHEAD_OF_CLOCK,
            "Decisions acknowledged before their own event time: the producer's clock is ahead.",
            accounts.e2e.negative_total,
        ),
    ):
        yield CounterMetricFamily(name, text, value=value)


def _le(bound: float) -> str:
    """A bucket's upper bound as a label: a float, as OpenMetrics wants it."""
    return "+Inf" if bound == math.inf else repr(float(bound))


def _buckets(histogram: LatencyHistogram) -> tuple[Buckets, float]:
    """The buckets by upper bound in seconds, and the sum in seconds."""
    counts = histogram.cumulative(histogram.bounds_ns)
    buckets: Buckets = [
        (_le(bound_ns / NS_PER_S), count)
        for bound_ns, count in zip(histogram.bounds_ns, counts, strict=True)
    ]
    buckets.append((_le(math.inf), histogram.count))
    return buckets, histogram.sum_ns / NS_PER_S


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    if gauges.queue_depth is not None:
        depth = GaugeMetricFamily(
            names.QUEUE_DEPTH, "Events that wait for a batch.", labels=("lane",)
        )
        for lane, count in (gauges.lane_depths or {names.LANE_DEFAULT: gauges.queue_depth}).items():
            depth.add_metric((lane,), count)
        yield depth
    if gauges.lag_records:
        lag = GaugeMetricFamily(
            names.CONSUMER_LAG_RECORDS,
            "Records still to be fetched.",
            labels=("topic", "partition"),
        )
        for source, records in sorted(gauges.lag_records.items()):
            lag.add_metric((source.topic, str(source.partition)), records)
        yield lag
    if gauges.event_time_skew_seconds:
        skew = GaugeMetricFamily(
            names.EVENT_TIME_SKEW,
            "How far a source's clock is off; positive is behind ours.",
            labels=("source",),
        )
        for name, seconds in sorted(gauges.event_time_skew_seconds.items()):
            skew.add_metric((name,), seconds)
        yield skew
    yield from _workers(gauges)
    for name, text, value in (
        (names.CONSUMER_LAG, "Age of the oldest record still to be fetched.", gauges.lag_seconds),
        (names.LOOP_LAG, "How late the event loop last was.", gauges.loop_lag_seconds),
        (
            names.DEMAND_WORKERS,
            "Workers that would meet the objective for what is offered; sum it over the workers.",
            gauges.demand_workers,
        ),
        (
            names.VARIANT_LEVEL,
            "The variant that decides now, 0 being the best.",
            gauges.variant_level,
        ),
    ):
        if value is not None:
            yield GaugeMetricFamily(name, text, value=value)


def _workers(gauges: Gauges) -> Iterator[Metric]:
    if gauges.workers is not None:
        workers = GaugeMetricFamily(names.WORKERS, "Worker processes.", labels=("state",))
        for state, count in gauges.workers.by_state.items():
            workers.add_metric((state,), count)
        yield workers
        yield CounterMetricFamily(
            names.WORKER_RESTARTS,
            "Workers that were started again.",
            value=gauges.workers.restarts,
        )
        yield CounterMetricFamily(
            names.WORKER_CPU,
            "CPU time of the workers since they joined; process_* is the parent's.",
            value=gauges.workers.cpu_seconds,
        )


def make_registry(collector: PipelineCollector) -> CollectorRegistry:
    """A registry of its own with the pipeline, the process and Python's garbage collector."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """The page and its content type.

    Args:
        registry: what is to be shown.
        accept: the request's ``Accept``; OpenMetrics where it is named, else the text format.
    """
    if "application/openmetrics-text" in accept:
        page: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        return page, OPENMETRICS
    return generate_text(registry), TEXT
