"""Excess: how many more events wait than can be in time, whatever is done."""

import numpy as np

from streamproc.core import BoolArray, Float64Array, Int64Array


def excess(
    deadline_ns: Int64Array, *, now_ns: int, run_ns: Int64Array, send_ns: int, slots: int = 1
) -> int:
    """How many of the waiting events cannot be in time even with full batches one behind the other.

    The quickest plan is full batches without a pause, of all executors together; giving up the first late
    event each time keeps the most (Moore 1968, equal times).

    Args:
        deadline_ns: int64 [n], ascending.
        now_ns: the present instant.
        run_ns: int64 [b_max], ``run_ns[b - 1]`` is the time of a batch of b; never decreasing.
        send_ns: from the end of a batch to the broker's acknowledgement.
        slots: how many batches run at the same time.
    """
    count = len(deadline_ns)
    position = np.arange(count)
    full_batches, place = np.divmod(position // slots, len(run_ns))
    finish_ns = now_ns + send_ns + full_batches * run_ns[-1] + run_ns[place]
    # An event that is given up gives its place to the next, so what is kept so far grows by one an event,
    # capped by what fits before the deadline: a running minimum.
    fits = np.searchsorted(finish_ns, deadline_ns, side="right")
    kept = position + np.minimum.accumulate(np.minimum(fits - position, 1))
    return count - int(max(0, kept[-1])) if count else 0


def least_worth(worth: Float64Array, count: int) -> BoolArray:
    """Mark so many events of the least worth, among equal ones the first (bool [n])."""
    marked = np.zeros(len(worth), np.bool_)
    marked[np.argsort(worth, kind="stable")[:count]] = True
    return marked
