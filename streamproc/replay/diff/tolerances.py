"""By how much two numbers may differ and still be the same."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

ROOT = "output"
"""What every path begins with: the decision's ``output``."""
DTYPES = ("int", "float32", "float64")
_FLOAT32_MAX = float(str(np.finfo(np.float32).max))
"""As it is written, which is a little more than what it is."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Two numbers are the same if they differ by no more than the tolerance, or by no more than that part of the larger.

    So 1e-6 is absolute for numbers below 1 and relative for those above (``math.isclose`` with both).

    Attributes:
        general: of all numbers that are no integers.
        by_field: of fields, by path, such as ``scores``; those below it are meant too, and the longest path wins.
        by_dtype: of ``int``, ``float32`` or ``float64`` where the field has none of its own.
    """

    general: float = 0.0
    by_field: Mapping[str, float] = field(default_factory=dict)
    by_dtype: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read ``1e-6``, ``scores=1e-3`` and ``float32=1e-5``.

        Raises:
            ValueError: one is none of these.
        """
        general, by_field, by_dtype = 0.0, {}, {}
        for text in texts:
            name, equals, number = text.rpartition("=")
            value = _number(number, text)
            if not equals:
                general = value
            elif name in DTYPES:
                by_dtype[name] = value
            else:
                by_field[_from_root(name)] = value
        return cls(general, by_field, by_dtype)

    def same(self, path: str, baseline: float, candidate: float) -> bool:
        """True where two numbers of this field are the same; so are two NaN."""
        if baseline == candidate:
            return True
        if math.isnan(baseline) or math.isnan(candidate):
            return math.isnan(baseline) and math.isnan(candidate)
        allowed = self._of(path, dtype_of(baseline, candidate))
        return math.isclose(baseline, candidate, rel_tol=allowed, abs_tol=allowed)

    def _of(self, path: str, dtype: str) -> float:
        while path and self.by_field:
            if path in self.by_field:
                return self.by_field[path]
            path = path.rpartition(".")[0]
        return self.by_dtype.get(dtype, 0.0 if dtype == "int" else self.general)


def dtype_of(baseline: float, candidate: float) -> str:
    """What two numbers of a JSON text were: the wider of both.

    JSON has no dtypes, but a float32 is written with the fewest digits that name it, so it can be told:
    reading it as a float32 and writing that gives the same digits.
    """
    if isinstance(baseline, int) and isinstance(candidate, int):
        return "int"
    return "float32" if _is_float32(baseline) and _is_float32(candidate) else "float64"


def _is_float32(value: float) -> bool:
    if abs(value) > _FLOAT32_MAX:
        return False
    return isinstance(value, int) or float(str(np.float32(value))) == value


def _from_root(path: str) -> str:
    return path if path == ROOT or path.startswith(f"{ROOT}.") else f"{ROOT}.{path}"


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < math.inf:
        msg = f"{whole!r} is no tolerance: write 1e-6, FIELD=1e-3, or one of {', '.join(DTYPES)} such as float32=1e-5"
        raise ValueError(msg)
    return value
