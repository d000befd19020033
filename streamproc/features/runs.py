"""A batch's events key by key: what each key carries from one event to the next, calculated for all keys at once."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamproc.core import Float64Array, Int64Array

_T = TypeVar("_T", bound=np.generic)

_TOGETHER_MIN = 8
"""Fewer keys than that are quicker one by one, as Python's own numbers; the bits are the same."""


class Runs:
    """A table with a row for each key of a batch and its events from left to right, the longest row on top.

    Args:
        slot: int64 [n], each event's slot, in order of arrival.

    Attributes:
        slots: int64 [u], the slots of the rows.
    """

    def __init__(self, slot: Int64Array) -> None:
        order = np.argsort(slot, kind="stable")
        ordered = slot[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(slot)])
        length = np.diff(np.append(starts, len(slot)))
        longest_first = np.argsort(-length, kind="stable")
        row_of = np.empty(len(starts), np.int64)
        row_of[longest_first] = np.arange(len(starts))
        self.slots: Int64Array = ordered[starts[longest_first]]
        self._length: Int64Array = length[longest_first]
        self._row = np.empty(len(slot), np.int64)
        self._row[order] = np.repeat(row_of, length)
        self._step = np.empty(len(slot), np.int64)
        self._step[order] = np.arange(len(slot)) - np.repeat(starts, length)
        self._shape = (len(starts), int(length.max(initial=0)))

    def table(self, values: NDArray[_T], fill: float) -> NDArray[_T]:
        """The events' values (of [n]) as the table [u, steps]; ``fill`` behind the end of a row."""
        made = np.full(self._shape, fill, values.dtype)
        made[self._row, self._step] = values
        return made

    def flat(self, table: NDArray[_T]) -> NDArray[_T]:
        """The table's values in order of arrival ([n])."""
        found: NDArray[_T] = table[self._row, self._step]
        return found

    def last(self, table: NDArray[_T]) -> NDArray[_T]:
        """What stands at the end of each row ([u])."""
        found: NDArray[_T] = table[np.arange(len(self._length)), self._length - 1]
        return found

    def carried(self, ufunc: np.ufunc, first: NDArray[_T], table: NDArray[_T]) -> NDArray[_T]:
        """Add up, or whatever the ufunc does, from ``first`` [u] on, along the rows, in that order ([u, steps])."""
        found: NDArray[_T] = ufunc.accumulate(np.column_stack([first, table]), axis=1)[:, 1:]
        return found

    def decayed(
        self, first: Float64Array, factor: Float64Array, term: Float64Array
    ) -> Float64Array:
        """``y = y * factor + term`` along the rows, from ``first`` on.

        Args:
            first: float64 [u].
            factor: float64 [u, steps].
            term: float64 [u, steps].

        Returns:
            float64 [u, steps], y after each step.
        """
        made = np.zeros(self._shape)
        y = first.copy()
        rows = len(y)
        for step in range(self._shape[1]):
            while rows and self._length[rows - 1] <= step:
                rows -= 1
            if rows < _TOGETHER_MIN:
                self._one_by_one(made, y, factor, term, rows, step)
                break
            y = y[:rows] * factor[:rows, step] + term[:rows, step]
            made[:rows, step] = y
        return made

    def _one_by_one(
        self,
        made: Float64Array,
        y: Float64Array,
        factor: Float64Array,
        term: Float64Array,
        rows: int,
        step: int,
    ) -> None:
        """The rest of the first rows, from a step on."""
        for row in range(rows):
            here = slice(step, int(self._length[row]))
            value = float(y[row])
            values = []
            for f, t in zip(factor[row, here].tolist(), term[row, here].tolist(), strict=True):
                value = value * f + t
                values.append(value)
            made[row, here] = values
