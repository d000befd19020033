"""A batch that still runs when it is worth nothing any more is stopped, and its events are accounted for."""

from typing import Any

import pytest

from streamproc.core import Outcome, Reason
from streamproc.executors import Model, ModelVariant, Simulated
from streamproc.scheduling import Batching
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    assert_accounts,
    assert_no_on_time_after_deadline,
)
from tests.engine.pipelines import MS, pipeline, within

FULL = ModelVariant("full", quality=1.0, executor=Simulated())
SMALL = ModelVariant("small", quality=0.9, executor=Simulated())


def made(
    *,
    small: FakeExecutor | None = None,
    full: FakeExecutor | None = None,
    stop_late: bool | None = None,
    **changes: Any,
) -> PipelineTest:
    """A model that takes 10 ms, and beside it perhaps one that takes 1 ms."""
    variants = (FULL, SMALL) if small else (FULL,)
    parts: dict[str, Any] = {
        "model": Model(variants=variants, stop_late=stop_late),
        "batching": Batching(max_size=8),
        "deadline": within("100ms"),
    }
    full = full or FakeExecutor(fixed_ns=10 * MS)
    return PipelineTest(pipeline(**(parts | changes)), executor=[full, small] if small else [full])


def small_one() -> FakeExecutor:
    return FakeExecutor(lambda inputs: -inputs["input"], fixed_ns=MS, variant="small")


def test_a_cheaper_variant_answers_in_time_what_the_better_one_takes_too_long_for() -> None:
    small = small_one()
    test = made(small=small)
    test.executor.slow_down(fixed_ns=300 * MS)
    for n in range(3):
        test.send("ticks", {"x": n + 1})
    result = test.run()
    assert_accounts(result.summary)
    assert_no_on_time_after_deadline(result.decisions, result.acknowledged_ns)
    said = {(d.outcome, d.model["variant"]) for d in result.decisions}
    assert said == {("degraded", "small")}
    assert [d.output for d in result.decisions] == [[-1.0], [-2.0], [-3.0]]
    assert test.executor.stopped == 1


def test_what_runs_as_long_as_it_was_planned_to_is_never_stopped() -> None:
    small = small_one()
    test = made(small=small, full=FakeExecutor(fixed_ns=30 * MS))
    for n in range(3):
        test.send("ticks", {"x": n}, at_ns=test.now_ns + n * 200 * MS)
    result = test.run()
    assert {(d.outcome, d.model["variant"]) for d in result.decisions} == {("on_time", "full")}
    assert test.executor.stopped == 0


def test_what_could_be_saved_is_decided_and_the_rest_of_the_batch_is_shed() -> None:
    """One event of the batch has no time left when it is stopped: the others' deadlines say when that is."""
    small = small_one()
    test = made(small=small, deadline=within("60ms"))
    test.executor.slow_down(fixed_ns=300 * MS)
    now_ns = test.now_ns
    late = {"x-deadline-ns": str(now_ns + 45 * MS)}
    test.send("ticks", {"x": 1}, headers=late, key="a")
    test.send("ticks", {"x": 2}, key="b")
    result = test.run()
    assert_accounts(result.summary)
    assert [(d.offset, d.outcome) for d in result.decisions] == [(1, "degraded")]
    assert result.accounts.settled == {
        (Outcome.DEGRADED, ""): 1,
        (Outcome.SHED, Reason.STOPPED): 1,
    }


@pytest.mark.parametrize(
    ("late", "stop_late", "stopped"),
    [
        ("publish", None, False),
        ("publish", True, True),
        ("drop", None, True),
        ("drop", False, False),
    ],
)
def test_without_a_cheaper_variant_it_is_stopped_where_a_late_answer_is_worth_nothing(
    late: str, stop_late: bool | None, stopped: bool
) -> None:
    test = made(late=late, stop_late=stop_late)
    test.executor.slow_down(fixed_ns=300 * MS)
    start_ns = test.now_ns
    test.send("ticks", {"x": 1})
    result = test.run()
    assert_accounts(result.summary)
    assert test.executor.stopped == stopped
    ended_ns = result.final["ticks/0/0"][-1].final_ns
    if stopped:
        assert result.accounts.settled == {(Outcome.SHED, Reason.STOPPED): 1}
        assert ended_ns <= start_ns + 100 * MS
    else:
        assert result.accounts.settled == {(Outcome.LATE, ""): 1}
        assert ended_ns >= start_ns + 300 * MS


def test_the_executor_is_free_for_others_and_its_slowness_is_learned() -> None:
    """A model that has become ten times slower: batches are stopped, and soon the cheaper variant is chosen at once."""
    small = small_one()
    test = made(small=small)
    start_ns = test.now_ns
    test.executor.slow_down(fixed_ns=100 * MS)
    for n in range(400):
        test.send("ticks", {"x": n}, at_ns=start_ns + n * 10 * MS)
    result = test.run()
    assert_accounts(result.summary)
    outcomes = result.summary["outcomes"]
    assert outcomes["degraded"] > 380
    assert outcomes["late"] == 0
    assert 1 <= test.executor.stopped < 40


def test_a_cheaper_variant_that_fails_too_saves_nobody() -> None:
    small = small_one()
    test = made(small=small)
    test.executor.slow_down(fixed_ns=300 * MS)
    small.fail(runs=99)
    test.send("ticks", {"x": 1})
    result = test.run()
    assert_accounts(result.summary)
    assert result.accounts.settled == {(Outcome.SHED, Reason.STOPPED): 1}


def test_what_was_stopped_before_it_could_be_done_teaches_no_time() -> None:
    """Events that cannot be in time are run all the same: that they are stopped does not make the model quick."""
    test = made(late="drop", shed=(), deadline=within("35ms"), full=FakeExecutor(fixed_ns=30 * MS))
    for n in range(20):
        test.send("ticks", {"x": n}, at_ns=test.now_ns + n * 50 * MS)
        test.send("ticks", {"x": n}, at_ns=test.now_ns + n * 50 * MS + 2 * MS)
    result = test.run()
    assert_accounts(result.summary)
    assert test.executor.stopped > 0
    assert test._engine._scheduler.predict_ns(0, 1) >= 29 * MS
