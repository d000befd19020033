"""Load 1: the best rate of the batches that are within the budget."""

import numpy as np
import pytest

from streamproc.replay.simulation import capacity_per_s, straight_line

MS = 1_000_000


@pytest.mark.parametrize(
    ("fixed_ms", "per_event_ms", "size_max", "budget_ms", "per_s"),
    [
        (2, 0.1, 64, 20, 64 / 0.0084),
        (2, 0.5, 64, 20, 36 / 0.020),  # 64 would take 34 ms
        (5, 1, 32, 20, 15 / 0.020),
        (1, 0.2, 16, 5, 16 / 0.0042),
        (2, 0.1, 64, 2, 0.0),  # not even one
    ],
)
def test_the_executors_of_the_benchmark(
    fixed_ms: float, per_event_ms: float, size_max: int, budget_ms: int, per_s: float
) -> None:
    fixed_ns, per_event_ns = round(fixed_ms * MS), round(per_event_ms * MS)
    run_ns = straight_line(fixed_ns=fixed_ns, per_event_ns=per_event_ns, size_max=size_max)
    assert capacity_per_s(run_ns, budget_ns=budget_ms * MS) == pytest.approx(per_s)
    both = capacity_per_s(run_ns, budget_ns=budget_ms * MS, executors=2)
    assert both == pytest.approx(2 * per_s)


def test_the_largest_batch_need_not_be_the_best() -> None:
    run_ns = np.array([1, 2, 30]) * MS
    assert capacity_per_s(run_ns, budget_ns=30 * MS) == pytest.approx(1_000.0)
