"""The most events that anyone could have answered in time who knew all arrivals beforehand.

The exact answer for one executor whose deadlines are *agreeable* (no event that arrived later is due
earlier), and an upper bound for everything else.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.core import Int64Array
from streamproc.replay.simulation.bounds import fluid_bound
from streamproc.replay.simulation.finishes import LeastFinishes

CELLS_MAX = 4_000_000_000
"""Cells that the exact method may fill before the bound is taken instead: some 15 s of one core."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """How many events could have been in time.

    Attributes:
        served: that many (``exact``), or no more than that many (``bound``).
        kind: which of the two.
    """

    served: int
    kind: Literal["exact", "bound"]


def optimum(
    arrival_ns: Int64Array,
    deadline_ns: Int64Array,
    *,
    run_ns: Int64Array,
    executors: int = 1,
    cells_max: int = CELLS_MAX,
) -> Optimum:
    """The clairvoyant optimum where it can be computed, else the lowest bound known.

    For one executor whose deadlines are not agreeable, the exact method with each deadline moved up to the
    latest before it is a bound, since a later deadline only allows more; ``fluid_bound`` is another.

    Args:
        arrival_ns: int64 [n], ascending.
        deadline_ns: int64 [n], when the executor must have finished: less the time that sending takes.
        run_ns: int64 [b_max], ``run_ns[b - 1]`` is the time of a batch of b; never decreasing.
        executors: how many batches can run at the same time.
        cells_max: steps from which on the exact method is too slow.

    Raises:
        ValueError: the arrivals or the times go down.
    """
    _check(arrival_ns, run_ns)
    bound = fluid_bound(arrival_ns, deadline_ns, run_ns=run_ns, executors=executors)
    if executors > 1 or _cells(arrival_ns, deadline_ns, run_ns) > cells_max:
        return Optimum(bound, "bound")
    agreeable_ns = np.maximum.accumulate(deadline_ns)
    served = exact(arrival_ns, agreeable_ns, run_ns=run_ns)
    if (agreeable_ns == deadline_ns).all():
        return Optimum(served, "exact")
    return Optimum(min(served, bound), "bound")


def exact(arrival_ns: Int64Array, deadline_ns: Int64Array, *, run_ns: Int64Array) -> int:
    """The most events that one executor can finish in time, by dynamic programming.

    *What has to be searched.* Of two batches, give the earlier of their events to the one that ends first: its
    last event is then no later than it was, and all of them are due after one batch's end or the other's, so
    after its own. What the other gets in exchange is due later than its first event was. So the batches may be
    taken to be in the order of their events, and a batch of b whose last event is i to be the
    newest ones, i - b + 1 .. i, which are due last. Left to choose is where each batch ends and how large it is.

    *The table.* After j events, for each number s of them that were skipped (j - s are served): the least
    finish. A batch of the next b events keeps s. It starts at the later of that finish and the arrival of its
    last event, and must end by the deadline of its first. Skipping the next event adds one to s. So all sizes
    and all s are a few operations on a [sizes, s] rectangle.

    *Why it is small.* A finish not after the next arrival is as good as one long before it, so of these the
    one that skipped least is the last that is kept. All others lie within one budget from now: s
    spans no more than can be served in that time.

    Args:
        arrival_ns: int64 [n], ascending.
        deadline_ns: int64 [n], ascending; when the batch must have ended.
        run_ns: int64 [b_max], times of batches of 1 to b_max; never decreasing.

    Returns:
        how many are served.
    """
    sizes = _sizes(arrival_ns, deadline_ns, run_ns)
    size_max = int(sizes.max(initial=0))
    if not size_max:
        return 0
    budget_ns = int((deadline_ns - arrival_ns).max())
    finishes = LeastFinishes(run_ns[:size_max], budget_ns=budget_ns)
    done = 0
    while done < len(arrival_ns):
        done = finishes.go_on(arrival_ns, deadline_ns, sizes, done)
    return len(arrival_ns) - finishes.skipped_least


def _sizes(arrival_ns: Int64Array, deadline_ns: Int64Array, run_ns: Int64Array) -> Int64Array:
    """int64 [n], the largest batch that can begin with each event: in time though nothing ran before it."""
    count = len(arrival_ns)
    sizes = np.zeros(count, np.int64)
    for size in range(1, min(len(run_ns), count) + 1):
        end_ns = arrival_ns[size - 1 :] + run_ns[size - 1]
        sizes[: count - size + 1] += end_ns <= deadline_ns[: count - size + 1]
    return sizes


def _cells(arrival_ns: Int64Array, deadline_ns: Int64Array, run_ns: Int64Array) -> int:
    """About how many cells the exact method fills: events, times sizes, times what is served in a budget."""
    budget_ns = int((deadline_ns - arrival_ns).max(initial=0))
    size_max = int(np.searchsorted(run_ns, budget_ns, side="right"))
    if not size_max:
        return 0
    per_event_ns = float((run_ns[:size_max] / np.arange(1, size_max + 1)).min())
    width = min(int(budget_ns / per_event_ns), len(arrival_ns))
    return len(arrival_ns) * size_max * width


def _check(arrival_ns: Int64Array, run_ns: Int64Array) -> None:
    if (np.diff(arrival_ns) < 0).any():
        raise ValueError("the arrivals must be ascending")
    if not len(run_ns) or run_ns[0] <= 0 or (np.diff(run_ns) < 0).any():
        raise ValueError("run_ns must begin above 0 and never go down")
