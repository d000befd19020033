"""Work conserving: never wait while an executor is free, take all that is there."""

import numpy as np

from streamproc.core import Int64Array


def work_conserving(
    deadline_ns: Int64Array, *, now_ns: int, run_ns: Int64Array, send_ns: int
) -> int:
    """Where in the queue the next batch begins.

    The batch takes all events from there on, up to the largest size. It begins at the first event that
    meets its deadline in the batch that it would then be in; the events before that one cannot be
    answered in time by a batch that leaves now, and serving them in smaller ones would cost the events
    behind them theirs.

    Args:
        deadline_ns: int64 [n], ascending.
        now_ns: the present instant.
        run_ns: int64 [b_max], ``run_ns[b - 1]`` is the time of a batch of b; never decreasing.
        send_ns: the time from the end of a batch to the broker's acknowledgement.

    Returns:
        the place of the first event of the batch; n where no event can be in time.
    """
    count, size_max = len(deadline_ns), len(run_ns)
    # Where a full batch fits behind the start, all starts have the same finish.
    full = int(np.searchsorted(deadline_ns, now_ns + int(run_ns[-1]) + send_ns))
    if full + size_max <= count:
        return full
    first = max(0, count - size_max + 1)
    finish_ns = now_ns + send_ns + run_ns[: count - first][::-1]
    fits = np.flatnonzero(deadline_ns[first:] >= finish_ns)
    return first + int(fits[0]) if len(fits) else count
