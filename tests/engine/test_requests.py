"""Rows of requests: what became of a run is divided between them and the events, and gathered again."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Columns, EventBatch, ModelError, Reason
from streamproc.engine import RequestAnswer, Requests, Rescued
from streamproc.engine.isolate import Span
from streamproc.engine.requests import Asked, split


def spans(cuts: list[int]) -> list[Span]:
    return [Span(a, b) for a, b in pairwise(cuts) if a < b]


@given(
    cuts=st.lists(st.integers(0, 12), max_size=6), at=st.integers(0, 12), good=st.lists(st.booleans(), min_size=7, max_size=7)
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_every_row_stays_what_it_was(cuts: list[int], at: int, good: list[bool]) -> None:
    rescued, wanted = Rescued(), {}
    for span, fine in zip(spans(sorted({0, *cuts, 12})), good, strict=False):
        rows = np.arange(*span)
        if fine:
            rescued.done.append((span, {"y": rows * 10}))
        else:
            rescued.failed.append((span, ValueError("no")))
        wanted |= {int(row): int(row) * 10 if fine else None for row in rows}
    found: dict[int, int | None] = {}
    for side, offset in zip(split(rescued, at, 12), (0, at), strict=True):
        assert isinstance(side, Rescued)
        for span, columns in side.done:
            rows = np.arange(*span) + offset
            found |= dict(zip(rows.tolist(), columns["y"].tolist(), strict=True))
        for span, _ in side.failed:
            found |= dict.fromkeys((np.arange(*span) + offset).tolist())
    assert found == wanted


def rows(number: list[int]) -> Asked:
    return Asked(np.array(number), ("full", "small"))


def asked(*counts: int, degrades: bool = False) -> tuple[Requests, list[RequestAnswer]]:
    """Open requests, and what they are told."""

    def unsure(
        outputs: Columns, variant: int, n: int
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.full(n, degrades)

    requests, told, first = Requests(lane=1, degrades=unsure), [], 10
    answers: list[RequestAnswer] = told
    for count in counts:
        inputs = {"x": np.zeros((count, 1))}
        made = requests.add(first, inputs, deadline_ns=100, now_ns=0, done=answers.append)
        assert made.number.tolist() == list(range(first, first + count))
        first += count
    return requests, answers


def test_an_answer_waits_for_all_its_rows_and_has_them_in_their_order() -> None:
    requests, told = asked(3, 2)
    requests.conclude(rows([11, 13]), {"y": np.array([1, 30])}, variant=0, now_ns=50)
    assert (told, requests.waiting) == ([], 3)
    requests.conclude(rows([10, 12]), {"y": np.array([0, 2])}, variant=1, now_ns=60)
    (answer,) = told
    assert (answer.kind, answer.variant, answer.outputs["y"].tolist()) == (
        "on_time",
        "small",
        [0, 1, 2],
    )
    requests.conclude(rows([14]), {"y": np.array([31])}, variant=0, now_ns=101)
    assert (told[1].kind, told[1].outputs["y"].tolist()) == ("late", [30, 31])
    assert (requests.waiting, requests.counts) == (0, {"on_time": 1, "late": 1})


def test_one_row_that_is_shed_or_fails_is_the_whole_requests() -> None:
    requests, told = asked(2, 2, 1)
    requests.shed(np.array([11]), "expired")
    requests.conclude(rows([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.conclude(rows([12, 13]), ValueError("no"), variant=0, now_ns=1)
    requests.conclude(rows([14]), ModelError(Reason.STOPPED, "slow"), variant=0, now_ns=1)
    said = [(answer.kind, answer.reason) for answer in told]
    assert said == [("shed", "expired"), ("failed", "model_failed"), ("shed", "stopped")]
    assert requests.waiting == 0


def test_unsure_answers_are_degraded_and_the_end_is_told_to_all() -> None:
    requests, told = asked(1, 2, degrades=True)
    requests.conclude(rows([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.close()
    assert [answer.kind for answer in told] == ["degraded", "shed"]
    assert (told[1].reason, requests.waiting) == ("stopping", 0)


def test_what_ends_after_the_end_is_nobodys() -> None:
    requests, told = asked(1, 2)
    requests.conclude(rows([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.close()
    requests.conclude(rows([11, 12]), {"y": np.array([1, 2])}, variant=0, now_ns=1)
    requests.shed(np.array([11, 12]), "expired")
    assert [answer.kind for answer in told] == ["on_time", "shed"]


def test_rows_of_several_requests_may_come_in_one_run() -> None:
    requests, told = asked(2, 1, 2)
    requests.conclude(rows([10, 11, 12, 13, 14]), {"y": np.arange(5)}, variant=0, now_ns=1)
    assert [answer.outputs["y"].tolist() for answer in told] == [[0, 1], [2], [3, 4]]


def test_what_cannot_be_taken_in_leaves_no_trace() -> None:
    requests, told = asked()
    with pytest.raises(OverflowError):
        requests.add(10, {"x": np.zeros((2, 1))}, deadline_ns=2**63, now_ns=0, done=told.append)
    requests.close()
    assert (requests.waiting, told, requests.counts) == (0, [], {})


def test_batches_that_do_not_fit_one_another_are_one_requests_failure() -> None:
    requests, told = asked(2, 2)
    requests.conclude(rows([10]), {"y": np.zeros((1, 3))}, variant=0, now_ns=1)
    requests.conclude(rows([11]), {"y": np.zeros((1, 4))}, variant=0, now_ns=1)
    requests.conclude(rows([12]), {"y": np.zeros(1)}, variant=0, now_ns=1)
    requests.conclude(rows([13]), {"z": np.zeros(1)}, variant=0, now_ns=1)
    assert [(answer.kind, answer.reason) for answer in told] == [("failed", "model_failed")] * 2


def test_too_few_answers_are_none_to_any_row() -> None:
    """Cut off at the events' last row, they would look as if they were theirs."""
    for side in split({"y": np.arange(4)}, 3, 5):
        assert isinstance(side, ValueError)


def test_a_batch_has_rows_of_one_kind_and_events_come_first() -> None:
    requests, told = Requests(lane=1), list[RequestAnswer]()

    def add(first: int, width: int, dtype: str = "float64") -> EventBatch:
        inputs = {"x": np.zeros((2, width), dtype)}
        return requests.add(first, inputs, deadline_ns=100, now_ns=0, done=told.append)

    joined, known = requests.begin([], [add(0, 1), add(2, 3), add(4, 1), add(6, 1, "float32")])
    assert joined is not None
    assert known is not None
    assert joined.number.tolist() == known.number.tolist() == [0, 1, 4, 5]
    assert [(answer.kind, answer.reason) for answer in told] == [("failed", "unlike")] * 2
    assert requests.like is None
    like_event = add(8, 3)
    joined, known = requests.begin([like_event], [add(10, 1)])
    assert (joined, known, len(told)) == (None, None, 3)
    assert requests.like == {"x": ("float64", (3,))}
