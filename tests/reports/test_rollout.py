"""Models that were tried, in a report."""

import numpy as np

from streamproc.core import NS_PER_MS, Outcome
from streamproc.reports import render
from streamproc.reports.rollout import rolled_back_words, rollout_rows
from tests.reports import runs


def tried() -> runs.Run:
    run = runs.good()
    books = run.accounts.rollout
    books.shares |= {"base": 1.0, "v2": 0.0}
    books.outcomes["v2", Outcome.ON_TIME] += 3
    books.outcomes["v2", Outcome.LATE] += 1
    books.failed["v2"] += 1
    books.took("v2", np.array([3 * NS_PER_MS]))
    canary, shadow = books.of("v2"), books.of(runs.EVIL)
    canary.compared, canary.differed, canary.difference_sum = 4, 1, 2.0
    shadow.compared, shadow.dropped, shadow.failed = 8, 1_000, 2
    books.said["v2"] = "25.0% of its decisions are other ones"
    return run


def test_each_has_a_row_with_what_it_did() -> None:
    base, canary, shadow = rollout_rows(tried())
    assert (base.name, base.percent, base.cells) == ("base", 100, ("0", "-", "-"))
    assert (canary.name, canary.percent) == ("v2", 0)
    assert canary.cells[:2] == ("4", "75.00%")
    assert canary.words == (
        "decides about 0 of the keys; failed on 1 event, which the model itself decided; "
        "25.00% of 4 compared decisions were other ones, their numbers 0.5 apart on average"
    )
    assert shadow.words == (
        "never published; 0% of 8 compared decisions were other ones; "
        "not compared: 1,000 for lack of time, 2 for its failure"
    )


def test_the_page_says_why_one_was_taken_back_and_escapes_names() -> None:
    run = tried()
    assert rolled_back_words(run) == [
        "The canary v2 was taken back: 25.0% of its decisions are other ones."
    ]
    page = render(run)
    assert rolled_back_words(run)[0] in page
    assert "<script>" not in page


def test_without_a_rollout_there_is_no_section() -> None:
    assert rollout_rows(runs.good()) == []
    assert "Models that were tried" not in render(runs.good())
