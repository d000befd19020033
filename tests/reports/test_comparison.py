"""The page of compared planners."""

from dataclasses import replace

import pytest

from streamproc.reports import ComparedRun, Comparison, render_comparison

RUN = ComparedRun(
    load=1.0,
    planner="early_drop",
    events=1_000,
    in_time=900,
    late=0,
    shed={"planner": 100},
    goodput_per_s=900.0,
    best_per_s=1_000.0,
    p50_ns=5_000_000,
    p99_ns=19_000_000,
    batch_mean=12.25,
)
FOUND = Comparison(pipeline="direction", runs=[RUN], best_word="optimum", facts={"seed": "4"})


def test_it_says_the_least_share_of_the_first_planner() -> None:
    worse = replace(RUN, load=2.0, goodput_per_s=600.0)
    other = replace(RUN, load=2.0, planner="fixed", goodput_per_s=10.0)
    page = render_comparison(replace(FOUND, runs=[RUN, worse, other]))
    assert "early_drop answers 60% of the optimum in time, or more, at loads from 1x to 2x." in page
    assert '<svg viewBox="0 0 28 14" class="key"><path class="line fixed"' in page


def test_one_load_and_all_the_words_in_the_table() -> None:
    page = render_comparison(FOUND)
    assert "in time, or more, at 1x." in page
    for cell in ("1,000", "900/s", "90%", "planner 100", "5 ms", "19 ms", "12.2"):
        assert f">{cell}</td>" in page


def test_nothing_was_decided() -> None:
    nothing = replace(RUN, in_time=0, goodput_per_s=0.0, best_per_s=0.0, p50_ns=0, p99_ns=0)
    page = render_comparison(replace(FOUND, runs=[nothing]))
    assert "Tail latency" not in page
    assert "100% of the optimum" in page


@pytest.mark.parametrize("text", ["<script>", "a & b"])
def test_what_somebody_wrote_is_escaped(text: str) -> None:
    page = render_comparison(replace(FOUND, pipeline=text, facts={text: text}))
    assert text not in page
