"""A cascade in a pipeline: what a cheap variant is unsure of goes on to a better one, where there is time."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import JsonCodec
from streamproc.core import Columns, ConfigError, Outcome
from streamproc.executors import Cascade, Model, ModelVariant, Remote, Simulated
from streamproc.scheduling import Batching, Lane
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    TestResult,
    assert_accounts,
    assert_no_on_time_after_deadline,
)
from tests.engine.pipelines import MS, pipeline, within

VARIANTS = (
    ModelVariant("full", quality=1.0, executor=Simulated()),
    ModelVariant("small", quality=0.9, executor=Simulated()),
)

FAR = ModelVariant("far", quality=1.0, executor=Remote("http://nowhere:1/v2/models/m"))


def small(inputs: Columns) -> Columns:
    """A score of two: it is as far from sure as the event's number is odd."""
    x = inputs["input"][:, 0]
    first = np.where(x % 2 == 1, 0.55, 0.9)
    return {"output": np.stack([first, 1 - first], axis=1)}


def full(inputs: Columns) -> Columns:
    """Is sure of the other one."""
    x = inputs["input"][:, 0]
    return {"output": np.stack([0.01 + 0 * x, 0.99 + 0 * x], axis=1)}


def made(
    *,
    small_ns: int = MS,
    full_ns: int = 10 * MS,
    executors: list[FakeExecutor] | None = None,
    unsure: str = "margin < 0.2",
    variants: tuple[ModelVariant, ...] = VARIANTS,
    **changes: Any,
) -> PipelineTest:
    parts: dict[str, Any] = {
        "model": Model(variants=variants, cascade=Cascade(unsure=unsure)),
        "batching": Batching(max_size=64),
    }
    ours = [
        FakeExecutor(full, fixed_ns=full_ns),
        FakeExecutor(small, fixed_ns=small_ns, variant="small"),
    ]
    return PipelineTest(pipeline(**(parts | changes)), executor=executors or ours)


def decided(result: TestResult) -> dict[float, tuple[str, str]]:
    """By event: the outcome, and the variant that decided."""
    return {d.offset: (d.outcome, d.model["variant"]) for d in result.decisions}


def sound(result: TestResult, events: int) -> None:
    assert_accounts(result.summary)
    assert result.summary["consumed"] == events
    assert result.in_flight == 0
    assert_no_on_time_after_deadline(
        result.decisions, result.acknowledged_ns, acked_late=result.accounts.acked_late
    )


def test_what_is_sure_is_the_cheap_ones_and_in_time_and_the_rest_the_better_ones() -> None:
    test = made()
    for n in range(4):
        test.send("ticks", {"x": n})
    result = test.run()
    sound(result, 4)
    assert decided(result) == {
        0: ("on_time", "small"),
        1: ("on_time", "full"),
        2: ("on_time", "small"),
        3: ("on_time", "full"),
    }
    assert [d.output[0] for d in sorted(result.decisions, key=lambda d: d.offset)] == pytest.approx(
        [0.9, 0.01, 0.9, 0.01]
    )
    assert result.accounts.verdicts == {
        (1, "sure"): 2,
        (1, "escalated"): 2,
        (0, "sure"): 2,
    }
    assert result.accounts.variants[1][0] == 4
    assert result.accounts.variants[0][0] == 2


def test_where_the_better_one_would_be_late_the_cheap_answer_stands_and_says_so() -> None:
    test = made(full_ns=95 * MS)
    test.send("ticks", {"x": 1})
    test.send("ticks", {"x": 2})
    result = test.run()
    sound(result, 2)
    assert decided(result) == {0: ("degraded", "small"), 1: ("on_time", "small")}
    assert result.accounts.verdicts == {(1, "sure"): 1, (1, "no_time"): 1}
    (stood,) = [d for d in result.decisions if d.outcome == "degraded"]
    assert stood.decided_ns < stood.deadline_ns - 50 * MS  # at once, not at the last moment


def test_a_better_one_that_is_slower_than_it_said_does_not_make_the_answer_late() -> None:
    test = made()
    test.executors[0].slow_down(fixed_ns=500 * MS)
    test.send("ticks", {"x": 1})
    result = test.run()
    sound(result, 1)
    assert decided(result) == {0: ("degraded", "small")}
    assert result.accounts.settled == {(Outcome.DEGRADED, ""): 1}
    assert result.accounts.verdicts == {(1, "no_time"): 1}


def test_a_better_one_that_fails_costs_nobody_an_answer() -> None:
    test = made()
    test.executors[0].fail(runs=99)
    for n in range(4):
        test.send("ticks", {"x": n})
    result = test.run()
    sound(result, 4)
    assert Counter(decided(result).values()) == {("on_time", "small"): 2, ("degraded", "small"): 2}
    assert result.accounts.verdicts == {(1, "sure"): 2, (1, "failed"): 2}


def test_of_a_batch_on_which_the_better_one_fails_in_part_the_others_have_its_answers() -> None:
    def poisoned(inputs: Columns) -> Columns:
        if (inputs["input"] == 3).any():
            msg = "poison"
            raise ValueError(msg)
        return full(inputs)

    test = made(executors=[FakeExecutor(poisoned), FakeExecutor(small, variant="small")])
    for n in (1, 3, 5, 7):
        test.send("ticks", {"x": n})
    result = test.run()
    sound(result, 4)
    assert decided(result) == {
        0: ("on_time", "full"),
        1: ("degraded", "small"),
        2: ("on_time", "full"),
        3: ("on_time", "full"),
    }


def test_an_answer_that_is_no_number_is_no_better_one() -> None:
    test = made(
        executors=[
            FakeExecutor(lambda inputs: full(inputs)["output"] * np.nan),
            FakeExecutor(small, variant="small"),
        ]
    )
    test.send("ticks", {"x": 1})
    assert decided(test.run()) == {0: ("degraded", "small")}


def test_the_first_stage_never_waits_for_a_batch_of_the_second() -> None:
    """Odd events come now and then, even ones all the time: these are late where the second stage holds the executor."""
    test = made(small_ns=2 * MS, full_ns=20 * MS)
    start_ns = test.now_ns
    for n in range(1_000):
        test.send("ticks", {"x": n % 10}, at_ns=start_ns + n * MS)
    result = test.run()
    sound(result, 1_000)
    assert result.summary["outcomes"]["on_time"] + result.summary["outcomes"]["degraded"] == 1_000
    verdicts = result.accounts.verdicts
    assert verdicts[1, "sure"] == 500
    assert verdicts[1, "escalated"] > 100  # in the time that was left


def test_under_load_that_the_first_stage_fills_nothing_is_escalated_and_all_is_in_time() -> None:
    test = made(small_ns=5 * MS, full_ns=50 * MS, batching=Batching(max_size=4))
    start_ns = test.now_ns
    for n in range(800):  # 800/s: all that batches of 4 in 5 ms can do
        test.send("ticks", {"x": 1}, at_ns=start_ns + n * 5 * MS // 4)
    result = test.run()
    sound(result, 800)
    assert result.summary["outcomes"]["degraded"] > 780
    assert result.summary["outcomes"]["late"] == 0


@pytest.mark.parametrize("ordering", ["key", "partition"])
def test_order_is_kept_and_others_do_not_wait(ordering: str) -> None:
    test = made(
        ordering=ordering,
        full_ns=30 * MS,
        key="k",
        codec=JsonCodec(fields={"x": "float64", "k": "str"}),
    )
    for n, key in ((1, "a"), (2, "a"), (4, "b"), (6, "a")):
        test.send("ticks", {"x": n, "k": key}, partition=0)
    result = test.run()
    sound(result, 4)
    sent = [d.offset for d in result.decisions]
    assert sent == ([2, 0, 1, 3] if ordering == "key" else [0, 1, 2, 3])


def test_without_order_nobody_waits() -> None:
    test = made(ordering="none", full_ns=30 * MS)
    for n in (1, 2, 4):
        test.send("ticks", {"x": n}, key="a")
    assert [d.offset for d in test.run().decisions] == [1, 2, 0]


def test_who_waits_for_a_better_answer_lets_go_when_one_behind_it_must_leave() -> None:
    """The event behind is of a lane with a smaller budget: it may not be late for a better answer to the one before."""
    lanes = (Lane("urgent", "x == 2", budget=within("40ms").budget),)
    test = made(
        variants=(FAR, VARIANTS[1]),
        full_ns=20 * MS,
        ordering="key",
        lanes=lanes,
        deadline=within("500ms"),
    )
    test.executors[0].slow_down(fixed_ns=200 * MS)
    start_ns = test.now_ns
    test.send("ticks", {"x": 1}, key="a", at_ns=start_ns)
    test.send("ticks", {"x": 2}, key="a", at_ns=start_ns + 20 * MS)
    result = test.run()
    sound(result, 2)
    assert [(d.offset, d.outcome) for d in result.decisions] == [(0, "degraded"), (1, "on_time")]
    assert result.decisions[0].decided_ns < start_ns + 60 * MS


def test_a_stage_on_another_machine_takes_nobodys_place() -> None:
    far = FakeExecutor(full, fixed_ns=30 * MS, variant="far", inline=False)
    near = FakeExecutor(small, fixed_ns=5 * MS, variant="small")
    test = made(
        variants=(FAR, VARIANTS[1]),
        executors=[far, near],
        batching=Batching(max_size=4),
        ordering="none",
    )
    start_ns = test.now_ns
    for n in range(400):
        test.send("ticks", {"x": n % 2}, at_ns=start_ns + n * 5 * MS // 2)
    result = test.run()
    sound(result, 400)
    assert result.summary["outcomes"]["on_time"] > 390
    assert result.accounts.verdicts[1, "escalated"] > 180


def test_three_stages() -> None:
    variants = (*VARIANTS, ModelVariant("tiny", quality=0.5, executor=Simulated()))

    def scores(sure_from: float, name: str) -> FakeExecutor:
        def answer(inputs: Columns) -> Columns:
            first = np.where(inputs["input"][:, 0] >= sure_from, 0.9, 0.55)
            return {"output": np.stack([first, 1 - first], axis=1)}

        return FakeExecutor(answer, fixed_ns=MS, variant=name)

    test = made(
        variants=variants,
        executors=[scores(9, "full"), scores(1, "small"), scores(2, "tiny")],
    )
    for n in range(3):
        test.send("ticks", {"x": n})
    result = test.run()
    sound(result, 3)
    assert decided(result) == {
        0: ("on_time", "full"),
        1: ("on_time", "small"),
        2: ("on_time", "tiny"),
    }
    assert result.accounts.verdicts == {
        (2, "sure"): 1,
        (2, "escalated"): 2,
        (1, "sure"): 1,
        (1, "escalated"): 1,
        (0, "sure"): 1,
    }


def test_what_is_handed_back_is_not_answered() -> None:
    test = made(full_ns=50 * MS)
    test.send("ticks", {"x": 1})
    test.revoke(("ticks", 0), at_ns=test.now_ns + 10 * MS)
    result = test.run()
    assert not result.decisions
    assert result.final["ticks/0/0"][-1].outcome == "handed_back"
    assert result.in_flight == 0
    assert test._engine._escalation is not None
    assert test._engine._escalation.wake_ns is None


def test_with_transactions_each_is_answered_once() -> None:
    test = made(delivery="exactly_once", deadline=within("500ms"))
    for n in range(20):
        test.send("ticks", {"x": n}, at_ns=test.now_ns + n * 5 * MS)
    test.call(test.sink.fail_commits, at_ns=test.now_ns + 40 * MS)
    result = test.run()
    assert_accounts(result.summary)
    assert result.in_flight == 0
    assert decided(result) == {n: ("on_time", "full" if n % 2 else "small") for n in range(20)}
    assert len(result.decisions) == 20


def test_a_condition_must_fit_the_model() -> None:
    with pytest.raises(ConfigError, match=r"model\.cascade\.unsure"):
        made(unsure="margn < 0.2")
    with pytest.raises(ConfigError, match="must be a condition"):
        made(unsure="margin")


@given(
    x=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60),
    ordering=st.sampled_from(["none", "key", "partition"]),
    full_ms=st.integers(1, 30),
    slow=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_whatever_comes_the_books_add_up_order_holds_and_nothing_is_asked_for_in_vain(
    x: list[tuple[int, int]], ordering: str, full_ms: int, slow: bool
) -> None:
    test = made(full_ns=full_ms * MS, ordering=ordering, batching=Batching(max_size=8))
    at_ns = test.now_ns
    if slow:
        test.executors[0].slow_down(fixed_ns=10 * full_ms * MS)
    for n, (number, gap_ms) in enumerate(x):
        at_ns += gap_ms * MS
        test.send("ticks", {"x": number}, key=str(number // 2), partition=n % 2 * 0, at_ns=at_ns)
    result = test.run()
    sound(result, len(x))
    if not slow:  # else what comes while the second stage has the executor may be late
        assert result.summary["outcomes"]["late"] == 0
    by: dict[str | None, list[int]] = {}
    for decision in result.decisions:
        group = {"none": decision.id, "key": decision.key, "partition": ""}[ordering]
        by.setdefault(group, []).append(decision.offset)
    assert all(offsets == sorted(offsets) for offsets in by.values())
