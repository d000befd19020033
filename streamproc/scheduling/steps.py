"""What the scheduler answers: values, to be carried out by whoever drives it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.core import Int64Array, Reason

BatchReason: TypeAlias = Literal["full", "deadline", "idle", "drain"]
"""Why a micro-batch left: it was full, it could wait no longer, nothing else was there, or the end."""


@dataclass(frozen=True, slots=True)
class Shed:
    """Give these events up.

    Attributes:
        number: int64 [n], event numbers.
        reason: why.
    """

    number: Int64Array
    reason: Reason


@dataclass(frozen=True, slots=True)
class Run:
    """Run the model over these events, then call ``complete`` with the run's number.

    Attributes:
        run: the run's number.
        number: int64 [n], event numbers, ascending.
        reason: why the batch left now.
    """

    run: int
    number: Int64Array
    reason: BatchReason


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until an event is offered or a run is complete."""


@dataclass(frozen=True, slots=True)
class Step:
    """One answer: what to give up, and what to do next."""

    shed: tuple[Shed, ...]
    action: Run | Idle
