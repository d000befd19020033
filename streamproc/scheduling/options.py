"""What a user can set of the scheduler."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Batching:
    """How events are gathered into micro-batches.

    Attributes:
        policy: the planner, a module of ``scheduling.planners``.
        max_size: the largest micro-batch, in events; a model with a fixed batch axis may lower it.
    """

    policy: Literal["work_conserving"] = "work_conserving"
    max_size: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.max_size <= SIZE_MAX:
            msg = f"max_size must be from 1 to {SIZE_MAX}, was {self.max_size}"
            raise ValueError(msg)


SIZE_MAX = 65_536
"""The largest micro-batch that may be asked for: one lasts far longer than any deadline."""

ShedPolicy = Literal["expired"]
"""The names that ``shed`` may hold; each is a module of ``scheduling.policies``."""

Ordering = Literal["none", "key", "partition"]
"""Whose decisions leave in the order of their events."""
