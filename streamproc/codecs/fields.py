"""The types of fields, as configurations write them: ``int64``, ``str``, ``float32[16]``."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

_INTEGERS = ("int8", "int16", "int32", "int64")
_FLOATS = ("float32", "float64")
SCALARS = ("str", "bool", *_INTEGERS, *_FLOATS)
_TEXT = re.compile(r"^([a-z]+[0-9]*)(?:\[([1-9][0-9]*)\])?$")
LENGTH_MAX = 1 << 20
"""Numbers in one array field: 8 MiB as the parser hands them over, far above a record's usual limit."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of one field.

    Attributes:
        dtype: ``str``, ``bool`` or numpy's name of a number type.
        length: how many numbers a list has; None for a single value.
    """

    dtype: str
    length: int | None = None

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
            if match[1] in _INTEGERS + _FLOATS and int(match[2]) <= LENGTH_MAX:
                return cls(match[1], int(match[2]))
        msg = (
            f"{text!r} is no field type: write one of {', '.join(SCALARS)}, "
            f"or a list of numbers such as float32[16] (at most {LENGTH_MAX})"
        )
        raise ValueError(msg)

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
        return np.dtype(np.object_ if self.dtype == "str" else self.dtype)

    def __str__(self) -> str:
        return self.dtype if self.length is None else f"{self.dtype}[{self.length}]"
