"""The histogram: exact at its bounds, 2% elsewhere."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.telemetry import BOUNDS_NS, LatencyHistogram
from streamproc.telemetry.histogram import COARSEST_NS, FINEST_NS, RELATIVE_WIDTH, _edges

MS = 1_000_000
DEADLINE_NS = 33 * MS + 7

latencies = st.lists(
    st.one_of(
        st.integers(-10 * MS, 2 * COARSEST_NS),
        st.integers(0, 3_000),
        st.sampled_from([b + d for b in (*BOUNDS_NS, DEADLINE_NS) for d in (-1, 0, 1)]),
    ),
    min_size=1,
    max_size=300,
)


def filled(values: list[int], bounds: tuple[int, ...] = (DEADLINE_NS,)) -> LatencyHistogram:
    histogram = LatencyHistogram(bounds)
    histogram.add(np.array(values, dtype=np.int64))
    return histogram


def test_bins_are_no_wider_than_promised() -> None:
    edges = _edges(BOUNDS_NS)
    assert edges[0] == FINEST_NS
    assert edges[-1] == COARSEST_NS
    assert np.max(np.diff(edges) / edges[:-1]) <= RELATIVE_WIDTH


def test_a_value_equal_to_the_deadline_is_within_it() -> None:
    histogram = filled([DEADLINE_NS - 1, DEADLINE_NS, DEADLINE_NS + 1])
    assert histogram.cumulative([DEADLINE_NS]) == [2]


def test_every_bound_is_inclusive() -> None:
    for bound in (*BOUNDS_NS, DEADLINE_NS):
        assert filled([bound]).cumulative([bound]) == [1]
        assert filled([bound + 1]).cumulative([bound]) == [0]


def test_bounds_outside_the_fine_range_and_close_to_each_other_are_exact() -> None:
    bounds = (1, 7, 50 * MS, 50 * MS + 1, 50 * MS + 2, 3 * COARSEST_NS)
    histogram = filled(list(bounds), bounds)
    assert histogram.cumulative(bounds) == [1, 2, 3, 4, 5, 6]


@given(latencies)
def test_cumulative_is_exact(values: list[int]) -> None:
    histogram = filled(values)
    expected = [sum(v <= bound for v in values) for bound in histogram.bounds_ns]
    assert histogram.cumulative(histogram.bounds_ns) == expected


@given(latencies, st.sampled_from([0, 1, 50, 90, 99, 99.9, 100]))
def test_percentile_is_never_too_low_and_two_percent_too_high_at_most(
    values: list[int], q: float
) -> None:
    ascending = np.maximum(np.sort(np.array(values, dtype=np.int64)), 0)
    rank = max(1, math.ceil(Fraction(str(q)) * len(values) / 100))
    exact = int(ascending[rank - 1])

    shown = filled(values).percentile_ns(q)

    assert exact <= shown <= ascending[-1]
    if exact <= COARSEST_NS:
        assert shown <= max(exact * (1 + RELATIVE_WIDTH), FINEST_NS)


def test_percentile_agrees_with_numpy_on_many_values() -> None:
    values = np.random.default_rng(7).lognormal(np.log(5 * MS), 1.0, 50_000).astype(np.int64)
    histogram = LatencyHistogram()
    histogram.add(values)
    for q in (1, 50, 90, 99, 99.9):
        exact = np.percentile(values, q, method="inverted_cdf")
        assert exact <= histogram.percentile_ns(q) <= exact * (1 + RELATIVE_WIDTH)
    assert histogram.percentile_ns(100) == histogram.max_ns == values.max()


@given(latencies)
def test_count_sum_and_largest_are_exact(values: list[int]) -> None:
    histogram = filled(values)
    clamped = [max(v, 0) for v in values]
    assert histogram.count == len(values)
    assert histogram.sum_ns == sum(clamped)
    assert histogram.max_ns == max(clamped)
    assert histogram.negative_total == sum(v < 0 for v in values)


@pytest.mark.parametrize("size", [1, 4_095, 4_096, 4_097, 10_000])
def test_the_size_of_the_portions_changes_nothing(size: int) -> None:
    values = np.random.default_rng(size).integers(-MS, 100 * MS, 10_000)
    portions, one_by_one = LatencyHistogram((DEADLINE_NS,)), LatencyHistogram((DEADLINE_NS,))
    for start in range(0, values.size, size):
        portions.add(values[start : start + size])
    for value in values.tolist():
        one_by_one.add_constant(value, 1)
    assert state(portions) == state(one_by_one)


def test_times_since_1970_do_not_overflow_the_sum() -> None:
    value = 1_800_000_000 * 1_000_000_000  # an event time of 0
    histogram = filled([value] * 4_096)
    assert histogram.sum_ns == value * 4_096
    assert histogram.percentile_ns(50) == value


@given(latencies, latencies)
def test_merge_is_counting_together(first: list[int], second: list[int]) -> None:
    merged = filled(first)
    merged.merge(filled(second))
    assert state(merged) == state(filled(first + second))


@given(latencies, latencies)
def test_another_process_gets_the_same(first: list[int], second: list[int]) -> None:
    sent = pickle.loads(pickle.dumps(filled(first)))  # noqa: S301
    assert state(sent) == state(filled(first))
    sent.add(np.array(second, dtype=np.int64))
    assert state(sent) == state(filled(first + second))
    assert sent.cumulative([DEADLINE_NS]) == filled(first + second).cumulative([DEADLINE_NS])


def test_the_values_are_copied_and_left_as_they_are() -> None:
    values = np.array([5, -3, 2], dtype=np.int64)
    values.flags.writeable = False
    large = np.arange(10_000, 0, -1)
    large.flags.writeable = False
    histogram = LatencyHistogram()
    histogram.add(values)
    histogram.add(large)
    assert histogram.count == 10_003
    assert values.tolist() == [5, -3, 2]


def test_constant_counts_at_a_bound_and_below_zero() -> None:
    histogram = LatencyHistogram((DEADLINE_NS,))
    histogram.add_constant(DEADLINE_NS, 5)
    histogram.add_constant(-1, 2)
    histogram.add_constant(1, 0)
    assert histogram.cumulative([DEADLINE_NS]) == [7]
    assert (histogram.count, histogram.negative_total) == (7, 2)
    assert histogram.sum_ns == 5 * DEADLINE_NS


def test_nothing_counted() -> None:
    histogram = LatencyHistogram()
    histogram.add(np.empty(0, dtype=np.int64))
    assert (histogram.count, histogram.sum_ns, histogram.max_ns) == (0, 0, 0)
    with pytest.raises(ValueError, match="no values"):
        histogram.percentile_ns(50)


def test_refusals_name_the_value() -> None:
    histogram = filled([1])
    with pytest.raises(ValueError, match=r"\[123456789\] ns are no edges"):
        histogram.cumulative([MS, 123_456_789])
    with pytest.raises(ValueError, match="was 101"):
        histogram.percentile_ns(101)
    with pytest.raises(ValueError, match="above 0 ns, was 0"):
        LatencyHistogram((5 * MS, 0))
    with pytest.raises(ValueError, match="bounds differ"):
        histogram.merge(LatencyHistogram())
    with pytest.raises(ValueError, match="count must not be negative, was -1"):
        histogram.add_constant(1, -1)


def state(histogram: LatencyHistogram) -> tuple[object, ...]:
    return (
        histogram.count,
        histogram.sum_ns,
        histogram.max_ns,
        histogram.negative_total,
        histogram._cumulative.tolist(),
    )
