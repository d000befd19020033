"""What expressions calculate, on whole columns; NaN and None are undefined, and nothing raises."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from streamproc.core import Array, Float64Array

Comparison: TypeAlias = np.ufunc
_NONE = np.array(None, np.object_)


def as_number(column: Array) -> Array:
    """A field of numbers as int64 or float64: a float32 or an int8 would be compared in its own width."""
    if column.dtype == np.object_:  # an optional field
        return np.array([np.nan if value is None else value for value in column], np.float64)
    return column.astype(np.int64 if column.dtype.kind in "iu" else np.float64, copy=False)


def as_bool(column: Array) -> Array:
    """A field of conditions; None is no."""
    return column.astype(np.bool_, copy=False)


def _float(values: Array) -> Float64Array:
    return values.astype(np.float64, copy=False)


def add(left: Array, right: Array) -> Array:
    """The sum."""
    return np.add(_float(left), _float(right))


def subtract(left: Array, right: Array) -> Array:
    """The difference."""
    return np.subtract(_float(left), _float(right))


def multiply(left: Array, right: Array) -> Array:
    """The product."""
    return np.multiply(_float(left), _float(right))


def divide(left: Array, right: Array) -> Array:
    """The quotient."""
    return np.divide(_float(left), _divisor(right))


def floor_divide(left: Array, right: Array) -> Array:
    """The quotient, rounded down."""
    return np.floor_divide(_float(left), _divisor(right))


def modulo(left: Array, right: Array) -> Array:
    """The rest, of the divisor's sign."""
    return np.remainder(_float(left), _divisor(right))


def _divisor(values: Array) -> Float64Array:
    """A division by zero is undefined, not infinite: Python raises there."""
    numbers = _float(values)
    return np.where(numbers == 0.0, np.nan, numbers)


def negative(values: Array) -> Array:
    """The values with the other sign."""
    return np.negative(_float(values))


def absolute(values: Array) -> Array:
    """The values without a sign."""
    return np.absolute(_float(values))


def smaller(left: Array, right: Array) -> Array:
    """The smaller of two, undefined where one is."""
    return np.minimum(_number(left), _number(right))


def larger(left: Array, right: Array) -> Array:
    """The larger of two, undefined where one is."""
    return np.maximum(_number(left), _number(right))


def _number(values: Array) -> Array:
    return values.astype(np.int64) if values.dtype == np.bool_ else values


def compare_numbers(compare: Comparison, left: Array, right: Array) -> Array:
    """bool, the comparison; int64 with int64 exactly."""
    found: Array = compare(_number(left), _number(right))
    return found


def compare_text(compare: Comparison, left: Array, right: Array) -> Array:
    """bool, the comparison of texts; with None only ``!=`` holds."""
    constant = left.ndim == 0 or right.ndim == 0  # no constant is None, and equals none
    if constant and compare in (np.equal, np.not_equal):
        return np.asarray(compare(left, right), np.bool_)
    known = np.not_equal(left, _NONE) & np.not_equal(right, _NONE)
    unequal = compare is np.not_equal
    if np.all(known):
        found: Array = compare(left, right).astype(np.bool_)
        return found
    texts = [np.where(np.equal(side, _NONE), "", side) for side in (left, right)]
    return np.where(known, compare(*texts).astype(np.bool_), unequal)


def is_in(values: Sequence[str | int | float]) -> Callable[[Array], Array]:
    """Whether each is one of the values."""
    texts = frozenset(value for value in values if isinstance(value, str))
    if texts:

        def evaluate(column: Array) -> Array:
            found = [value in texts for value in np.atleast_1d(column)]
            return np.array(found, np.bool_).reshape(column.shape)

        return evaluate
    whole = [int(value) for value in values if not isinstance(value, float) or value.is_integer()]
    floats = [value for value in values if isinstance(value, float)]

    def evaluate_numbers(column: Array) -> Array:
        numbers = _number(column)
        if numbers.dtype == np.int64:  # exactly; what is not whole is never in it
            return np.isin(numbers, np.array([v for v in whole if abs(v) < 1 << 63], np.int64))
        return np.isin(numbers, np.array([*whole, *floats], np.float64))

    return evaluate_numbers
