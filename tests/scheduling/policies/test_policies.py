"""The shed policies as functions: examples, bounds, and slow forms that agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Duration
from streamproc.scheduling import CoDel, SkipAhead, TailDrop
from streamproc.scheduling.policies import (
    ControlledDelay,
    Skipper,
    excess,
    least_worth,
    superseded,
)

MS = 1_000_000


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_only_the_newest_of_each_key_is_not_superseded(keys: list[int]) -> None:
    marked = superseded(np.array(keys)).tolist()
    assert marked == [key in keys[place + 1 :] for place, key in enumerate(keys)]


def kept_by_a_loop(deadline_ns: list[int], run_ns: list[int]) -> int:
    """Full batches one behind the other; an event that is late gives its place to the next."""
    kept = 0
    for deadline in deadline_ns:
        batches, place = divmod(kept, len(run_ns))
        if batches * run_ns[-1] + run_ns[place] <= deadline:
            kept += 1
    return kept


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 60), max_size=20).map(sorted),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(-(10**12), 10**12),
)
def test_the_excess_agrees_with_a_loop(deadline_ns: list[int], step: list[int], shift: int) -> None:
    run_ns = np.cumsum(step)
    found = excess(np.array(deadline_ns, np.int64) + shift, now_ns=shift, run_ns=run_ns, send_ns=0)
    assert found == len(deadline_ns) - kept_by_a_loop(deadline_ns, run_ns.tolist())


def test_two_executors_have_less_excess() -> None:
    deadline_ns = np.full(10, 10)
    found = [
        excess(deadline_ns, now_ns=0, run_ns=np.array([5]), send_ns=0, slots=n) for n in (1, 2, 5)
    ]
    assert found == [8, 6, 0]


def test_the_least_worth_go_first_and_of_equal_ones_the_first() -> None:
    assert least_worth(np.array([2.0, 1.0, 3.0, 1.0]), 1).tolist() == [False, True, False, False]
    assert least_worth(np.array([2.0, 1.0, 3.0, 1.0]), 3).tolist() == [True, True, False, True]


def test_controlled_delay_leaves_a_burst_alone_and_shortens_a_standing_queue() -> None:
    codel = ControlledDelay(CoDel(Duration.parse("5ms"), Duration.parse("100ms")))
    assert codel.excess(0, 50 * MS) == 0  # 50 ms of waiting, for the first time
    assert codel.excess(140 * MS, 141 * MS) == 0  # it drained within the interval
    drops = [codel.excess(now - 20 * MS, now) for now in range(200 * MS, 800 * MS, 10 * MS)]
    assert sum(drops[:10]) == 0
    assert sum(drops[:11]) == 1, "the first after a whole interval"
    assert sum(drops[40:]) > sum(drops[:20]), "ever more often"


def test_controlled_delay_begins_anew_when_the_queue_was_short() -> None:
    codel = ControlledDelay(CoDel(Duration.parse("5ms"), Duration.parse("100ms")))
    for now in range(0, 500 * MS, 10 * MS):
        codel.excess(now - 20 * MS, now)
    assert codel.excess(500 * MS, 501 * MS) == 0
    assert codel.excess(480 * MS, 510 * MS) == 0


def test_a_long_old_backlog_is_jumped_over_and_a_short_or_young_one_is_not() -> None:
    second = 1_000 * MS
    skipper = Skipper(SkipAhead(min_records=100), budget_ns=2 * second)
    now_ns = 60 * second

    def target(behind: int, newest_ns: int, at_ns: int = now_ns) -> int | None:
        return skipper.target_ns(
            0, behind=behind, newest_ns=newest_ns, soonest_ns=10 * MS, now_ns=at_ns
        )

    assert target(99, 0) is None
    assert target(100, now_ns - second) is None
    assert target(100, 0) == now_ns - 2 * second + 10 * MS
    assert target(100, 0) is None, "not again before the first fetch behind it"
    assert target(100, 0, now_ns + second) == now_ns - second + 10 * MS


def test_a_queue_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="max_queue must be at least 1, was 0"):
        TailDrop(max_queue=0)
