"""Micro-batches between their start and their turn to be decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamproc.codecs import DecisionEncoder
from streamproc.core import Columns, EventBatch, light
from streamproc.engine.requests import Asked
from streamproc.engine.rescue import Rescued
from streamproc.engine.stateful import Begun
from streamproc.telemetry import BatchRun


@light
@dataclass(frozen=True, slots=True)
class InFlight:
    """A run that the model has, or is about to have."""

    events: EventBatch
    bounds: list[int]
    """Where each partition's part of the events begins, and the end."""
    started_ns: int
    reason: str
    variant: int
    encoders: Sequence[DecisionEncoder]
    """As they were when it began: a reload does not change what decided about it."""
    arm: int = 0
    """Whose events they are: 0 is the model itself, others are models of a rollout."""
    own: bool = False
    """Whether that other model runs it; False once the model itself stands in."""
    begun: Begun | None = None
    """Of a model that carries state."""
    asked: Asked | None = None
    """Rows of requests, which are the run's last ones."""


@light
@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it."""

    outputs: Columns | Exception | Rescued
    finished_ns: int
    variant: int | None = None
    executed_ns: tuple[int, int] | None = None


def batch_run(number: int, begun: InFlight, ended: Finished, variant: int) -> BatchRun:
    """What is told of a run."""
    began_ns = begun.started_ns
    executed_ns = ended.executed_ns or (began_ns, ended.finished_ns)
    return BatchRun(number, len(begun.events), begun.reason, variant, began_ns, executed_ns)
