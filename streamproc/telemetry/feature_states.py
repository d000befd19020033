"""How what features remember is: its keys, its memory, and how long it took to come back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from streamproc.telemetry import names
from streamproc.telemetry.families import family


@dataclass(frozen=True, slots=True)
class FeatureStates:
    """What is remembered of keys.

    Attributes:
        keys: how many keys are remembered.
        bytes_a_key: what each takes.
        evicted: keys that were forgotten because there was no room.
        restored: records read again for what is remembered of them.
        restore_seconds: how long that took after the last assignment; 0 before the first.
        changelog: records and bytes written to a changelog; None where there is none.
    """

    keys: int
    bytes_a_key: int
    evicted: int
    restored: int
    restore_seconds: float
    changelog: tuple[int, int] | None = None


def total_features(states: Sequence[FeatureStates]) -> FeatureStates | None:
    """Those of several workers as one pipeline's; the longest restore counts."""
    if not states:
        return None
    written = [one.changelog for one in states if one.changelog is not None]
    return FeatureStates(
        keys=sum(one.keys for one in states),
        bytes_a_key=states[0].bytes_a_key,
        evicted=sum(one.evicted for one in states),
        restored=sum(one.restored for one in states),
        restore_seconds=max(one.restore_seconds for one in states),
        changelog=(sum(w[0] for w in written), sum(w[1] for w in written)) if written else None,
    )


def feature_families(states: FeatureStates) -> Iterator[Metric]:
    """The Prometheus families of it."""
    yield family(names.FEATURE_KEYS, states.keys)
    yield family(names.FEATURE_BYTES, states.keys * states.bytes_a_key)
    yield family(names.FEATURE_KEYS_EVICTED, states.evicted)
    yield family(names.RESTORED, states.restored)
    yield family(names.RESTORE, states.restore_seconds)
    if states.changelog is not None:
        records, bytes_total = states.changelog
        yield family(names.CHANGELOG_RECORDS, records)
        yield family(names.CHANGELOG_BYTES, bytes_total)
