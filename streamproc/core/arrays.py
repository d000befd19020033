"""The array types that stand in signatures."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Int64Array: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Float32Array: TypeAlias = NDArray[np.float32]
Float64Array: TypeAlias = NDArray[np.float64]
ObjectArray: TypeAlias = NDArray[np.object_]
Array: TypeAlias = NDArray[np.generic]  # type: ignore[explicit-any]  # numpy spells it with Any
"""Any one of them: a decoded field, a tensor."""

Rows: TypeAlias = "slice[int, int, None] | Int64Array"
"""Rows of a batch: a slice, or row numbers."""

Columns: TypeAlias = dict[str, Array]
"""Arrays by name, the first axis of each being the event."""


def any_true(mask: BoolArray) -> bool:
    """Whether any is True; for a few rows a quarter of what ``mask.any()`` takes (1.3 us)."""
    return bool(np.count_nonzero(mask))


def all_true(mask: BoolArray) -> bool:
    """Whether all are True; for a few rows a quarter of what ``mask.all()`` takes (1.3 us)."""
    return bool(np.count_nonzero(mask) == mask.size)


def constant(value: int, count: int) -> Int64Array:
    """The same number everywhere (int64 [count]); for a few rows half of what ``np.full`` takes (1.4 us)."""
    column = np.empty(count, np.int64)
    column.fill(value)
    return column


def largest(column: Int64Array) -> int:
    """The largest of a column [n], n > 0; of one row without the 1.5 us of a reduction."""
    return int(column[0] if len(column) == 1 else column.max())


def object_column(values: Sequence[object]) -> ObjectArray:
    """A one-dimensional object array of the values, whatever they are (also equal-length lists)."""
    return np.fromiter(values, dtype=np.object_, count=len(values))
