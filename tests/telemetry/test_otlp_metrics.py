"""Metrics by OTLP: what a collector gets is what ``/metrics`` shows."""

import asyncio
import logging
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from streamproc.core import ConfigError, Duration, ModelInfo, Outcome, Reason, VirtualClock
from streamproc.telemetry import (
    Accounts,
    Gauges,
    MetricsOtlp,
    PipelineCollector,
    make_registry,
    names,
)
from streamproc.telemetry.exemplars import Exemplar
from streamproc.telemetry.otlp_metrics import MetricsExporter, make_metrics_exporter
from tests.support import free_port
from tests.support.otlp import OtlpReceiver

MS = 1_000_000
TRACE = f"{7:032x}"


def exporter(options: MetricsOtlp, environ: dict[str, str] | None = None) -> Any:
    accounts = Accounts(pipeline="p", exact_bounds_ns=(33 * MS,))
    accounts.settle(Outcome.ON_TIME, 3)
    accounts.settle(Outcome.SHED, 5, Reason.EXPIRED)
    accounts.latency(np.array([5 * MS, 33 * MS, 70_000 * MS]))
    accounts.exemplars["e2e"].note(Exemplar(TRACE, 5 * MS, 10**18))
    accounts.batch(10, "full", room=16)
    collector = PipelineCollector(
        lambda: accounts,
        gauges=lambda: Gauges(queue_depth=4),
        models=lambda: [ModelInfo("full", "sha256:ab", "CPU")],
        version="1",
    )
    registry = make_registry(collector)
    clock = VirtualClock(10**18)
    return make_metrics_exporter(
        options, registry, pipeline="p", clock=clock, environ=environ or {}
    )


def received(receiver: OtlpReceiver) -> dict[str, Metric]:
    (of_resource,) = receiver.metrics[-1].resource_metrics
    (name,) = [a.value for a in of_resource.resource.attributes if a.key == "service.name"]
    assert name.string_value == "p"
    return {metric.name: metric for metric in of_resource.scope_metrics[0].metrics}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_collector_gets_what_the_page_shows(protocol: Any) -> None:
    with OtlpReceiver() as receiver:
        endpoint = receiver.grpc if protocol == "grpc" else receiver.http
        out = exporter(MetricsOtlp(endpoint=endpoint, protocol=protocol))
        await out.export()
        found = received(receiver)
    assert (out.exported, out.failed) == (1, 0)
    outcomes = found[names.OUTCOMES.removesuffix("_total")].sum
    assert outcomes.is_monotonic
    assert sum(point.as_double for point in outcomes.data_points) == 8
    labels = [{a.key: a.value.string_value for a in p.attributes} for p in outcomes.data_points]
    assert {"pipeline": "p", "lane": "default", "outcome": "shed", "reason": "expired"} in labels

    latency = found[names.E2E_LATENCY]
    assert latency.unit == "s"
    (point,) = latency.histogram.data_points
    assert (point.count, sum(point.bucket_counts)) == (3, 3)
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    within = sum(
        count
        for bound, count in zip(point.explicit_bounds, point.bucket_counts, strict=False)
        if bound <= 0.033
    )
    assert within == 2
    assert point.bucket_counts[-1] == 1  # above a minute
    assert point.sum == pytest.approx(70.038)
    assert [e.trace_id.hex() for e in point.exemplars] == [TRACE]

    (sizes,) = found[names.BATCH_SIZE].histogram.data_points
    assert (sizes.count, sizes.sum) == (1, 10)
    (depth,) = found[names.QUEUE_DEPTH].gauge.data_points
    assert depth.as_double == 4
    assert found["process_cpu_seconds"].sum.data_points[0].as_double > 0


async def test_it_exports_at_the_interval_and_at_the_end() -> None:
    with OtlpReceiver() as receiver:
        out = exporter(MetricsOtlp(endpoint=receiver.http, interval=Duration.parse("5ms")))
        running = asyncio.create_task(out.run())
        async with asyncio.timeout(20):
            while out.exported < 3:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
        running.cancel()
        before = out.exported
        await asyncio.gather(running, return_exceptions=True)
        assert out.exported == before + 1 == len(receiver.metrics)


async def test_a_dead_collector_is_said_once_and_nothing_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = exporter(MetricsOtlp(endpoint=f"http://127.0.0.1:{free_port()}"))
    for _ in range(3):
        await out.export()
    assert (out.exported, out.failed) == (0, 3)
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "metrics: http://127.0.0.1" in warned[0]


def test_variables_count_where_the_file_says_nothing() -> None:
    environ = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://there:1/own"}
    found = exporter(MetricsOtlp(), environ)
    assert isinstance(found, MetricsExporter)
    assert found._place == "http://there:1/own"
    assert exporter(MetricsOtlp(), {})._place == "http://localhost:4318/v1/metrics"
    assert exporter(MetricsOtlp(), {"OTEL_METRICS_EXPORTER": "none"}) is None
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is 'x'"):
        exporter(MetricsOtlp(), {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "x"})


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="endpoint must be a URL"):
        MetricsOtlp(endpoint="there:4318")
    with pytest.raises(ValueError, match="interval must be longer than 0"):
        MetricsOtlp(interval=Duration(0))
