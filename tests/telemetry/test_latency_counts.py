"""What a histogram held at a moment, and what came between two of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.telemetry import LatencyCounts, LatencyHistogram
from streamproc.telemetry.histogram import COARSEST_NS, FINEST_NS, RELATIVE_WIDTH

MS = 1_000_000
values = st.lists(st.integers(-MS, COARSEST_NS), max_size=100)


def counted(histogram: LatencyHistogram, values_ns: list[int]) -> LatencyCounts:
    histogram.add(np.array(values_ns, dtype=np.int64))
    return histogram.counts()


@given(values, values)
def test_the_difference_is_what_came_between(before: list[int], between: list[int]) -> None:
    histogram = LatencyHistogram()
    earlier = counted(histogram, before)
    later = counted(histogram, between)

    added = later.since(earlier)

    alone = counted(LatencyHistogram(), between)
    assert (added.count, added.sum_ns) == (alone.count, alone.sum_ns)
    np.testing.assert_array_equal(added.cumulative, alone.cumulative)
    for q in (0, 50, 99, 100) if between else ():
        exact_ns = alone.percentile_ns(q)
        assert exact_ns <= added.percentile_ns(q)
        assert added.percentile_ns(q) <= max(exact_ns * (1 + RELATIVE_WIDTH), FINEST_NS)
    if between:
        assert alone.max_ns <= added.max_ns == added.percentile_ns(100)


@given(values, values, values)
def test_differences_in_a_row_are_the_difference_over_all(
    first: list[int], second: list[int], third: list[int]
) -> None:
    histogram = LatencyHistogram()
    one, two, three = (counted(histogram, values_ns) for values_ns in (first, second, third))
    parts, whole = (two.since(one), three.since(two)), three.since(one)
    assert sum(part.count for part in parts) == whole.count
    assert sum(part.sum_ns for part in parts) == whole.sum_ns
    np.testing.assert_array_equal(parts[0].cumulative + parts[1].cumulative, whole.cumulative)
    assert max(part.max_ns for part in parts) == whole.max_ns


def test_what_is_beyond_the_last_edge_is_as_long_as_the_longest() -> None:
    histogram = LatencyHistogram()
    nothing = histogram.counts()
    assert counted(histogram, [5 * COARSEST_NS]).since(nothing).max_ns == 5 * COARSEST_NS


def test_counts_stay_as_they_were() -> None:
    histogram = LatencyHistogram()
    earlier = counted(histogram, [MS])
    counted(histogram, [2 * MS, 3 * MS])
    assert (earlier.count, int(earlier.cumulative[-1]), earlier.max_ns) == (1, 1, MS)
    assert earlier.mean_ns == MS


def test_the_wrong_way_round_is_refused() -> None:
    histogram = LatencyHistogram()
    earlier = histogram.counts()
    later = counted(histogram, [MS])
    with pytest.raises(ValueError, match="1 values came before 0: the moments are the wrong way"):
        earlier.since(later)


def test_other_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="the edges differ"):
        LatencyHistogram([7]).counts().since(LatencyHistogram().counts())


def test_of_nothing_there_is_no_percentile() -> None:
    nothing = LatencyHistogram().counts()
    assert nothing.mean_ns == 0
    with pytest.raises(ValueError, match="no values, so no percentile"):
        nothing.percentile_ns(50)
    with pytest.raises(ValueError, match="q is in percent, 0 to 100, was 101"):
        nothing.percentile_ns(101)
