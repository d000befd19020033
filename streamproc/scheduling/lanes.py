"""Lanes: events that are served before others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """A lane as the scheduler knows it.

    Attributes:
        name: the metric's label.
        priority: 0 is served first.
        share: the part of the events served that is its at least, while it has any waiting.
        budget_ns: how long its decisions may take; 0 where nobody knows.
    """

    name: str
    priority: int = 0
    share: float = 0.0
    budget_ns: int = 0
