"""The types of fields, as configurations write them: ``int64``, ``str``, ``float32[16]``, ``float32[6,100]``."""

import re
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np

from streamproc.core import Array, BoolArray, all_true

_INTEGERS = ("int8", "int16", "int32", "int64")
_FLOATS = ("float32", "float64")
SCALARS = ("str", "bool", *_INTEGERS, *_FLOATS)
_TEXT = re.compile(r"^([a-z]+[0-9]*)(?:\[([1-9][0-9]*(?: *, *[1-9][0-9]*)*)\])?$")
_NUMPY: dict[str, "np.dtype[np.generic]"] = {
    "str": np.dtype(np.object_),
    **{name: np.dtype(name) for name in ("bool", *_INTEGERS, *_FLOATS)},
}
_LIMITS = {name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in _INTEGERS}
LENGTH_MAX = 1 << 20
"""Numbers in one array field: 8 MiB as the parser hands them over, far above a record's usual limit."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of one field.

    Attributes:
        dtype: ``str``, ``bool`` or numpy's name of a number type.
        shape: the sizes of an array of numbers; () for a single value.
    """

    dtype: str
    shape: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``float32[16]``.

        Raises:
            ValueError: no such type; the text names those there are.
        """
        match = _TEXT.match(text.strip())
        if match and match[1] in SCALARS:
            if match[2] is None:
                return cls(match[1])
            shape = tuple(int(size) for size in match[2].split(","))
            if match[1] in _INTEGERS + _FLOATS and prod(shape) <= LENGTH_MAX:
                return cls(match[1], shape)
        msg = (
            f"{text!r} is no field type: write one of {', '.join(SCALARS)}, "
            f"or an array of numbers such as float32[16] or float32[6,100] (at most {LENGTH_MAX})"
        )
        raise ValueError(msg)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def is_integer(self) -> bool:
        """True for whole numbers."""
        return self.dtype in _INTEGERS

    @property
    def is_float(self) -> bool:
        """True for floating-point numbers."""
        return self.dtype in _FLOATS

    @property
    def numpy(self) -> "np.dtype[np.generic]":
        """The column's element type; text is an object column."""
        return _NUMPY[self.dtype]

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the largest whole number of a type of integers."""
        return _LIMITS[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]" if self.shape else self.dtype


def narrowed(column: Array, kind: FieldType) -> Array:
    """A column in the field's type; what a float32 cannot hold becomes infinite, without a warning."""
    if column.dtype == kind.numpy:
        return column
    with np.errstate(over="ignore"):
        return column.astype(kind.numpy)


def not_finite(column: Array, kind: FieldType) -> BoolArray | None:
    """Which rows of a column [n, ...] hold a number that is not finite; None where none does."""
    if not kind.is_float:
        return None
    finite: BoolArray = np.asarray(np.isfinite(column))
    if all_true(finite):
        return None
    rows: BoolArray = (
        finite if finite.ndim == 1 else np.all(finite.reshape(len(finite), -1), axis=1)
    )
    return ~rows
