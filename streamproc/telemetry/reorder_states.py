"""How many events wait for those that happened before them, and how many did not get to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from streamproc.telemetry import names
from streamproc.telemetry.families import family


@dataclass(frozen=True, slots=True)
class ReorderStates:
    """What waits for its place in the order of several topics.

    Attributes:
        waiting: events that wait for those that happened before them.
        forced: events that went on early because too many waited.
    """

    waiting: int
    forced: int


def total_reordered(states: Sequence[ReorderStates]) -> ReorderStates | None:
    """Those of several workers as one pipeline's."""
    if not states:
        return None
    return ReorderStates(
        waiting=sum(one.waiting for one in states), forced=sum(one.forced for one in states)
    )


def reorder_families(states: ReorderStates) -> Iterator[Metric]:
    """The Prometheus families of it."""
    yield family(names.REORDER_WAITING, states.waiting)
    yield family(names.REORDER_FORCED, states.forced)
