"""The Prometheus page: the accounts and the gauges under their names.

Only what is measured is exposed: a gauge without a value and a stage without data are left out. The
series of outcomes that every pipeline can have stand at 0 from the start, or the first burst of them
would be invisible to ``rate()`` (it needs a sample before the rise).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import (
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
from streamproc.telemetry.accounts import (
    BATCH_SIZE_BOUNDS,
    E2E,
    OWN,
    VERDICTS,
    Accounts,
    lane_key,
)
from streamproc.telemetry.carried_states import carried_families
from streamproc.telemetry.definitions import definition
from streamproc.telemetry.drift_families import drift_families
from streamproc.telemetry.families import family
from streamproc.telemetry.feature_states import feature_families
from streamproc.telemetry.gauges import Gauges
from streamproc.telemetry.latency_family import LatencyFamily, le
from streamproc.telemetry.model_states import ModelStates, model_families
from streamproc.telemetry.reorder_states import reorder_families
from streamproc.telemetry.rollout import rollout_families

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_SHED: Final = (
    *(Reason.EXPIRED, Reason.PLANNER, Reason.TAIL_DROP, Reason.CONFLATE),
    *(Reason.PRIORITY, Reason.UTILITY, Reason.CODEL, Reason.STOPPED),
)
_BEFORE_DECODING: Final = (Reason.EXPIRED, Reason.CONFLATE)
_AFTER_RUNNING: Final = (
    *(Reason.MODEL_FAILED, Reason.DECIDE_FAILED, Reason.NOT_FINITE, Reason.TOO_LARGE),
    *(Reason.MODEL_CRASHED, Reason.MODEL_TIMEOUT, Reason.MODEL_UNAVAILABLE),
)
_DEAD: Final = tuple(reason for reason in Reason if reason not in (Reason.NONE, *_SHED))


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
        yield from _batches(accounts, list(dict.fromkeys(model.variant for model in models)))
        yield from _gauges(gauges := self._gauges())
        yield from _counters(accounts)
        yield from rollout_families(accounts.rollout)
        yield from model_families(gauges.model or ModelStates())
        if gauges.drift is not None:
            yield from drift_families(gauges.drift)
        if gauges.features is not None:
            yield from feature_families(gauges.features)
        if gauges.carried is not None:
            yield from carried_families(gauges.carried)
        if gauges.reordered is not None:
            yield from reorder_families(gauges.reordered)
        yield from self._infos(models)

    def _infos(self, models: Sequence[ModelInfo]) -> Iterator[Metric]:
        described = definition(names.VARIANT)
        variants = InfoMetricFamily(names.VARIANT.removesuffix("_info"), described.text)
        for model in models:
            variants.add_metric(
                (), {"variant": model.variant, "digest": model.digest, "runs_on": model.runs_on}
            )
        if variants.samples:
            yield variants
        yield InfoMetricFamily(
            names.BUILD.removesuffix("_info"),
            definition(names.BUILD).text,
            value={"version": self._version},
        )


def _outcomes(accounts: Accounts, *, variants: int) -> Metric:
    settled = _from_the_start(accounts, variants=variants) | accounts.settled_by_lane
    return family(
        names.OUTCOMES,
        {
            (accounts.pipeline, lane, outcome.word, reason): count
            for (lane, outcome, reason), count in sorted(settled.items())
        },
    )


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
    e2e = LatencyFamily(definition(names.E2E_LATENCY))
    if accounts.e2e_by_lane:
        for number, histogram in enumerate(accounts.e2e_by_lane):
            e2e.add((accounts.lanes[number],), histogram, accounts.exemplars[lane_key(number)])
    else:
        e2e.add(accounts.lanes, accounts.e2e, accounts.exemplars[E2E])
    yield e2e
    own = LatencyFamily(definition(names.OWN_LATENCY))
    own.add((), accounts.own, accounts.exemplars[OWN])
    yield own
    stages = LatencyFamily(definition(names.STAGE_LATENCY))
    for name, histogram in accounts.stages.items():
        if histogram.count:
            stages.add((name,), histogram, accounts.exemplars[name])
    if stages.series:
        yield stages
    yield family(names.TAIL_SECONDS, {(n,): ns / NS_PER_S for n, ns in accounts.tail.by_stage})
    yield family(names.TAIL_EVENTS, accounts.tail.events)
    if accounts.tail.threshold_ns is not None:
        yield family(names.TAIL_THRESHOLD, accounts.tail.threshold_ns / NS_PER_S)
    pauses = LatencyFamily(definition(names.GC_PAUSE))
    pauses.add((), accounts.gc_pauses, None)
    yield pauses


def _batches(accounts: Accounts, variants: Sequence[str]) -> Iterator[Metric]:
    described = definition(names.BATCH_SIZE)
    sizes = HistogramMetricFamily(described.name, described.text)
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*BATCH_SIZE_BOUNDS, math.inf), accounts.batch_sizes, strict=True):
        total += count
        buckets.append((le(bound), total))
    sizes.add_metric((), buckets, accounts.batched)
    yield sizes
    yield family(names.BATCHES, {(reason,): n for reason, n in accounts.batches.items()})
    yield family(names.BATCH_ROOM, accounts.batch_room)
    ran = {name: accounts.variants.get(number, (0, 0)) for number, name in enumerate(variants)}
    yield family(names.DECIDED, {(name,): events for name, (events, _) in ran.items()})
    yield family(
        names.EXECUTOR_BUSY, {(name,): busy_ns / NS_PER_S for name, (_, busy_ns) in ran.items()}
    )
    if accounts.verdicts:
        judged = {variants[number]: number for number, _ in sorted(accounts.verdicts)}
        yield family(
            names.CASCADE,
            {
                (name, verdict): accounts.verdicts.get((number, verdict), 0)
                for name, number in judged.items()
                for verdict in VERDICTS
            },
        )


def _counters(accounts: Accounts) -> Iterator[Metric]:
    yield family(names.SKIPPED, {(reason,): n for reason, n in accounts.skips.items()})
    yield family(
        names.TRACES_SUPPRESSED,
        {(outcome.word,): n for outcome, n in accounts.traces_suppressed.items()},
    )
    for name, value in (
        (names.FETCHED, accounts.fetched),
        (names.ACKED_LATE, accounts.acked_late),
        (names.HANDED_BACK, accounts.handed_back),
        (names.WRONG_EVENT_TIMES, accounts.wrong_event_times),
        (names.UNREAD_DEADLINES, accounts.unread_deadlines),
        (names.TRACES_EXPORTED, accounts.traces_exported),
        (names.TRACES_DROPPED, accounts.traces_dropped),
        (names.RECORDER_DROPPED, accounts.recorder_dropped),
        (names.AHEAD_OF_CLOCK, accounts.e2e.negative_total),
    ):
        yield family(name, value)
    yield family(names.IN_FLIGHT, accounts.in_flight)


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    if gauges.queue_depth is not None:
        depths = gauges.lane_depths or {names.LANE_DEFAULT: gauges.queue_depth}
        yield family(names.QUEUE_DEPTH, {(lane,): count for lane, count in depths.items()})
    for name, by_partition in (
        (names.CONSUMER_LAG_RECORDS, gauges.lag_records),
        (names.WATERMARK, gauges.watermarks_seconds),
    ):
        if by_partition:
            found = sorted(by_partition.items())
            yield family(name, {(tp.topic, str(tp.partition)): float(n) for tp, n in found})
    if gauges.event_time_skew_seconds:
        skews = sorted(gauges.event_time_skew_seconds.items())
        yield family(names.EVENT_TIME_SKEW, {(source,): seconds for source, seconds in skews})
    yield from _workers(gauges)
    for name, value in (
        (names.CONSUMER_LAG, gauges.lag_seconds),
        (names.LOOP_LAG, gauges.loop_lag_seconds),
        (names.DEMAND_WORKERS, gauges.demand_workers),
        (names.VARIANT_LEVEL, gauges.variant_level),
        (names.EXECUTOR_SLOTS, gauges.executor_slots),
    ):
        if value is not None:
            yield family(name, value)


def _workers(gauges: Gauges) -> Iterator[Metric]:
    if gauges.workers is not None:
        states = gauges.workers.by_state.items()
        yield family(names.WORKERS, {(state,): count for state, count in states})
        yield family(names.WORKER_RESTARTS, gauges.workers.restarts)
        yield family(names.WORKER_CPU, gauges.workers.cpu_seconds)


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
    openmetrics = "application/openmetrics-text" in accept
    written, others = b"", _Collected()
    for metric in registry.collect():
        if isinstance(metric, LatencyFamily):
            written += metric.text(openmetrics=openmetrics)
        else:
            others.append(metric)
    if openmetrics:  # it ends with a line that says so
        page: bytes = generate_openmetrics(others)  # type: ignore[no-untyped-call]
        return written + page, OPENMETRICS
    return written + generate_text(others), TEXT


class _Collected(list[Metric]):
    """Families that were collected, for what asks a registry for them."""

    def collect(self) -> Iterator[Metric]:
        """Each of them."""
        return iter(self)
