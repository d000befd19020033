"""The events that wait for their run: batches as they came, found by event number."""

from bisect import bisect_right

import numpy as np

from streamproc.core import EventBatch, Int64Array, InvariantError


class PendingEvents:
    """Holds admitted events until they are taken, by number, in whatever order the scheduler likes."""

    __slots__ = ("_batches", "_first", "_left")

    def __init__(self) -> None:
        self._first: list[int] = []
        """The first number of each batch, ascending."""
        self._batches: list[EventBatch] = []
        self._left: list[int] = []
        """How many of each batch's events are still to be taken."""

    def add(self, events: EventBatch) -> None:
        """Take a batch in; its numbers are ascending and higher than all before."""
        if len(events):
            self._first.append(int(events.number[0]))
            self._batches.append(events)
            self._left.append(len(events))

    def take(self, number: Int64Array) -> list[EventBatch]:
        """The events of these numbers, each to be taken once.

        Args:
            number: int64 [n], ascending.

        Returns:
            batches in order of number; the events of one are all of the same partition.

        Raises:
            InvariantError: an event is not here.
        """
        taken: list[EventBatch] = []
        start = 0
        while start < len(number):
            place = bisect_right(self._first, int(number[start])) - 1
            stop = len(number)
            if place + 1 < len(self._first):
                stop = int(np.searchsorted(number, self._first[place + 1]))
            if place < 0 or self._left[place] < stop - start:
                msg = (
                    f"event {int(number[start])} is not waiting: it was taken before, or never came"
                )
                raise InvariantError(msg)
            taken.append(_rows_of(self._batches[place], number[start:stop]))
            self._left[place] -= stop - start
            if not self._left[place]:
                del self._first[place], self._batches[place], self._left[place]
            start = stop
        return taken


def _rows_of(batch: EventBatch, number: Int64Array) -> EventBatch:
    """The rows of the events named; a slice where they stand side by side."""
    first = int(number[0]) - int(batch.number[0])
    if len(number) == len(batch) and first == 0:
        return batch
    stop = first + len(number)
    # Both ascend without repeats: the same ends and the same length are the same rows.
    side_by_side = stop <= len(batch) and number[0] == batch.number[first]
    if side_by_side and number[-1] == batch.number[stop - 1]:
        return batch.take(slice(first, stop, None))
    return batch.take(np.searchsorted(batch.number, number))
