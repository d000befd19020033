"""The table of the exact optimum: least finishes by the number of events skipped."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streamproc.core import Int64Array

_EVENTS_MAX = 256
"""Events between two renewals of the table: one costs some 50 us."""
_NARROW_NS = 1 << 29
"""Where budgets are below this (0.54 s), int32 counted from a near origin does, in half the time of int64."""

_Array: TypeAlias = npt.NDArray[np.signedinteger[Any]]


class LeastFinishes:
    """After the events up to now: for each number of them skipped, the least finish of the last batch.

    The rows are the present event and those behind it, up to where a batch that begins now may end; the
    columns are numbers of events skipped, from ``skipped_least`` on. All times count from an origin that moves
    with the events. See ``optimum.exact`` for what is computed.

    Args:
        run_ns: int64 [b_max], times of batches of 1 to b_max, the last not above the budget.
        budget_ns: the longest time between an arrival and its deadline.
    """

    __slots__ = ("_bits", "_cells", "_never", "_origin_ns", "_run", "_span_ns", "skipped_least")

    def __init__(self, run_ns: Int64Array, *, budget_ns: int) -> None:
        # Arrivals are within a span of the origin and finishes within a budget of those, so below `never`;
        # `never` and a run together are still a number: 3 * 2^29 + 2^29 = 2^31, runs being shorter.
        dtype, self._bits = (np.int32, 32) if budget_ns < _NARROW_NS else (np.int64, 64)
        self._span_ns = 1 << (self._bits - 3)
        self._never = 3 * self._span_ns
        self._run: _Array = run_ns[:, None].astype(dtype)
        self._cells: _Array = np.full((len(run_ns) + 1, 1), self._never, dtype)
        self._cells[0, 0] = 0
        self._origin_ns = 0
        self.skipped_least = 0

    def go_on(
        self, arrival_ns: Int64Array, deadline_ns: Int64Array, sizes: Int64Array, begin: int
    ) -> int:
        """Take some further events into account.

        Args:
            arrival_ns: int64 [n], all arrivals, ascending.
            deadline_ns: int64 [n], ascending.
            sizes: int64 [n], the largest batch that may begin with each event.
            begin: the first event that was not yet.

        Returns:
            the first event that is still not.
        """
        origin_ns = int(arrival_ns[begin])
        near_ns = arrival_ns[begin : begin + _EVENTS_MAX]
        count = int(np.searchsorted(near_ns, origin_ns + self._span_ns))
        ahead = len(self._run)
        arrival = arrival_ns[begin : begin + count + ahead] - origin_ns
        cells = self._moved(origin_ns, count)
        first, last = self._fill(
            cells,
            np.minimum(arrival, self._never).astype(cells.dtype),
            (deadline_ns[begin : begin + count] - origin_ns).tolist(),
            sizes[begin : begin + count].tolist(),
        )
        self._cells = cells[count:, first:last]
        self.skipped_least += first
        return begin + count

    def _moved(self, origin_ns: int, count: int) -> _Array:
        """The table with room for so many events, counted from a new origin."""
        rows, width = self._cells.shape
        cells: _Array = np.full((rows + count, width + count), self._never, self._cells.dtype)
        # A finish before the origin, which is the next arrival, is as good as one at it.
        by_ns = min(origin_ns - self._origin_ns, self._never)
        earlier = np.maximum(self._cells, by_ns) - self._cells.dtype.type(by_ns)
        cells[:rows, :width] = np.where(self._cells < self._never, earlier, self._never)
        self._origin_ns = origin_ns
        return cells

    def _fill(
        self, cells: _Array, arrival: _Array, due: list[int], sizes: list[int]
    ) -> tuple[int, int]:
        """Go through the events; gives the columns in use at the end, from and to."""
        first, last = 0, self._cells.shape[1]
        end, late = np.empty((2, len(self._run) * cells.shape[1]), cells.dtype)
        arrivals, shift = arrival.tolist(), self._bits - 1
        for row, size in enumerate(sizes):
            finish = cells[row, first:last]
            free = int((finish <= arrivals[row]).argmax())
            if finish[free] <= arrivals[row]:
                last = first + free + 1
                finish = cells[row, first:last]
            if size:
                shape = (size, last - first)
                cell_total = size * (last - first)
                ends = end[:cell_total].reshape(shape)  # contiguous: three times as fast
                lates = late[:cell_total].reshape(shape)
                np.maximum(finish, arrival[row : row + size, None], out=ends)
                np.add(ends, self._run[:size], out=ends)
                # `never` where the end is after the deadline: the sign of the slack, spread over all bits.
                np.subtract(due[row], ends, out=lates)
                np.right_shift(lates, shift, out=lates)
                np.bitwise_and(lates, self._never, out=lates)
                np.maximum(ends, lates, out=ends)
                before = cells[row + 1 : row + 1 + size, first:last]
                np.minimum(before, ends, out=before)
            skipped = cells[row + 1, first + 1 : last + 1]
            np.minimum(skipped, finish, out=skipped)
            last += 1
            while cells[row + 1, first] >= self._never:
                first += 1
        return first, last
