"""The books of models that are tried beside the one that decides."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric

from streamproc.core import NS_PER_S, Int64Array, Outcome
from streamproc.telemetry import names
from streamproc.telemetry.definitions import definition
from streamproc.telemetry.families import family
from streamproc.telemetry.histogram import LatencyHistogram
from streamproc.telemetry.latency_family import LatencyFamily
from streamproc.telemetry.summary import latency_ms


@dataclass(slots=True)
class Comparison:
    """A model held against another, over the same events.

    Attributes:
        compared: events that both decided.
        differed: those of them that were decided otherwise.
        difference_sum: the sum over them of how far the numbers of the two decisions lie apart at most.
        dropped: events that were to be compared, and for which there was no time.
        failed: events on which the model that runs aside failed.
        busy_ns: how long it ran.
    """

    compared: int = 0
    differed: int = 0
    difference_sum: float = 0.0
    dropped: int = 0
    failed: int = 0
    busy_ns: int = 0

    def merge(self, other: "Comparison") -> None:
        """Add those of another process."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class RolloutBooks:
    """What became of a rollout.

    Attributes:
        outcomes: events by the arm that was to decide about them and what became of them.
        shares: the share of the keys of each arm now; empty where there is no rollout.
        failed: events by the arm that failed on them, so that the model itself decided.
        comparisons: by the candidate's name.
        rollbacks: by the canary's name and why; each once.
        latency: from event time to the broker's acknowledgement, by the arm that was to decide.
    """

    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    shares: dict[str, float] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    rollbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    latency: dict[str, LatencyHistogram] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """By the name of a canary that was taken back, why, in words."""

    def of(self, candidate: str) -> Comparison:
        """The comparison of a candidate."""
        return self.comparisons.setdefault(candidate, Comparison())

    def took(self, arm: str, values_ns: Int64Array) -> None:
        """Count the latencies (int64 [n]) of events of an arm."""
        self.latency.setdefault(arm, LatencyHistogram()).add(values_ns)

    def merge(self, other: "RolloutBooks") -> None:
        """Add those of another process: of shares, which each worker has for itself, the least."""
        self.outcomes.update(other.outcomes)
        for arm, share in other.shares.items():
            self.shares[arm] = min(self.shares.get(arm, share), share)
        self.failed.update(other.failed)
        for name, comparison in other.comparisons.items():
            self.of(name).merge(comparison)
        self.rollbacks.update(other.rollbacks)
        for arm, histogram in other.latency.items():
            self.latency.setdefault(arm, LatencyHistogram()).merge(histogram)
        self.said |= other.said

    def view(self) -> dict[str, Any] | None:
        """For ``/api/status``; None where nothing was rolled out."""
        if not self.shares and not self.comparisons:
            return None
        arms: dict[str, Any] = {name: {"share": share} for name, share in self.shares.items()}
        for (arm, outcome), count in sorted(self.outcomes.items()):
            arms.setdefault(arm, {"share": 0.0}).setdefault("outcomes", {})[outcome.word] = count
        for arm, histogram in self.latency.items():
            arms.setdefault(arm, {"share": 0.0})["latency_ms"] = latency_ms(histogram)
        for arm, count in self.failed.items():
            arms.setdefault(arm, {"share": 0.0})["failed"] = count
        return {
            "arms": arms,
            "comparisons": {
                name: {
                    "compared": one.compared,
                    "differed": one.differed,
                    "difference_mean": one.difference_sum / one.compared if one.compared else None,
                    "dropped": one.dropped,
                    "failed": one.failed,
                }
                for name, one in self.comparisons.items()
            },
            "rolled_back": dict(self.said),
        }


def rollout_families(books: RolloutBooks) -> Iterator[Metric]:
    """The Prometheus families of it; none where nothing was rolled out."""
    if not books.shares and not books.comparisons:
        return
    yield family(names.ARM_SHARE, {(arm,): share for arm, share in books.shares.items()})
    outcomes = sorted(books.outcomes.items())
    yield family(names.ARM_OUTCOMES, {(arm, outcome.word): n for (arm, outcome), n in outcomes})
    yield family(names.ARM_FAILED, {(arm,): books.failed[arm] for arm in books.shares})
    latencies = LatencyFamily(definition(names.ARM_LATENCY))
    for arm, histogram in books.latency.items():
        latencies.add((arm,), histogram, None)
    if latencies.series:
        yield latencies
    yield family(names.ROLLBACKS, {(arm, why): n for (arm, why), n in books.rollbacks.items()})
    compared = books.comparisons.items()
    yield family(names.COMPARED, {(name,): one.compared for name, one in compared})
    yield family(names.DIFFERED, {(name,): one.differed for name, one in compared})
    yield family(names.DIFFERENCE, {(name,): one.difference_sum for name, one in compared})
    yield family(
        names.NOT_COMPARED,
        {
            (name, why): count
            for name, one in compared
            for why, count in (("dropped", one.dropped), ("failed", one.failed))
        },
    )
    yield family(names.COMPARING, {(name,): one.busy_ns / NS_PER_S for name, one in compared})
