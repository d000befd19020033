"""A model's failure is found down to the rows at fault."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Columns, ModelError, Reason
from streamproc.engine import rescue
from streamproc.engine.isolate import CALLS_MAX
from streamproc.engine.rescue import DEATHS_MAX, Rescued, reason_of
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import pipeline, within

CRASH = ModelError(Reason.MODEL_CRASHED, "it died")


def rows(size: int) -> Columns:
    return {"x": np.arange(size)}


class Model:
    """Fails on some rows; counts."""

    def __init__(self, bad: set[int], error: Callable[[], Exception]) -> None:
        self.bad, self.error = bad, error
        self.calls = self.failures = 0

    def run(self, inputs: Columns) -> Columns:
        self.calls += 1
        if self.bad & set(inputs["x"].tolist()):
            self.failures += 1
            raise self.error()
        return {"y": -inputs["x"]}


def check(found: Rescued, size: int) -> set[int]:
    """Every row has one end, and its own output; gives those that failed."""
    done = [row for span, _ in found.done for row in range(*span)]
    failed = [row for span, _ in found.failed for row in range(*span)]
    assert sorted(done + failed) == list(range(size))
    assert done == sorted(done)
    assert [-n for _, out in found.done for n in out["y"].tolist()] == done
    return set(failed)


@given(st.integers(1, 300), st.sets(st.integers(0, 299), min_size=1, max_size=3))
def test_few_that_raise_are_found(size: int, bad: set[int]) -> None:
    bad = {row % size for row in bad}
    model = Model(bad, lambda: ValueError("no"))
    found = rescue(model.run, rows(size), size, ValueError("no"))
    assert check(found, size) == bad
    assert model.calls <= CALLS_MAX


@given(st.integers(1, 256), st.integers(0, 255))
def test_one_that_kills_costs_few_processes(size: int, poison: int) -> None:
    model = Model({poison % size}, lambda: CRASH)
    found = rescue(model.run, rows(size), size, CRASH)
    assert check(found, size) == {poison % size}
    assert model.failures <= 10


@given(st.integers(1, 300), st.sets(st.integers(0, 299)))
def test_the_deaths_are_bounded(size: int, bad: set[int]) -> None:
    model = Model(bad, lambda: CRASH)
    check(rescue(model.run, rows(size), size, CRASH), size)
    assert model.failures <= DEATHS_MAX


@given(st.integers(2, 256), st.integers(0, 255))
def test_one_culprit_never_fails_four_times_without_an_answer_between(size: int, bad: int) -> None:
    """A breaker must be able to tell it from a model that answers nothing."""
    streak = longest = 0
    model = Model({bad % size}, lambda: CRASH)

    def run(inputs: Columns) -> Columns:
        nonlocal streak, longest
        try:
            outputs = model.run(inputs)
        except ModelError:
            streak += 1
            longest = max(longest, streak)
            raise
        streak = 0
        return outputs

    rescue(run, rows(size), size, CRASH)
    assert longest <= 3


def test_a_process_that_somebody_killed_costs_nothing() -> None:
    model = Model(set(), lambda: CRASH)
    found = rescue(model.run, rows(7), 7, CRASH)
    assert check(found, 7) == set()
    assert model.calls == 1


def test_an_unavailable_model_is_not_asked_again() -> None:
    error = ModelError(Reason.MODEL_UNAVAILABLE, "left alone")
    model = Model(set(), lambda: error)
    found = rescue(model.run, rows(5), 5, error)
    assert check(found, 5) == set(range(5))
    assert model.calls == 0


def test_when_the_breaker_opens_in_between_the_rest_fails_as_a_whole() -> None:
    errors = iter([CRASH, CRASH])
    left_alone = ModelError(Reason.MODEL_UNAVAILABLE, "left alone")
    model = Model(set(range(16)), lambda: next(errors, left_alone))
    found = rescue(model.run, rows(16), 16, CRASH)
    assert check(found, 16) == set(range(16))
    assert model.calls == 3


def test_outputs_that_are_not_one_a_row_are_no_answer() -> None:
    found = rescue(lambda _: {"y": np.zeros(1)}, rows(2), 2, ValueError())
    assert [span for span, _ in found.done] == [(0, 1), (1, 2)]
    found = rescue(lambda _: {"y": np.zeros(3)}, rows(2), 2, ValueError())
    assert {str(error) for _, error in found.failed} == {"the model gave [3] as 'y' for 1 events"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no"), ("model_failed", "ValueError: no")),
        (CRASH, ("model_crashed", "it died")),
    ],
)
def test_reasons(error: Exception, reason: tuple[str, str]) -> None:
    assert reason_of(error) == reason


def test_in_a_pipeline_the_poison_alone_becomes_a_dead_letter() -> None:
    def model(inputs: Columns) -> Columns:
        if (inputs["input"] == 13).any():
            raise CRASH
        return inputs

    test = PipelineTest(
        pipeline(deadline=within("60s")),
        executor=FakeExecutor(model),
        partitions=2,
    )
    for n in range(20):
        test.send("ticks", {"x": n}, partition=n % 2)
    result = test.run()
    (letter,) = result.dead_letters
    assert (letter.reason, letter.detail) == ("model_crashed", "it died")
    assert sorted(decision.output[0] for decision in result.decisions) == [
        n for n in range(20) if n != 13
    ]
