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


def object_column(values: Sequence[object]) -> ObjectArray:
    """A one-dimensional object array of the values, whatever they are (also equal-length lists)."""
    return np.fromiter(values, dtype=np.object_, count=len(values))
