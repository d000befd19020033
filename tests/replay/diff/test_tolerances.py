import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamproc.replay.diff.tolerances import Tolerances, dtype_of


def test_exact_unless_told() -> None:
    assert Tolerances().same("output", 1.0, 1.0)
    assert not Tolerances().same("output", 1.0, math.nextafter(1.0, 2.0))


def test_absolute_below_one_and_relative_above() -> None:
    some = Tolerances.parse(["1e-3"])
    assert some.same("output", 1e-9, 5e-4)
    assert some.same("output", 1_000.0, 1_000.9)
    assert not some.same("output", 1_000.0, 1_001.1)
    assert not some.same("output", 0.5, 0.502)


def test_integers_are_exact_unless_told() -> None:
    assert not Tolerances.parse(["0.5"]).same("output", 100, 101)
    assert Tolerances.parse(["int=0.5"]).same("output", 100, 101)


def test_the_longest_path_then_the_dtype_then_the_general_one() -> None:
    some = Tolerances.parse(["1e-6", "float32=1e-4", "scores=1e-2", "output.scores.up=0"])
    assert some.same("output.scores.down", 0.5, 0.509)
    assert not some.same("output.scores.up", 0.5, 0.50000001)
    assert some.same("output.level", 0.5, 0.50009)  # both as a float32 would be written
    assert not some.same("output.level", 0.5, 0.500090000001)  # a float64: more digits


def test_two_nan_are_the_same() -> None:
    assert Tolerances().same("output", math.nan, math.nan)
    assert not Tolerances.parse(["1"]).same("output", math.nan, 0.0)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(float(np.finfo(np.float32).max))
def test_what_was_a_float32_is_told_from_its_digits(value: float) -> None:
    written = float(str(np.float32(value)))
    assert dtype_of(written, written) == "float32"


def test_more_digits_are_a_float64() -> None:
    assert dtype_of(1 / 3, 0.5) == "float64"
    assert dtype_of(1e300, 0.5) == "float64"
    assert dtype_of(3, 4) == "int"
    assert dtype_of(3, 0.5) == "float32"


@pytest.mark.parametrize("text", ["", "x", "scores=", "-1", "float32=nan", "inf"])
def test_what_is_no_tolerance(text: str) -> None:
    with pytest.raises(ValueError, match="is no tolerance: write 1e-6"):
        Tolerances.parse([text])
