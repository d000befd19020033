"""How what features remember is: its keys, its memory, and how long it took to come back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamproc.telemetry import names


@dataclass(frozen=True, slots=True)
class FeatureStates:
    """What is remembered of keys.

    Attributes:
        keys: how many keys are remembered.
        bytes_a_key: what each takes.
        evicted: keys that were forgotten because there was no room.
        restored: records read again for what is remembered of them.
        restore_seconds: how long that took after the last assignment; 0 before the first.
    """

    keys: int
    bytes_a_key: int
    evicted: int
    restored: int
    restore_seconds: float


def total_features(states: Sequence[FeatureStates]) -> FeatureStates | None:
    """Those of several workers as one pipeline's; the longest restore counts."""
    if not states:
        return None
    return FeatureStates(
        keys=sum(one.keys for one in states),
        bytes_a_key=states[0].bytes_a_key,
        evicted=sum(one.evicted for one in states),
        restored=sum(one.restored for one in states),
        restore_seconds=max(one.restore_seconds for one in states),
    )


def feature_families(states: FeatureStates) -> Iterator[Metric]:
    """The Prometheus families of it."""
    yield GaugeMetricFamily(names.FEATURE_KEYS, "Keys that features remember.", value=states.keys)
    yield GaugeMetricFamily(
        names.FEATURE_BYTES,
        "Memory for what features remember.",
        value=states.keys * states.bytes_a_key,
    )
    yield CounterMetricFamily(
        names.FEATURE_KEYS_EVICTED,
        "Keys that features forgot because there were more than state.max_keys.",
        value=states.evicted,
    )
    yield CounterMetricFamily(
        names.RESTORED,
        "Records read again for what features remember of them; no part of what was consumed.",
        value=states.restored,
    )
    yield GaugeMetricFamily(
        names.RESTORE,
        "How long reading again took after the last assignment of partitions.",
        value=states.restore_seconds,
    )
