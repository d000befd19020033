"""Charts: what is drawn is what was counted."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.reports.chart import FULL
from streamproc.reports.distribution import histogram
from streamproc.reports.over_time import Series, over_time
from streamproc.reports.quantities import duration
from streamproc.reports.scales import linear
from streamproc.telemetry import LatencyHistogram

MS = 1_000_000
BUDGET_NS = 50 * MS


@given(st.lists(st.integers(1, 10_000 * MS), min_size=1, max_size=200), st.booleans())
def test_a_histogram_counts_each_value_once(values_ns: list[int], split: bool) -> None:
    counted = LatencyHistogram([BUDGET_NS])
    counted.add(np.array(values_ns, dtype=np.int64))
    chart = histogram(
        counted.counts(),
        key="k",
        title="t",
        summary="s",
        text_of=duration,
        split_ns=BUDGET_NS if split else None,
        marks=[(BUDGET_NS, "deadline")] if split else [],
    )
    sizes = [int(row[1].replace(",", "")) for row in chart.table.rows]
    assert sum(sizes) == len(values_ns)
    assert min(sizes) > 0
    over = [size for bar, size in zip(chart.bars, sizes, strict=True) if bar.style == "over"]
    assert sum(over) == (sum(value > BUDGET_NS for value in values_ns) if split else 0)
    for bar in chart.bars:
        assert 0 <= bar.left < bar.left + bar.width <= FULL + 1
        assert 6 <= bar.height <= FULL
    assert all(a.left < b.left for a, b in pairwise(chart.bars))
    tallest = max(range(len(sizes)), key=lambda i: chart.bars[i].height)
    assert sizes[tallest] == max(sizes)


def chart_of(
    *series: Series, stacked: bool, edges_s: tuple[float, ...] = (0, 1, 2, 3, 4)
) -> tuple[str, ...]:
    chart = over_time(
        key="k",
        title="t",
        summary="s",
        y_title="y",
        edges_s=edges_s,
        series=series,
        y=linear(10),
        text_of=lambda value: f"{value:g}",
        stacked=stacked,
    )
    return tuple(shape.path for shape in chart.shapes)


def test_a_line_goes_through_the_middles_of_the_intervals() -> None:
    (path,) = chart_of(Series("a", "a", [0, 5, 10, 0]), stacked=False)
    assert path == "M125 1000L375 500L625 0L875 1000"


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    (path,) = chart_of(Series("a", "a", [0, 0, None, 5]), stacked=False)
    assert path == "M125 1000L375 1000M750 500H1000"


def test_a_single_interval_is_a_line_that_can_be_seen() -> None:
    (path,) = chart_of(Series("a", "a", [5]), stacked=False, edges_s=(0, 0.2))
    assert path == "M0 500H1000"


def test_areas_stand_one_upon_the_other() -> None:
    lower, upper = chart_of(
        Series("a", "a", [2, 0, None, 4]), Series("b", "b", [3, 1, 1, 6]), stacked=True
    )
    assert lower.startswith("M0 800H250L250 1000H500L500 1000H750L750 600H1000L1000 1000")
    assert upper.startswith("M0 500H250L250 900H500L500 900H750L750 0H1000L1000 600")
    assert upper.endswith("Z")


@pytest.mark.parametrize(
    ("end_s", "title", "last"),
    [(8, "seconds since the start", "8"), (600, "minutes since the start", "10"), (28_800, "hours since the start", "8")],
)  # fmt: skip
def test_time_has_a_unit_that_fits(end_s: float, title: str, last: str) -> None:
    chart = over_time(
        key="k",
        title="t",
        summary="s",
        y_title="y",
        edges_s=[0, end_s / 2, end_s],
        series=[Series("a", "a", [1, None])],
        y=linear(1),
        text_of=lambda value: f"{value:g}",
        marks=[(0.5, "half")],
    )
    assert chart.x_title == title
    assert chart.x_ticks[-1].text == last
    assert [row[1] for row in chart.table.rows] == ["1", ""]
    assert re.fullmatch(r"[\d.]+-[\d.]+ \w+: a 1", chart.bars[0].text)
    assert chart.bars[1].text.endswith(": nothing")
    assert chart.mark_rows == 0
