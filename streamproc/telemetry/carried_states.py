"""How the state is that a model carries: its keys, its memory, and how often a key began anew."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from streamproc.telemetry import names
from streamproc.telemetry.families import family

EVICTED_REASONS = ("room", "ttl")


@dataclass(frozen=True, slots=True)
class CarriedStates:
    """What a model carries of keys.

    Attributes:
        keys: how many keys have state.
        bytes: the memory for it.
        evicted: keys that were forgotten, by reason: no ``room`` for them, or their time was up (``ttl``).
        resets: keys that began anew behind an event that was not answered.
        restored: events that the model was run over again.
    """

    keys: int
    bytes: int
    evicted: Mapping[str, int] = field(default_factory=dict)
    resets: int = 0
    restored: int = 0


def total_carried(states: Sequence[CarriedStates]) -> CarriedStates | None:
    """Those of several workers as one pipeline's."""
    if not states:
        return None
    evicted: Counter[str] = Counter()
    for one in states:
        evicted.update(one.evicted)
    return CarriedStates(
        keys=sum(one.keys for one in states),
        bytes=sum(one.bytes for one in states),
        evicted=dict(evicted),
        resets=sum(one.resets for one in states),
        restored=sum(one.restored for one in states),
    )


def carried_families(states: CarriedStates) -> Iterator[Metric]:
    """The Prometheus families of it."""
    yield family(names.MODEL_STATE_KEYS, states.keys)
    yield family(names.MODEL_STATE_BYTES, states.bytes)
    yield family(
        names.MODEL_STATE_EVICTED,
        {(reason,): states.evicted.get(reason, 0) for reason in EVICTED_REASONS},
    )
    yield family(names.MODEL_STATE_RESETS, states.resets)
    yield family(names.MODEL_STATE_RESTORED, states.restored)
