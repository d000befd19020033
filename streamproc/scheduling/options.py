"""What a user can set of the scheduler."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.core import Duration

SIZE_MAX = 65_536
"""The largest micro-batch that may be asked for: one lasts far longer than any deadline."""

PlannerName: TypeAlias = Literal["early_drop", "work_conserving", "fixed", "aimd", "deferred"]
"""The planners, each a module of ``scheduling.planners``."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How events are gathered into micro-batches.

    Attributes:
        policy: the planner. ``early_drop`` begins the batch at the waiting event from which on the most are
            answered in time for the time of the model; ``work_conserving`` begins at the first one that can
            still be in time; ``fixed`` waits for ``max_size`` events or ``max_queue_delay``; ``aimd`` finds the
            size by additive increase and multiplicative decrease; ``deferred`` waits until the first deadline
            allows no more.
        max_size: the largest micro-batch, in events (in units of ``cost``, where that is set); a model with a
            fixed batch axis may lower it.
        max_queue_delay: how long ``fixed`` lets an event wait for others.
        cost: a decoded field that says what an event takes of the model, 1 being an ordinary one; None for
            all alike.
    """

    policy: PlannerName = "early_drop"
    max_size: int = 256
    max_queue_delay: Duration = Duration.parse("5ms")  # noqa: RUF009 - immutable
    cost: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_size <= SIZE_MAX:
            msg = f"max_size must be from 1 to {SIZE_MAX}, was {self.max_size}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Lane:
    """Events that are served before others, or after them.

    Attributes:
        name: of the lane, a metric's label.
        when: which events are in it, an expression over the decoded fields, such as
            ``symbol in ['BTCUSDT'] and size > 10``; the first lane that matches takes an event. Those that
            none matches are in the lane ``default``, behind all others.
        priority: 0 is served first.
        share: the part of what the model can do that the lane gets at least, while it has events waiting.
        budget: how long a decision may take; None takes ``deadline.budget``.
    """

    name: str
    when: str
    priority: int = 0
    share: float = 0.0
    budget: Duration | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            msg = f"share must be from 0 to 1, was {self.share}"
            raise ValueError(msg)
        if self.priority < 0:
            msg = f"priority must be 0 or more, was {self.priority}"
            raise ValueError(msg)
        if self.budget is not None and self.budget <= 0:
            msg = "budget must be longer than 0, such as 20ms"
            raise ValueError(msg)


Ordering: TypeAlias = Literal["none", "key", "partition"]
"""Whose decisions leave in the order of their events."""
