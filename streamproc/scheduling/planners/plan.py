"""What a planner is told, and what it answers."""

from dataclasses import dataclass
from typing import Literal, Protocol

from streamproc.core import Float64Array, Int64Array, light

Bound = Literal["full", "deadline", "idle"]
"""What bounded a batch: its largest size, a deadline, or that no more events were there."""


@light
@dataclass(frozen=True, slots=True)
class View:
    """What waits, and what serving it takes.

    Attributes:
        deadline_ns: int64 [n], the waiting events' deadlines, ascending; at least one.
        now_ns: the present instant.
        run_ns: int64 [b_max], ``run_ns[b - 1]`` is the time of a batch of b (of cost b, where events have
            costs); never decreasing.
        send_ns: from the end of a batch to the broker's acknowledgement.
        since_ns: int64 [n], since when events wait, in any order.
        cost: float64 [n], what each takes, in the order of the deadlines; None for 1 each.
        value: float64 [n], what each is worth, likewise; None for 1 each.
        may_drop: whether events may be passed over that could still be in time.
        may_expire: whether events may be passed over that cannot be in time any more.
        draining: whether nothing more will come.
        alone: whether no events wait in other lanes, which would fill the batch up.
    """

    deadline_ns: Int64Array
    now_ns: int
    run_ns: Int64Array
    send_ns: int
    since_ns: Int64Array
    cost: Float64Array | None = None
    value: Float64Array | None = None
    may_drop: bool = True
    may_expire: bool = True
    draining: bool = False
    alone: bool = True

    @property
    def soonest_ns(self) -> int:
        """When the quickest answer, a batch of one that leaves now, would be acknowledged."""
        return self.now_ns + int(self.run_ns[0]) + self.send_ns

    @property
    def first(self) -> int:
        """The first event that is not passed over because it cannot be in time; n where there is none."""
        return int(self.deadline_ns.searchsorted(self.soonest_ns)) if self.may_expire else 0

    def fitting(self, deadline_ns: int) -> int:
        """The largest batch that leaves now and is acknowledged by an instant; 0 where none is."""
        slack_ns = deadline_ns - self.now_ns - self.send_ns
        return int(self.run_ns.searchsorted(slack_ns, side="right"))


@light
@dataclass(frozen=True, slots=True)
class Plan:
    """The next batch: the first ``count`` events whose deadline is not before ``reach_ns``.

    Attributes:
        count: how many; 0 where nothing is to be run now.
        reach_ns: the instant.
        bound: what bounded it.
        wait_until_ns: when to ask again, where nothing is to be run now; None where nothing can be in time.
        cost_max: the most that they may cost together; None where events have no costs.
    """

    count: int
    reach_ns: int = 0
    bound: Bound = "idle"
    wait_until_ns: int | None = None
    cost_max: float | None = None


HOPELESS = Plan(0)
"""Nothing that waits can be in time."""
EVERYTHING_NS = -(1 << 62)
"""An instant before all deadlines."""


class Planner(Protocol):
    """Says which waiting events make the next micro-batch."""

    def plan(self, view: View) -> Plan:
        """The batch that leaves now, or until when to wait for a better one."""
        ...

    def completed(self, count: int, *, in_time: bool) -> None:
        """A batch has ended, and all its events were in time, or not."""
        ...


def from_first(view: View, count_max: int) -> Plan:
    """The batch from the first event that can be in time on, as large as that one's deadline allows.

    Where no event may be passed over and the first is late already, the deadline allows any size.
    """
    first = view.first
    waiting = len(view.deadline_ns) - first
    if not waiting:
        return HOPELESS
    head_ns = int(view.deadline_ns[first])
    size_max = len(view.run_ns)
    fits = view.fitting(head_ns) or size_max
    reach_ns = head_ns if view.may_expire else EVERYTHING_NS
    limit = min(count_max, fits)
    if view.cost is not None:
        spent = view.cost[first:].cumsum()
        count = min(count_max, max(1, int(spent.searchsorted(limit, side="right"))))
        return Plan(count, reach_ns, bound_of(count, waiting, fits < size_max), cost_max=limit)
    count = min(limit, waiting)
    bound: Bound = "full" if count == size_max else bound_of(count, waiting, fits < size_max)
    return Plan(count, reach_ns, bound)


def bound_of(count: int, waiting: int, by_deadline: bool) -> Bound:  # noqa: FBT001 - a fact, no switch
    """What bounded a batch of ``count`` out of ``waiting``."""
    if count == waiting:
        return "idle"
    return "deadline" if by_deadline else "full"
