"""Axes: all values are on them, and their labels are round and not too many."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.reports.scales import Scale, linear, logarithmic, within

values = st.floats(1e-3, 1e15)


def is_round(value: float) -> bool:
    return f"{value:.6e}"[0] in "125" and float(f"{value:.6e}".split("e")[0]) in (1, 2, 5)


def ascending(scale: Scale) -> bool:
    return all(a < b for a, b in itertools.pairwise(scale.ticks))


@given(values)
def test_a_linear_axis_holds_its_highest_value(high: float) -> None:
    scale = linear(high)
    assert scale.low == 0
    assert high <= scale.high * (1 + 1e-9)
    assert 2 <= len(scale.ticks) <= 6
    assert ascending(scale)
    assert is_round(scale.ticks[1])


@given(st.integers(0, 7))
def test_whole_things_have_whole_labels(high: int) -> None:
    assert all(tick == int(tick) for tick in linear(high, whole=True).ticks)


@given(values)
def test_an_axis_of_time_ends_where_the_run_does(high: float) -> None:
    scale = within(high)
    assert scale.high == high
    assert scale.ticks[-1] <= high * (1 + 1e-9)
    assert 3 <= len(scale.ticks) <= 7


@given(values, st.floats(1, 1e6))
def test_a_logarithmic_axis_holds_both_ends(low: float, ratio: float) -> None:
    scale = logarithmic(low, low * ratio)
    assert scale.low <= low * (1 + 1e-9)
    assert scale.high >= low * ratio * (1 - 1e-9)
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks) <= 14
    assert all(is_round(tick) for tick in scale.ticks)
    assert ascending(scale)
    # equal ratios have equal lengths
    middle = (scale.low * scale.high) ** 0.5
    assert scale.at(middle) == pytest.approx(0.5)


def test_what_lies_outside_stands_at_the_end() -> None:
    assert [linear(10).at(value) for value in (-1, 0, 5, 10, 99)] == [0, 0, 0.5, 1, 1]
    assert [logarithmic(1, 100).at(value) for value in (0, 1, 10, 1e9)] == [0, 0, 0.5, 1]


def test_the_same_axis_in_a_smaller_unit() -> None:
    scale = linear(4).times(1_000)
    assert (scale.high, scale.ticks) == (4_000, (0, 1_000, 2_000, 3_000, 4_000))
    assert scale.at(1_000) == 0.25
