"""Several workers' gauges are one pipeline's."""

from streamproc.core import TopicPartition
from streamproc.runtime.workers.totals import total
from streamproc.telemetry import Gauges, ReorderStates, WorkerStates

STATES = WorkerStates({"ready": 2}, restarts=1, cpu_seconds=0.5)


def test_what_waits_and_what_is_wanted_add_up() -> None:
    one = Gauges(
        queue_depth=3,
        lane_depths={"high": 1, "default": 2},
        demand_workers=0.5,
        variant_level=0,
        lag_records={TopicPartition("t", 0): 4},
        loop_lag_seconds=0.001,
        reordered=ReorderStates(waiting=2, forced=1),
    )
    two = Gauges(
        queue_depth=4,
        lane_depths={"high": 4, "default": 0},
        demand_workers=1.25,
        variant_level=1,
        lag_records={TopicPartition("t", 1): 5},
        loop_lag_seconds=0.002,
        reordered=ReorderStates(waiting=3, forced=4),
    )
    whole = total([one, two], STATES)
    assert whole.queue_depth == 7
    assert whole.lane_depths == {"high": 5, "default": 2}
    assert whole.demand_workers == 1.75
    assert whole.variant_level == 1
    assert whole.lag_records == {TopicPartition("t", 0): 4, TopicPartition("t", 1): 5}
    assert whole.reordered == ReorderStates(waiting=5, forced=5)
    assert (whole.loop_lag_seconds, whole.workers) == (0.002, STATES)


def test_before_any_has_told_nothing_is_measured() -> None:
    whole = total([], STATES)
    assert (whole.queue_depth, whole.demand_workers, whole.variant_level) == (0, None, None)
    assert whole.reordered is None
