"""A model of a rollout while it decides, and what is left of one that was taken back."""

from dataclasses import dataclass, field
from typing import NamedTuple

from streamproc.core import Columns
from streamproc.engine.comparer import Comparer
from streamproc.engine.intake import finite_rows
from streamproc.engine.judge import CanaryJudge
from streamproc.engine.rescue import Rescued
from streamproc.engine.rollout_plan import ArmPlan


@dataclass(slots=True)
class RunningArm:
    """An arm that decides.

    Attributes:
        plan: what it is.
        number: of it, from 1; never given twice.
        low: its keys are those whose place is from here on; it moves as the share grows.
        since_ns: since when it decides at its share; None before it has decided anything.
        judge: says when it is enough; None where it is no canary.
        comparer: holds its decisions against the model's own; None compares nothing.
        steps: the shares that follow.
    """

    plan: ArmPlan
    number: int
    low: float
    since_ns: int | None = None
    judge: CanaryJudge | None = None
    comparer: Comparer | None = None
    steps: list[float] = field(default_factory=list)


class TakenBack(NamedTuple):
    """A canary that was taken back.

    Attributes:
        canary: its name.
        reason: why, in a word.
        words: the same, for people.
    """

    canary: str
    reason: str
    words: str


def usable(outputs: Columns | Exception | Rescued, count: int) -> bool:
    """Whether a model gave a row of finite numbers for each event."""
    if isinstance(outputs, Exception | Rescued):
        return False
    fits = all(array.ndim and len(array) == count for array in outputs.values())
    return fits and finite_rows(outputs, count) is None
