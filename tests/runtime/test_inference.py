"""A batch's way through the variants of a model."""

import numpy as np

from streamproc.core import Columns, ModelError, ModelInfo, Reason, VirtualClock
from streamproc.engine import Infer, Rescued
from streamproc.runtime.inference import attempt, try_again
from streamproc.testing import FakeExecutor

OPEN = ModelError(Reason.MODEL_UNAVAILABLE, "left alone")


def variants(*open_: int) -> list[FakeExecutor]:
    """Three, which answer with their number; some of them are not available."""

    def answer(number: int) -> FakeExecutor:
        executor = FakeExecutor(
            lambda inputs: np.full((len(inputs["x"]), 1), number), clock=VirtualClock()
        )
        if number in open_:
            executor.fail(OPEN, runs=9)
        return executor

    return [answer(number) for number in range(3)]


def infer(variant: int) -> Infer:
    return Infer(1, 2, {"x": np.zeros((2, 1))}, variant)


def decided_by(variant: int, *open_: int) -> int | Exception:
    ran = attempt(variants(*open_), infer(variant), VirtualClock())
    if isinstance(ran.outputs, Exception):
        return ran.outputs
    assert not isinstance(ran.outputs, Rescued)
    assert ran.outputs["output"][0, 0] == ran.variant
    return ran.variant


def test_the_variant_that_is_asked_for_runs() -> None:
    assert [decided_by(n) for n in range(3)] == [0, 1, 2]


def test_one_that_is_left_alone_is_stood_in_for_by_a_cheaper_one_or_else_a_better_one() -> None:
    assert decided_by(0, 0) == 1
    assert decided_by(0, 0, 1) == 2
    assert decided_by(2, 2) == 1
    assert decided_by(1, 1, 2) == 0
    assert decided_by(1, 0, 1, 2) is OPEN


class Asked:
    """Stands for a server: remembers by when it was to answer."""

    concurrency, inline = 1, False
    info = ModelInfo("far", "none")

    def __init__(self) -> None:
        self.by: list[int | None] = []

    def run(self, inputs: Columns) -> Columns:
        return self.run_by(inputs, None)

    def run_by(
        self, inputs: Columns, deadline_ns: int | None, until_ns: int | None = None
    ) -> Columns:
        self.by.append(deadline_ns)
        raise OPEN

    def close(self) -> None:
        """Nothing is held."""


def test_who_can_give_up_in_time_is_told_by_when_and_a_cheaper_one_decides() -> None:
    far, near = Asked(), variants()[1]
    batch = Infer(1, 2, {"x": np.zeros((2, 1))}, 0, deadline_ns=77)
    ran = attempt([far, near], batch, VirtualClock())
    assert (far.by, ran.variant, near.sizes) == ([77], 1, [2])


def test_another_failure_is_no_reason_for_another_variant() -> None:
    executors = variants()
    executors[0].fail(ValueError("no"))
    ran = attempt(executors, infer(0), VirtualClock())
    assert (ran.variant, str(ran.outputs)) == (0, "no")
    assert executors[1].sizes == []


def test_what_failed_is_tried_again_by_the_same_variant() -> None:
    def no_ones(inputs: Columns) -> Columns:
        if (inputs["x"] == 1).any():
            raise ValueError
        return inputs

    executors = [FakeExecutor(), FakeExecutor(no_ones)]
    some = Infer(1, 4, {"x": np.array([[0], [1], [2], [3]])}, 1)
    clock = VirtualClock()
    ran = try_again(executors, some, attempt(executors, some, clock), clock)
    assert isinstance(ran.outputs, Rescued)
    assert [span for span, _ in ran.outputs.failed] == [(1, 2)]
    assert executors[0].sizes == []


def test_what_went_well_is_left_as_it_is() -> None:
    executors, clock = variants(), VirtualClock()
    ran = attempt(executors, infer(0), clock)
    assert try_again(executors, infer(0), ran, clock) is ran


def test_a_batch_of_a_further_stage_is_answered_by_its_own_variant_or_not_at_all() -> None:
    executors = variants(0)
    batch = Infer(1, 2, {"x": np.zeros((2, 1))}, 0, alone=True)
    assert attempt(executors, batch, VirtualClock()).outputs is OPEN
    assert [executor.sizes for executor in executors[1:]] == [[], []]
