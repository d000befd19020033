"""Metrics by OTLP: the families of ``/metrics`` as they are, pushed to a collector at an interval.

What is sent is cumulative, so one export that is lost loses nothing, and nothing waits for a collector that is away.
"""

import asyncio
import itertools
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from prometheus_client.core import Metric, Sample
from prometheus_client.registry import CollectorRegistry

from streamproc.core import NS_PER_S, VERSION, Clock
from streamproc.telemetry.latency_family import LatencyFamily, Series
from streamproc.telemetry.options import MetricsOtlp
from streamproc.telemetry.otlp_connect import connect
from streamproc.telemetry.otlp_settings import disabled, resource_of
from streamproc.telemetry.otlp_transports import METRICS, NotTakenError, Transport
from streamproc.telemetry.spans import SCOPE, attribute

log = logging.getLogger(__name__)

CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
_LAST_S = 2.0


class MetricsExporter:
    """Exports a registry at an interval; belongs to an event loop.

    Args:
        registry: what is exported; it is read on the loop, as a scrape does.
        transport: takes it to the collector; is used on a thread.
        place: where that is, for the log.
        resource: the process's attributes.
        interval_s: from one export to the next.
        clock: the time.

    Attributes:
        exported: how many exports the collector has taken.
        failed: how many it has not.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        transport: Transport[ExportMetricsServiceResponse],
        place: str,
        *,
        resource: Mapping[str, object],
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._place = place
        self._resource = resource
        self._interval_s = interval_s
        self._clock = clock
        self._started_ns = clock.now_ns()
        self._failing = False
        self.exported = 0
        self.failed = 0

    async def run(self) -> None:
        """Export until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(self._interval_s)
                await self.export()
        finally:
            try:
                async with asyncio.timeout(_LAST_S):
                    await self.export()
            except TimeoutError:
                log.warning("metrics: %s did not take the last ones in time", self._place)
            self._transport.close()

    async def export(self) -> None:
        """Export what is now."""
        families = list(self._registry.collect())
        await asyncio.to_thread(self._send, families, self._clock.now_ns())

    def _send(self, families: Sequence[Metric], now_ns: int) -> None:
        request = request_of(families, self._resource, started_ns=self._started_ns, now_ns=now_ns)
        try:
            self._transport.send(request.SerializeToString())
        except NotTakenError as error:
            self.failed += 1
            if not self._failing:
                log.warning("metrics: %s does not take them: %s; said once", self._place, error)
            self._failing = True
            return
        self.exported += 1
        if self._failing:
            log.warning("metrics: %s takes them again", self._place)
        self._failing = False


def make_metrics_exporter(
    options: MetricsOtlp,
    registry: CollectorRegistry,
    *,
    pipeline: str,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
) -> MetricsExporter | None:
    """The exporter of a pipeline's metrics; None where the environment turns them off.

    Raises:
        ConfigError: what the file or the environment says of the collector is wrong.
    """
    if disabled(METRICS, environ):
        return None
    transport, collector = connect(options, METRICS, environ)
    return MetricsExporter(
        registry,
        transport,
        collector.url,
        resource=resource_of(pipeline),
        interval_s=int(options.interval) / NS_PER_S,
        clock=clock,
    )


def request_of(
    families: Iterable[Metric], resource: Mapping[str, object], *, started_ns: int, now_ns: int
) -> ExportMetricsServiceRequest:
    """Prometheus families as an OTLP request.

    Args:
        families: what there is.
        resource: the process's attributes.
        started_ns: since when it is counted.
        now_ns: the present instant.
    """
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.extend(attribute(*item) for item in resource.items())
    scope = of_resource.scope_metrics.add()
    scope.scope.name, scope.scope.version = SCOPE, VERSION
    for family in families:
        made = scope.metrics.add(name=family.name, description=family.documentation)
        if family.name.endswith("_seconds"):
            made.unit = "s"
        _Filling(made, started_ns, now_ns).fill(family)
    return request


class _Filling:
    """Puts a family's values into an OTLP metric."""

    def __init__(self, made: otlp.Metric, started_ns: int, now_ns: int) -> None:
        self._made = made
        self._times = {"start_time_unix_nano": started_ns, "time_unix_nano": now_ns}

    def fill(self, family: Metric) -> None:
        """All of its series."""
        if isinstance(family, LatencyFamily):
            for series in family.series:
                self._latency(series, family.label_names)
        elif family.type == "histogram":
            self._histogram(family.samples)
        else:
            for sample in family.samples:
                self._number(sample, counted=family.type == "counter")

    def _number(self, sample: Sample, *, counted: bool) -> None:
        if sample.name.endswith("_created"):
            return
        if counted:
            self._made.sum.aggregation_temporality = CUMULATIVE
            self._made.sum.is_monotonic = True
            points = self._made.sum.data_points
        else:
            points = self._made.gauge.data_points
        point = points.add(as_double=float(sample.value), **self._times)
        point.attributes.extend(attribute(*item) for item in sample.labels.items())

    def _latency(self, series: Series, labels: Sequence[str]) -> None:
        point = self._point(
            [bound / NS_PER_S for bound in series.bounds_ns],
            [*series.cumulative, series.count],
            series.sum_s,
        )
        named = zip(labels, series.labels, strict=True)
        point.attributes.extend(attribute(*item) for item in named)
        for exemplar in series.exemplars.values():
            point.exemplars.add(
                as_double=exemplar.value_ns / NS_PER_S,
                time_unix_nano=exemplar.at_ns,
                trace_id=bytes.fromhex(exemplar.trace_id),
            )

    def _histogram(self, samples: Sequence[Sample]) -> None:
        """One without labels but ``le``."""
        buckets = [
            (float(s.labels["le"]), int(s.value)) for s in samples if s.name.endswith("_bucket")
        ]
        total = next(s.value for s in samples if s.name.endswith("_sum"))
        bounds = [bound for bound, _ in buckets if bound != math.inf]
        self._point(bounds, [count for _, count in buckets], float(total))

    def _point(
        self, bounds: Sequence[float], cumulative: Sequence[int], total: float
    ) -> otlp.HistogramDataPoint:
        self._made.histogram.aggregation_temporality = CUMULATIVE
        counts = [after - before for before, after in itertools.pairwise([0, *cumulative])]
        return self._made.histogram.data_points.add(
            explicit_bounds=bounds,
            bucket_counts=counts,
            count=cumulative[-1],
            sum=total,
            **self._times,
        )
