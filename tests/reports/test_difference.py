"""The page of two runs that are compared."""

from dataclasses import replace

import numpy as np
import pytest

from streamproc.reports import ReportedBound, ReportedDifference, ReportedSide, render_difference
from streamproc.reports.cumulative import cumulative
from streamproc.reports.quantities import duration
from streamproc.telemetry import LatencyCounts, LatencyHistogram


def latencies(*ms: float) -> LatencyCounts:
    histogram = LatencyHistogram()
    histogram.add(np.array([round(one * 1e6) for one in ms], np.int64))
    return histogram.counts()


OLD = ReportedSide(
    file="old.mcap",
    outcomes={"on_time": 990, "shed": 10},
    latency=latencies(1, 2, 3, 40),
    facts={"model": "full sha256:aa"},
)
NEW = replace(OLD, file="new.mcap", outcomes={"on_time": 1_000}, facts={"model": "full sha256:bb"})
FOUND = ReportedDifference(
    pipeline="direction",
    is_ok=False,
    headline="3 of 990 decisions say something else.",
    baseline=OLD,
    candidate=NEW,
    bounds=[
        ReportedBound(name="changed", cells=["3", "990", "0.30%", "0.1%-0.9%", "", "0"], is_bounded=True, is_ok=False),
        ReportedBound(name="outcomes", cells=["10", "1,000", "1%", "0.5%-1.8%", "", "-"], is_bounded=False, is_ok=True),
    ],
    moved={("shed", "on_time"): 10},
    fields=[("output.scores", "3", "0", "0.25")],
    changes=[("ticks/0/17", "changed", "output.scores[1]: 0.5 → 0.75")],
    changes_left_out=2,
)  # fmt: skip


def test_the_verdict_and_what_it_stands_on() -> None:
    page = render_difference(FOUND)
    assert '<header class="bad">' in page
    assert "3 of 990 decisions say something else." in page
    for cell in ("shed → on_time", "99.00%", "output.scores[1]: 0.5 → 0.75", "2 more events"):
        assert cell in page
    assert "✕ broken" in page
    assert page.count('class="broken"') == 1
    assert '<tr class="otherwise"><th scope="row">model</th>' in page
    assert 'class="line candidate"' in page


def test_the_same_within_the_bounds() -> None:
    bounds = [replace(one, is_ok=True) for one in FOUND.bounds]
    page = render_difference(
        replace(
            FOUND, is_ok=True, bounds=bounds, moved={}, fields=[], changes=[], changes_left_out=0
        )
    )
    assert '<header class="good">' in page
    assert "Ended otherwise" not in page
    assert "Events that differ" not in page


def test_without_latencies_there_is_no_plot() -> None:
    page = render_difference(replace(FOUND, candidate=replace(NEW, latency=latencies())))
    assert 'class="line candidate"' not in page


@pytest.mark.parametrize("text", ["<script>", "a & b"])
def test_what_somebody_wrote_is_escaped(text: str) -> None:
    side = replace(OLD, file=text, facts={text: text}, notes=[text])
    page = render_difference(
        replace(
            FOUND, pipeline=text, baseline=side, changes=[(text, text, text)], fields=[(text,) * 4]
        )
    )
    assert text not in page


def test_the_lines_reach_all_at_the_longest_and_tell_percentiles() -> None:
    chart = cumulative(
        {"baseline": latencies(1, 2, 3, 4), "candidate": latencies(10, 20)},
        key="latency",
        title="t",
        summary="s",
        text_of=duration,
    )
    for shape in chart.shapes:
        assert shape.path.endswith(" 0")  # the top: all of them
    assert ("p50", "2 ms", "10 ms") in chart.table.rows
