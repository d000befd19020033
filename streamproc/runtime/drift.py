"""Watches drift where the configuration asks for it."""

import logging
from pathlib import Path

from streamproc.config import PipelineConfig
from streamproc.core import ConfigError, EventBatch, Problem, TopicPartition
from streamproc.runtime.assembly import Assembly
from streamproc.telemetry import DriftMonitor, DriftReference, DriftState

log = logging.getLogger(__name__)


class DriftWatch:
    """Shows the features to a monitor; see ``FeatureTap``.

    Args:
        monitor: counts.
    """

    def __init__(self, monitor: DriftMonitor) -> None:
        self._monitor = monitor

    def made(self, source: TopicPartition, events: EventBatch) -> None:  # noqa: ARG002 - a tap's
        """Count a batch."""
        fitted = self._monitor.fits
        self._monitor.observe(events.inputs)
        if fitted and not self._monitor.fits:
            log.error(
                "telemetry.drift: the reference is of other features than the pipeline's: drift is not "
                "measured; make a new one with `streamproc drift reference`"
            )

    def state(self) -> DriftState | None:
        """The last whole window."""
        return self._monitor.state()


def watch_drift(config: PipelineConfig, assembly: Assembly) -> DriftWatch | None:
    """What watches a pipeline's features from now on; None where nobody asks.

    Raises:
        ConfigError: the reference cannot be read.
    """
    asked = config.telemetry.drift
    if asked is None:
        return None
    reference = read_reference(Path(asked.reference))
    watch = DriftWatch(DriftMonitor(reference, window=asked.window, every=asked.every))
    assembly.feature_taps.append(watch)
    return watch


def read_reference(path: Path) -> DriftReference:
    """A reference's file.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    key = "telemetry.drift.reference"
    try:
        return DriftReference.from_json(path.read_text("utf-8"))
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(text, key)) from error
    except ValueError as error:
        raise ConfigError(Problem(f"{path}: {error}", key)) from error
