"""A batch's events of each key, laid out behind what is remembered of it."""

from functools import cached_property
from typing import Any

import numpy as np

from streamproc.core import Array, BoolArray, Int64Array

_FEW = 16
"""For so many windows slices cost less than a view of all that there are."""


class Timeline:
    """One array holds for every key of a batch what is remembered of it, then its new entries, oldest first.

    So whatever an event looks back at is a slice of this one array that ends where the event stands, and a
    batch in which one key has a thousand events costs the same as one with a thousand keys.

    Args:
        slot: int64 [n], each event's slot, in order of arrival.
        entered: bool [n], the events that become entries; None for all.
        depth: how many entries are remembered of each key.

    Attributes:
        slots: int64 [u], the slots of the batch, ascending.
        end: int64 [n], the place behind the last entry that each event sees, its own included.
        rows: int64 [k], the events that become entries, key by key.
        size: places in all.
    """

    def __init__(self, slot: Int64Array, entered: BoolArray | None, depth: int) -> None:
        n = len(slot)
        order = np.argsort(slot, kind="stable")
        ordered = slot[order]
        first: BoolArray = np.ones(n, np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        group = np.cumsum(first) - 1
        enters: BoolArray = np.ones(n, np.bool_) if entered is None else entered[order]
        before = np.cumsum(enters)
        self.rows: Int64Array = order if entered is None else order[enters]
        end = (group + 1) * depth + before
        self._place = end[enters] - 1
        self.end: Int64Array = np.empty(n, np.int64)
        self.end[order] = end
        starts = np.flatnonzero(first)
        self.slots: Int64Array = ordered[starts]
        self._tail = end[np.append(starts[1:], n) - 1]
        entries_before: Int64Array = before[starts] - enters[starts]
        self._head = np.arange(len(starts)) * depth + entries_before
        self.size = int(len(starts) * depth + len(self.rows))
        self._depth = depth

    @cached_property
    def _remembered(self) -> Int64Array:
        return (self._head[:, np.newaxis] + np.arange(self._depth)).ravel()

    def lay_out(self, remembered: Array, entries: Array) -> Array:
        """One column of the timeline.

        Args:
            remembered: [u, depth, ...], what is known of the slots.
            entries: [n, ...], the events' values, in order of arrival.
        """
        column = np.empty((self.size, *remembered.shape[2:]), remembered.dtype)
        column[self._remembered] = remembered.reshape(-1, *remembered.shape[2:])
        column[self._place] = entries[self.rows]
        return column

    def remember(self, column: Array) -> Array:
        """The last entries of each slot ([u, depth, ...]), to be remembered."""
        return windows(column, self._tail, self._depth)


def windows(column: Array, end: Int64Array, size: int) -> Array:
    """The ``size`` places before each end ([n, size, ...]); a copy."""
    if len(end) <= _FEW:
        found = np.empty((len(end), size, *column.shape[1:]), column.dtype)
        for row, place in enumerate(end.tolist()):
            found[row] = column[place - size : place]
        return found
    view: Any = np.lib.stride_tricks.sliding_window_view(column, size, axis=0)
    found = view[end - size]
    return found if column.ndim == 1 else np.ascontiguousarray(np.moveaxis(found, -1, 1))
