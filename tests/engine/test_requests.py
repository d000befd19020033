"""Rows of requests: what became of a run is divided between them and the events, and gathered again."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Columns, ModelError, Reason
from streamproc.engine import RequestAnswer, Requests, Rescued
from streamproc.engine.isolate import Span
from streamproc.engine.requests import split


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
    for side, offset in zip(split(rescued, at), (0, at), strict=True):
        assert isinstance(side, Rescued)
        for span, columns in side.done:
            rows = np.arange(*span) + offset
            found |= dict(zip(rows.tolist(), columns["y"].tolist(), strict=True))
        for span, _ in side.failed:
            found |= dict.fromkeys((np.arange(*span) + offset).tolist())
    assert found == wanted


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
        rows = requests.add(first, inputs, deadline_ns=100, now_ns=0, done=answers.append)
        assert rows.number.tolist() == list(range(first, first + count))
        first += count
    return requests, answers


def test_an_answer_waits_for_all_its_rows_and_has_them_in_their_order() -> None:
    requests, told = asked(3, 2)
    requests.conclude(np.array([11, 13]), {"y": np.array([1, 30])}, variant=0, now_ns=50)
    assert (told, requests.waiting) == ([], 3)
    requests.conclude(np.array([10, 12]), {"y": np.array([0, 2])}, variant=1, now_ns=60)
    (answer,) = told
    assert (answer.kind, answer.variant, answer.outputs["y"].tolist()) == ("on_time", 1, [0, 1, 2])
    requests.conclude(np.array([14]), {"y": np.array([31])}, variant=0, now_ns=101)
    assert (told[1].kind, told[1].outputs["y"].tolist()) == ("late", [30, 31])
    assert (requests.waiting, requests.counts) == (0, {"on_time": 1, "late": 1})


def test_one_row_that_is_shed_or_fails_is_the_whole_requests() -> None:
    requests, told = asked(2, 2, 1)
    requests.shed(np.array([11]), "expired")
    requests.conclude(np.array([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.conclude(np.array([12, 13]), ValueError("no"), variant=0, now_ns=1)
    requests.conclude(np.array([14]), ModelError(Reason.STOPPED, "slow"), variant=0, now_ns=1)
    said = [(answer.kind, answer.reason) for answer in told]
    assert said == [("shed", "expired"), ("failed", "model_failed"), ("shed", "stopped")]
    assert requests.waiting == 0


def test_unsure_answers_are_degraded_and_the_end_is_told_to_all() -> None:
    requests, told = asked(1, 2, degrades=True)
    requests.conclude(np.array([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.close()
    assert [answer.kind for answer in told] == ["degraded", "shed"]
    assert (told[1].reason, requests.waiting) == ("stopping", 0)


def test_what_ends_after_the_end_is_nobodys() -> None:
    requests, told = asked(1, 2)
    requests.conclude(np.array([10]), {"y": np.array([0])}, variant=0, now_ns=1)
    requests.close()
    requests.conclude(np.array([11, 12]), {"y": np.array([1, 2])}, variant=0, now_ns=1)
    requests.shed(np.array([11, 12]), "expired")
    assert [answer.kind for answer in told] == ["on_time", "shed"]


def test_rows_of_several_requests_may_come_in_one_run() -> None:
    requests, told = asked(2, 1, 2)
    requests.conclude(np.array([10, 11, 12, 13, 14]), {"y": np.arange(5)}, variant=0, now_ns=1)
    assert [answer.outputs["y"].tolist() for answer in told] == [[0, 1], [2], [3, 4]]
