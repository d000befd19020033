"""What no schedule can pass, whatever the deadlines and however many executors."""

import heapq

import numpy as np

from streamproc.core import Int64Array


def fluid_bound(
    arrival_ns: Int64Array, deadline_ns: Int64Array, *, run_ns: Int64Array, executors: int
) -> int:
    """An upper bound of the events that can be in time: as if they were a fluid.

    *Proof.* In a batch of b each event takes ``run_ns[b - 1] / b`` of an executor, and no less than w, the least of
    these over the sizes whose time is within the longest budget. All of it lies between the event's arrival and
    its deadline. So whoever serves k events does k * w of work, each event's share of w inside its own
    window, at no more than one executor's pace each. Let the executors be one of their joint pace that may
    interrupt and divide events and serve one event alone at full pace: that only allows more. The most work
    that can then be done is done by always working on the event that is due first (Horn, *Naval Research
    Logistics Quarterly* 21, 1974; for parts that may be left undone it is a maximum flow with windows, which the same
    greedy choice solves: Glover 1967). The number of events is at most that work over w, rounded down.

    Args:
        arrival_ns: int64 [n], ascending.
        deadline_ns: int64 [n], any order; when the executor must have finished.
        run_ns: int64 [b_max], times of batches of 1 to b_max.
        executors: how many run at the same time.
    """
    possible = deadline_ns - arrival_ns >= run_ns[0]
    if not possible.any():
        return 0
    origin_ns = int(
        arrival_ns[0]
    )  # near numbers: far from it a float has no whole nanoseconds left
    arrival_ns, deadline_ns = arrival_ns[possible] - origin_ns, deadline_ns[possible] - origin_ns
    budget_ns = int((deadline_ns - arrival_ns).max())
    size = np.arange(1, len(run_ns) + 1)
    share_ns = float((run_ns / size)[run_ns <= budget_ns].min()) / executors
    work_ns = _most_work(arrival_ns.tolist(), deadline_ns.tolist(), share_ns)
    return min(len(arrival_ns), int(work_ns / share_ns + 1e-6))


def _most_work(arrival_ns: list[int], deadline_ns: list[int], share_ns: float) -> float:
    """The most time that can be spent on events inside their windows, no more than a share on each."""
    waiting: list[tuple[int, float]] = []
    work_ns, now_ns = 0.0, float(arrival_ns[0])
    next_arrivals_ns = [*arrival_ns[1:], np.inf]
    for came_ns, due_ns, next_ns in zip(arrival_ns, deadline_ns, next_arrivals_ns, strict=True):
        now_ns = max(now_ns, float(came_ns))
        heapq.heappush(waiting, (due_ns, share_ns))
        while waiting and now_ns < next_ns:
            first_due_ns, left_ns = heapq.heappop(waiting)
            spent_ns = max(0.0, min(left_ns, first_due_ns - now_ns, next_ns - now_ns))
            work_ns += spent_ns
            now_ns += spent_ns
            if spent_ns < left_ns and first_due_ns > now_ns:
                heapq.heappush(waiting, (first_due_ns, left_ns - spent_ns))
    return work_ns
