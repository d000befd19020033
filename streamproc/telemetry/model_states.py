"""How the model is: its processes, its breakers, and how its reloads went."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from streamproc.telemetry import names
from streamproc.telemetry.families import family

BREAKER_STATES = ("closed", "open", "half_open")
RELOAD_RESULTS = ("done", "failed", "refused")


@dataclass(frozen=True, slots=True)
class ModelProcesses:
    """A variant's own processes.

    Attributes:
        ready: those that are loaded and warm.
        restarts: those that were started in place of others.
        breakers: how many breakers stand so, by state; one a worker.
        opened: how often they opened.
    """

    ready: int
    restarts: int
    breakers: Mapping[str, int]
    opened: int


@dataclass(frozen=True, slots=True)
class ModelStates:
    """How the model is.

    Attributes:
        processes: by variant; empty where it runs in the service's process.
        reloads: how many there were, by result: ``done``, ``failed`` or ``refused``.
    """

    processes: Mapping[str, ModelProcesses] = field(default_factory=dict)
    reloads: Mapping[str, int] = field(default_factory=dict)


def total_states(states: Sequence[ModelStates]) -> ModelStates:
    """Those of several workers as one pipeline's; their reloads are one each, told by their parent."""
    found: dict[str, ModelProcesses] = {}
    for variant in dict.fromkeys(name for one in states for name in one.processes):
        some = [one.processes[variant] for one in states if variant in one.processes]
        breakers: Counter[str] = Counter()
        for one in some:
            breakers.update(one.breakers)
        found[variant] = ModelProcesses(
            ready=sum(one.ready for one in some),
            restarts=sum(one.restarts for one in some),
            breakers=dict(breakers),
            opened=sum(one.opened for one in some),
        )
    reloads: Counter[str] = Counter()
    for state in states:
        reloads.update(state.reloads)
    return ModelStates(found, dict(reloads))


def model_families(states: ModelStates) -> Iterator[Metric]:
    """The Prometheus families of it."""
    yield family(
        names.RELOADS, {(result,): states.reloads.get(result, 0) for result in RELOAD_RESULTS}
    )
    if not states.processes:
        return
    by_variant = states.processes.items()
    yield family(names.MODEL_PROCESSES, {(variant,): one.ready for variant, one in by_variant})
    yield family(names.MODEL_RESTARTS, {(variant,): one.restarts for variant, one in by_variant})
    yield family(
        names.BREAKERS,
        {
            (variant, state): one.breakers.get(state, 0)
            for variant, one in by_variant
            for state in BREAKER_STATES
        },
    )
    yield family(names.BREAKER_OPENED, {(variant,): one.opened for variant, one in by_variant})
