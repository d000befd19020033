"""What an engine is told of a rollout."""

from dataclasses import dataclass

from streamproc.engine.judge import Limits
from streamproc.scheduling import Variant


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """What makes an arm a canary.

    Attributes:
        limits: when it is taken back.
        steps: shares that follow the first one.
        step_every_ns: how long it decides at one share.
        reference: the place among the executors of the copy that it is compared with; None compares with nothing.
        tolerance: numbers that differ by no more agree.
    """

    limits: Limits
    steps: tuple[float, ...] = ()
    step_every_ns: int = 0
    reference: int | None = None
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """A model that decides about a share of the keys.

    Attributes:
        name: of it.
        identity: all that makes it what it is, its file's digest included: another one is another arm.
        level: its place among the executors.
        variant: for the scheduler.
        low: its keys are those whose place is from here on; a canary's share ends at 1.
        high: and below this.
        canary: what makes it a canary; None where it stays until the configuration changes.
    """

    name: str
    identity: str
    level: int
    variant: Variant
    low: float
    high: float
    canary: CanaryPlan | None = None


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """A model whose decisions are compared, and not published.

    Attributes:
        name: of it.
        level: its place among the executors.
        share: of the keys.
        max_queue: events that wait for it at most.
        tolerance: numbers that differ by no more agree.
        topic: where what it decides is written; None for nowhere.
        file: the same.
    """

    name: str
    level: int
    share: float
    max_queue: int
    tolerance: float
    topic: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """All of it.

    Attributes:
        ladder: how many of the executors, from the first on, are variants of the model itself.
        salt: of the places of keys.
        arms: that decide.
        shadow: that does not.
    """

    ladder: int
    salt: str = ""
    arms: tuple[ArmPlan, ...] = ()
    shadow: ShadowPlan | None = None
