"""What an executor can sustain."""

import numpy as np

from streamproc.core import NS_PER_S, Int64Array


def capacity_per_s(run_ns: Int64Array, *, budget_ns: int, executors: int = 1) -> float:
    """The highest rate that can be sustained, events a second: load 1.

    It is the best of ``b / run_ns[b - 1]`` over the batch sizes whose time is within the budget. A batch that
    takes the whole budget leaves its events no time to wait, so no schedule quite reaches it.

    Args:
        run_ns: int64 [b_max], times of batches of 1 to b_max.
        budget_ns: from arrival to the end of the batch.
        executors: how many batches can run at the same time.

    Returns:
        the rate; 0 where no batch is within the budget.
    """
    fits = run_ns <= budget_ns
    if not fits.any():
        return 0.0
    size = np.arange(1, len(run_ns) + 1)
    return float((size[fits] / run_ns[fits]).max()) * NS_PER_S * executors
