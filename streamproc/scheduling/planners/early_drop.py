"""Early drop: begin the batch where the most events are answered for the time of the executor (Nexus, SOSP 2019).

Serving the most urgent first falls behind under overload: batches shrink to what events that are nearly late
allow, and the executor is spent on their fixed cost. Here the batch begins at the waiting event that maximises
answers per time, within its own deadline; what is before it is given up, since it would cost more others
theirs. Measured against the clairvoyant optimum (``make bench``): see docs/scheduling.md.

A batch that is not full waits a moment for others, so that the first event of a burst does not take the executor
from all the rest of it. Longer waits, and waits by slow or fast estimates of the arrival rate, were tried and
gained less or lost: what is left to the optimum is knowing the future.
"""

import numpy as np

from streamproc.core import Float64Array, Int64Array
from streamproc.scheduling.planners.plan import HOPELESS, Bound, Plan, View, bound_of, from_first

_WAIT_SHARE = 5
"""A batch waits for this part (a fifth) of the time of a batch of one: from a tenth to a quarter the goodput in
bursts is 0.5 to 0.8 points higher, and the mean latency the same; from a half on both are worse."""
_WAIT_MIN_NS = 1_000_000
"""A shorter wait is none: timers of an event loop are not finer, and what a quick model takes blocks nobody."""


class EarlyDrop:
    """Begins at the event from which on the most are answered in time for the time that it takes."""

    def __init__(self) -> None:
        self._of: Int64Array | None = None
        self._best_size: Int64Array = np.empty(0, np.int64)

    def plan(self, view: View) -> Plan:
        """See ``Planner``."""
        if not view.may_drop:
            return from_first(view, len(view.run_ns))
        if view.cost is not None or view.value is not None:
            return _by_cost(view)
        largest = self._largest(view)
        if not largest:
            return HOPELESS
        # Of the sizes up to the largest, the one that answers the most for its time: where a batch of 33
        # takes as long as one of 64, that is not always the largest.
        size = int(self._best_sizes(view.run_ns)[largest - 1])
        reach_ns = view.now_ns + view.send_ns + int(view.run_ns[size - 1])
        bound: Bound = "full"
        if size < len(view.run_ns):
            waiting = len(view.deadline_ns) - int(view.deadline_ns.searchsorted(reach_ns))
            bound = bound_of(size, waiting, by_deadline=True)
        if bound == "idle" and view.alone and not view.draining:
            wait_until_ns = _worth_waiting(view, size)
            if wait_until_ns > view.now_ns:
                return Plan(0, wait_until_ns=wait_until_ns)
        return Plan(size, reach_ns, bound)

    def completed(self, count: int, *, in_time: bool) -> None:
        """See ``Planner``; the latency model has learned already."""

    @staticmethod
    def _largest(view: View) -> int:
        """The largest batch of which every event is in time; 0 where there is none.

        A batch of b that leaves now is best made of the b events with the latest deadlines; the more there
        are, the later it ends and the earlier is its first deadline, so the sizes that fit are those up to one.
        """
        waiting, deadline_ns, run_ns = len(view.deadline_ns), view.deadline_ns, view.run_ns
        start_ns = view.now_ns + view.send_ns
        fits, too_large = 0, min(waiting, len(run_ns)) + 1
        size = too_large - 1  # often all fit, or a full batch does
        while too_large - fits > 1:
            if deadline_ns[waiting - size] >= start_ns + run_ns[size - 1]:
                fits = size
            else:
                too_large = size
            size = (fits + too_large) // 2
        return fits

    def _best_sizes(self, run_ns: Int64Array) -> Int64Array:
        """int64 [b_max], for each size the one up to it with the most events for its time."""
        if self._of is not run_ns:
            size = np.arange(1, len(run_ns) + 1)
            rate = size / np.maximum(run_ns, 1)
            is_best = rate >= np.maximum.accumulate(rate)
            self._best_size = np.maximum.accumulate(np.where(is_best, size, 0))
            self._of = run_ns
        return self._best_size


def _worth_waiting(view: View, size: int) -> int:
    """Until when to wait for further events; in the past where it is not worth it.

    The wait counts from the oldest event on, and ends while one event more would still be in time.
    """
    wait_ns = int(view.run_ns[0]) // _WAIT_SHARE
    if wait_ns < _WAIT_MIN_NS:
        return view.now_ns
    head_ns = int(view.deadline_ns[len(view.deadline_ns) - size])
    last_start_ns = head_ns - view.send_ns - int(view.run_ns[min(size, len(view.run_ns) - 1)])
    return min(int(view.since_ns.min()) + wait_ns, last_start_ns)


def _by_cost(view: View) -> Plan:
    """The same where events differ in cost or value: all starts are compared."""
    count = len(view.deadline_ns)
    size_max = len(view.run_ns)
    cost = np.ones(count) if view.cost is None else np.maximum(view.cost, 1e-9)
    spent = _sums(cost)
    worth = np.arange(count + 1.0) if view.value is None else _sums(view.value)
    slack_ns = view.deadline_ns - (view.now_ns + view.send_ns)
    fitting = view.run_ns.searchsorted(slack_ns, side="right")
    # An ulp of the sums must not leave out the last event of a full batch.
    end = spent.searchsorted((spent[:-1] + fitting) * (1 + 1e-12), side="right") - 1
    start = np.arange(count)
    end = np.maximum(end, start)
    taken = np.ceil((spent[end] - spent[:-1]) * (1 - 1e-12)).astype(np.int64)
    rate = np.where(
        end > start,
        (worth[end] - worth[:-1]) / view.run_ns[np.clip(taken, 1, size_max) - 1],
        -1.0,
    )
    best = int(rate.argmax())
    if rate[best] < 0:
        return HOPELESS
    size = int(end[best] - start[best])
    return Plan(
        size,
        int(view.deadline_ns[best]),
        bound_of(size, count - best, by_deadline=bool(fitting[best] < size_max)),
        cost_max=float(fitting[best]),
    )


def _sums(column: Float64Array) -> Float64Array:
    """float64 [n + 1], the sums of the first 0 to n values."""
    sums = np.zeros(len(column) + 1)
    np.cumsum(column, out=sums[1:])
    return sums
