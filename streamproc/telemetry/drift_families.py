"""Drift under its names in Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from streamproc.telemetry import names
from streamproc.telemetry.definitions import definition
from streamproc.telemetry.drift import DriftState


def drift_families(state: DriftState) -> Iterator[Metric]:
    """The Prometheus families of a window."""
    for name, values in (
        (names.DRIFT_PSI, state.psi()),
        (names.DRIFT_MISSING, state.missing_share()),
        (names.DRIFT_OUTSIDE, state.outside_share()),
    ):
        described = definition(name)
        family = GaugeMetricFamily(name, described.text, labels=described.labels)
        for feature, value in zip(state.names, values.tolist(), strict=True):
            family.add_metric((feature,), value)
        yield family
    described = definition(names.DRIFT_EVENTS)
    yield GaugeMetricFamily(described.name, described.text, value=state.events)
