"""Drift under its names in Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from streamproc.telemetry import names
from streamproc.telemetry.drift import DriftState
from streamproc.telemetry.families import family


def drift_families(state: DriftState) -> Iterator[Metric]:
    """The Prometheus families of a window."""
    for name, values in (
        (names.DRIFT_PSI, state.psi()),
        (names.DRIFT_MISSING, state.missing_share()),
        (names.DRIFT_OUTSIDE, state.outside_share()),
    ):
        by_feature = zip(state.names, values.tolist(), strict=True)
        yield family(name, {(feature,): value for feature, value in by_feature})
    yield family(names.DRIFT_EVENTS, state.events)
