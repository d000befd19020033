"""Tables and charts of a run: their sums are the books'."""

from dataclasses import replace

import numpy as np
import pytest

from streamproc.core import NS_PER_MS, Outcome
from streamproc.reports import sections
from streamproc.telemetry import STAGES, Accounts
from tests.reports import runs


@pytest.mark.parametrize("run", [runs.good(), runs.with_a_pause(), runs.of_everything()])
def test_outcomes_add_up_to_what_was_consumed(run: runs.Run) -> None:
    rows = sections.outcome_rows(run)
    counts = [int(row.cells[0].replace(",", "")) for row in rows]
    assert sum(counts) == run.accounts.consumed
    assert sum(row.percent for row in rows) == pytest.approx(100)
    chart = sections.outcomes_chart(run)
    assert chart is not None
    assert {shape.name for shape in chart.shapes} == {
        outcome.word for outcome, number in run.accounts.outcomes.items() if number
    }


def test_the_strip_is_an_events_time() -> None:
    parts = sections.stage_strip(runs.good())
    assert [part.name for part in parts] == list(STAGES)
    assert (parts[0].left, sum(part.width for part in parts)) == (0, 1_000)


def test_batch_sizes_begin_and_end_where_there_are_some() -> None:
    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        for size in (6, 8, 20):
            books.batch(size, "full")
        books.batch(1_000, "drain")

    run = runs.made(step, steps=2)
    rows = sections.batch_rows(run)
    assert [(row.name, row.cells[0]) for row in rows][:3] == [("5-8", "4"), ("9-16", "0"), ("17-32", "2")]  # fmt: skip
    assert (rows[-1].name, rows[-1].cells) == ("513-1,024", ("2", "25.00%"))
    assert sections.batch_words(run) == (
        "2,068 events in 8 micro-batches, 260 on average. They started when they did: "
        "6 since they were full, 2 since the run came to its end."
    )
    assert sections.batch_rows(runs.nothing_came()) == []
    assert sections.batch_words(runs.nothing_came()) == ""


def test_what_never_waited_has_a_sentence_and_no_plot() -> None:
    run = runs.nothing_came()
    assert list(sections.load_charts(run)) == []
    assert sections.nothing_waited(run) == (
        "At no sample (four a second) anything waited for a batch or in Kafka."
    )
    unknown = replace(run, intervals=[replace(one, queue_depth=None) for one in run.intervals])
    assert sections.nothing_waited(unknown).endswith("anything waited in Kafka.")
    assert [chart.key for chart in sections.load_charts(runs.good())] == ["queue", "lag"]


def test_an_interval_that_towers_over_the_others_does_not_flatten_them() -> None:
    chart = sections.stages_chart(runs.with_a_pause())
    assert chart is not None
    assert "The plot is cut off: the highest reaches" in chart.summary
    assert chart.y_ticks[-1].text == "20 ms"
    even = sections.stages_chart(runs.good())
    assert even is not None
    assert "cut off" not in even.summary


def test_late_in_the_books_and_quick_on_the_clock_is_explained() -> None:
    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        books.latency(np.full(10, 45 * NS_PER_MS, dtype=np.int64))
        books.settle(Outcome.LATE, 4)
        books.settle(Outcome.ON_TIME, 6)

    distribution, _ = sections.latency_charts(runs.made(step, steps=3))
    assert "None took longer than 50 ms. The books call 12 late" in distribution.summary
    quick, _ = sections.latency_charts(runs.good())
    assert "The books call" not in quick.summary


def test_a_deadline_from_the_arrival_is_not_held_against_these_latencies() -> None:
    run = replace(runs.with_a_pause(), from_event_time=False)
    distribution, over_time = sections.latency_charts(run)
    assert {bar.style for bar in distribution.bars} == {"within"}
    assert over_time.marks == ()
