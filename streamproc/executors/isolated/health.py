"""How a model outside of this process stands, for the metrics."""

from dataclasses import dataclass

from streamproc.executors.isolated.breaker import State


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """How a model's processes stand.

    Attributes:
        ready: those that are loaded and warm.
        restarts: those that were started in place of others.
        breaker: ``closed``, ``open`` or ``half_open``.
        opened_total: how often the breaker opened.
    """

    ready: int
    restarts: int
    breaker: State
    opened_total: int
