"""What a report says in words, for each kind of run."""

from dataclasses import replace

import numpy as np
import pytest

from streamproc.core import Outcome
from streamproc.reports import Check, Run
from streamproc.reports.advice import advice
from streamproc.reports.moments import when_it_went_wrong
from streamproc.reports.words import STAGE_WORDS, verdict, verified, where_the_time_went
from streamproc.telemetry import STAGES, Accounts
from tests.reports import runs
from tests.support.statuses import Still

MS = 1_000_000


def test_a_good_run() -> None:
    run = runs.good()
    found = verdict(run)
    assert (found.level, found.word) == ("good", "In time")
    assert found.headline == "All 1,600 events were decided within 50 ms."
    assert advice(run) == []
    assert list(when_it_went_wrong(run)) == []
    latency, stages = where_the_time_went(run)
    assert latency.startswith("Half of the decisions were with the broker ")
    assert f"% {STAGE_WORDS['broker']}" in stages
    assert "; the other stages took " in stages


def test_the_stage_that_makes_the_p99_is_named() -> None:
    still = Still()
    for _ in range(3):
        still.goes_on(queue_ns=200 * MS)
    assert still.books is not None
    run = replace(runs.good(), accounts=still.books)
    *_, tail = where_the_time_went(run)
    assert tail.startswith(f"What makes the p99 is the time {STAGE_WORDS['queue']}: events above ")
    assert "spent 204 ms of theirs so on average, all others " in tail


def test_nothing_came() -> None:
    run = runs.nothing_came()
    assert verdict(run).word == "Nothing came"
    assert list(where_the_time_went(run)) == []
    assert "Is anything written to the source's topics?" in advice(run)[0]


def test_all_was_shed() -> None:
    run = runs.all_shed()
    found = verdict(run)
    assert found.level == "fair"
    assert found.headline == "None of 480 events was decided within 50 ms: 480 shed (expired)."
    (stages,) = where_the_time_went(run)
    assert "it spent 100% before it arrived here" in stages
    assert "Events are old when they arrive" in advice(run)[0]


def test_a_pause_is_named_with_its_moment() -> None:
    run = runs.with_a_pause()
    assert verdict(run).level == "fair"
    (text,) = when_it_went_wrong(run)
    assert "of the 320 events that were late or shed fell between 5 and " in text
    assert "before it arrived here" in text


def test_misses_all_the_time_have_no_moment() -> None:
    assert list(when_it_went_wrong(runs.all_shed())) == []


def test_a_failure_comes_first_and_says_what_was_reached() -> None:
    run = runs.failed()
    found = verdict(run)
    assert (found.level, found.word) == ("bad", "It failed")
    assert found.headline == (
        "The run ended before it was meant to: the broker at localhost:9092 is gone, and did not come back in 60 s. "
        "Until then: All 300 events were decided within 50 ms."
    )
    assert advice(run) == []
    at_once = verdict(runs.failed_at_once())
    assert at_once.headline.endswith("topic ticks does not exist.")


def test_a_broken_promise() -> None:
    run = runs.broken_promise()
    found = verdict(run)
    assert (found.level, found.word) == ("bad", "A promise was broken")
    assert found.headline.endswith("But: 1 is missing.")
    assert verified(run) == "Verified from outside: 1 of 2 checks held."
    assert verified(replace(run, checks=[Check("fine")])) == (
        "Verified from outside: 1 check, and every promise was kept."
    )
    assert verified(runs.good()) == ""


def test_a_budget_from_the_arrival_says_so() -> None:
    run = replace(runs.good(), from_event_time=False)
    assert verdict(run).headline.endswith("within 50 ms of their arrival.")


def test_an_overload_that_was_meant_needs_no_advice() -> None:
    run = runs.with_a_pause()
    assert advice(run)
    assert advice(replace(run, overload_meant=True)) == []


def slow_in(stage: str) -> Run:
    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        for name in STAGES:
            books.stage(name, np.full(10, (90 if name == stage else 1) * MS, dtype=np.int64))
        books.latency(np.full(10, 94 * MS, dtype=np.int64))
        books.batch(10, "full")
        books.settle(Outcome.LATE, 10)
        books.fetched += 10

    return runs.made(step, steps=12)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("broker", "Events are old when they arrive: half of them by more than 90 ms of the 50 ms"),
        ("decode", "the features function is the first suspect"),
        ("queue", "Events wait up to 90 ms (p99) for a batch"),
        ("infer", "The model takes up to 90 ms (p99) for a batch, 10 events to a batch on average"),
        ("emit", "Kafka takes up to 90 ms (p99) to acknowledge a decision"),
    ],
)
def test_the_slowest_stage_gets_the_advice(stage: str, said: str) -> None:
    run = slow_in(stage)
    (sentence,) = advice(run)
    assert said in sentence
    assert verdict(run).headline.startswith("None of 120 events was decided")


def test_what_else_went_wrong_is_said() -> None:
    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        runs.decide(books, rng, 20)
        books.settle(Outcome.DEAD_LETTER, 1, "undecodable")
        books.skips["retention"] += 1
        books.skips["skip_ahead"] += 1
        books.acked_late += 1
        books.wrong_event_times += 1

    said = " ".join(advice(runs.made(step, steps=10)))
    assert "10 events became dead letters, 10 of them for undecodable" in said
    assert "10 records were gone before they could be read" in said
    assert "10 records were jumped over by skip_ahead" in said
    assert "10 decisions left in time and were acknowledged late" in said
    assert "10 events said that they happened later than they could have" in said


def test_a_backlog_at_the_end_is_said() -> None:
    run = runs.good()
    *others, last = run.intervals
    behind = replace(run, intervals=[*others, replace(last, lag=5_000)])
    assert advice(behind)[0].startswith("5,000 records still waited in Kafka at the end")
