"""What sends a pipeline's traces and metrics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.registry import CollectorRegistry

from streamproc.config import PipelineConfig, group_of
from streamproc.core import Clock, ModelInfo
from streamproc.telemetry import MetricsOtlp

if TYPE_CHECKING:
    from streamproc.telemetry.otlp import Exporter


def exporter_of(config: PipelineConfig, models: Sequence[ModelInfo]) -> "Exporter | None":
    """What exports the traces that a pipeline makes; None where it makes none."""
    if config.telemetry.traces is None:
        return None
    from streamproc.telemetry.otlp import make_exporter  # noqa: PLC0415 - 0.2 s for those who trace

    return make_exporter(
        config.telemetry.traces,
        pipeline=config.name,
        group=group_of(config),
        model=", ".join(f"{model.variant} {model.digest}" for model in models),
    )


@contextlib.asynccontextmanager
async def pushed(
    options: MetricsOtlp | None, registry: CollectorRegistry, pipeline: str, clock: Clock
) -> AsyncIterator[None]:
    """Metrics are pushed in the block, where the user asks for that.

    Raises:
        ConfigError: what is said of the collector is wrong.
    """
    if options is None:
        yield
        return
    from streamproc.telemetry.otlp_metrics import make_metrics_exporter  # noqa: PLC0415 - as above

    exporter = make_metrics_exporter(options, registry, pipeline=pipeline, clock=clock)
    if exporter is None:
        yield
        return
    exporting = asyncio.create_task(exporter.run(), name="otlp-metrics")
    try:
        yield
    finally:
        exporting.cancel()
        await asyncio.gather(exporting, return_exceptions=True)
