"""Whether two models decided alike, and how far apart they are."""

from typing import Any, NamedTuple

import numpy as np
import orjson

from streamproc.codecs import Labelled, Numbers, Outputs
from streamproc.core import Array, BoolArray, Float64Array


class Differences(NamedTuple):
    """Of n decisions.

    Attributes:
        differs: bool [n], where the label is another one; without labels, where anything is, but for small differences
            of numbers.
        distance: float64 [n], how far the numbers lie apart at most; infinite where their shapes do not compare.
    """

    differs: BoolArray
    distance: Float64Array


def differences(first: Outputs, second: Outputs, tolerance: float) -> Differences:
    """Hold decisions about the same events against each other.

    Args:
        first: n decisions.
        second: n others.
        tolerance: numbers that are not whole and differ by no more, or by no more than that part of the larger, agree.
    """
    if isinstance(first, Labelled) and isinstance(second, Labelled):
        differs = first.choice != second.choice
        if first.scores is None or second.scores is None:
            return Differences(differs, np.zeros(len(differs)))
        return Differences(differs, _distance(first.scores, second.scores))
    if isinstance(first, Numbers) and isinstance(second, Numbers):
        return _of_numbers(first.values, second.values, tolerance)
    pairs = zip(first.json_texts(), second.json_texts(), strict=True)
    found = [_of_objects(orjson.loads(a), orjson.loads(b), tolerance) for a, b in pairs]
    return Differences(
        np.array([differs for differs, _ in found], np.bool_),
        np.array([distance for _, distance in found], np.float64),
    )


def _of_numbers(first: Array, second: Array, tolerance: float) -> Differences:
    count = len(first)
    if first.shape != second.shape:
        return Differences(np.ones(count, np.bool_), np.full(count, np.inf))
    distance = _distance(first, second)
    if first.dtype.kind in "iu":
        return Differences(distance > 0, distance)
    close = np.isclose(first, second, rtol=tolerance, atol=tolerance).reshape(count, -1)
    differs: BoolArray = np.logical_not(np.all(close, axis=1))
    return Differences(differs, distance)


def _distance(first: Array, second: Array) -> Float64Array:
    if first.shape != second.shape:
        return np.full(len(first), np.inf)
    apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
    distance: Float64Array = apart.reshape(len(first), -1).max(axis=1, initial=0.0)
    return distance


def _of_objects(first: Any, second: Any, tolerance: float) -> tuple[bool, float]:  # noqa: ANN401 - any JSON
    """Whether two JSON values differ, and how far their numbers are apart."""
    if isinstance(first, dict) and isinstance(second, dict):
        both = [(first[key], second[key]) for key in first if key in second]
        differs, apart = _of_many(both, tolerance)
        if "label" in first and "label" in second:
            return first["label"] != second["label"], apart
        return differs or first.keys() != second.keys(), apart
    if isinstance(first, list) and isinstance(second, list):
        differs, apart = _of_many(list(zip(first, second, strict=False)), tolerance)
        return differs or len(first) != len(second), apart
    if _is_number(first) and _is_number(second):
        apart = abs(first - second)
        whole = isinstance(first, int) and isinstance(second, int)
        allowed = 0 if whole else max(tolerance, tolerance * max(abs(first), abs(second)))
        return apart > allowed, float(apart)
    return first != second, 0.0


def _of_many(pairs: list[tuple[Any, Any]], tolerance: float) -> tuple[bool, float]:
    found = [_of_objects(a, b, tolerance) for a, b in pairs]
    return any(d for d, _ in found), max((apart for _, apart in found), default=0.0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
