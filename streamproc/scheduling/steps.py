"""What the scheduler answers: values, to be carried out by whoever drives it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.core import Int64Array, Reason, light

BatchReason: TypeAlias = Literal["full", "deadline", "idle", "drain"]
"""Why a micro-batch left: it was full, a deadline bounded it, nothing else was there, or the end."""


@light
@dataclass(frozen=True, slots=True)
class Shed:
    """Give these events up.

    Attributes:
        number: int64 [n], event numbers, ascending.
        reason: why.
    """

    number: Int64Array
    reason: Reason


@light
@dataclass(frozen=True, slots=True)
class Run:
    """Run a model over these events, then call ``complete`` with the run's number.

    Attributes:
        run: the run's number.
        number: int64 [n], event numbers, ascending.
        reason: why the batch left now.
        variant: which of the scheduler's variants is to run it, 0 being the best.
        cost: what it takes of the executor, in units of the latency model, where events have costs; 0 where they
            have none: then it is their number.
        stage: of a cascade; 0 is the first.
        arm: whose events they are, 0 being the model itself.
    """

    run: int
    number: Int64Array
    reason: BatchReason
    variant: int = 0
    cost: int = 0
    stage: int = 0
    arm: int = 0


@dataclass(frozen=True, slots=True)
class SkipTo:
    """Read this partition on from where its records are this young, without fetching what lies before.

    Attributes:
        partition: which one.
        timestamp_ns: the oldest timestamp that can still be answered in time.
    """

    partition: int
    timestamp_ns: int


@light
@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Ask again at this instant (ns), or as soon as something was offered or completed."""

    instant_ns: int


@light
@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until an event is offered or a run is complete."""


Action: TypeAlias = Run | SkipTo | WaitUntil | Idle


@light
@dataclass(frozen=True, slots=True)
class Step:
    """One answer: what to give up, and what to do next.

    Attributes:
        shed: events that end here.
        action: what to do next.
        stand: int64 [n], event numbers: of a cascade, those that no further stage can answer in time.
    """

    shed: tuple[Shed, ...]
    action: Action
    stand: Int64Array | None = None
