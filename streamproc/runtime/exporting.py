"""What sends a pipeline's traces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamproc.config import PipelineConfig, group_of
from streamproc.core import ModelInfo

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
