"""Drift under its names in Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from streamproc.telemetry import names
from streamproc.telemetry.drift import DriftState


def drift_families(state: DriftState) -> Iterator[Metric]:
    """The Prometheus families of a window."""
    for name, text, values in (
        (
            names.DRIFT_PSI,
            "Population stability index of a feature against the reference; above 0.25 it is another distribution.",
            state.psi(),
        ),
        (
            names.DRIFT_MISSING,
            "Share of the events whose feature is NaN or infinite.",
            state.missing_share(),
        ),
        (
            names.DRIFT_OUTSIDE,
            "Share of the events whose feature lies outside the reference's range.",
            state.outside_share(),
        ),
    ):
        family = GaugeMetricFamily(name, text, labels=("feature",))
        for feature, value in zip(state.names, values.tolist(), strict=True):
            family.add_metric((feature,), value)
        yield family
    yield GaugeMetricFamily(
        names.DRIFT_EVENTS, "Events that the last window of drift looked at.", value=state.events
    )
