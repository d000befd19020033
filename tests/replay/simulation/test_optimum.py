"""The optimum: what a search of all schedules finds, and never less than any."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Int64Array
from streamproc.replay.simulation import exact, fluid_bound, optimum

Case = tuple[list[int], list[int], list[int]]
FAR_NS = 1_700_000_000_000_000_000


@st.composite
def cases(draw: st.DrawFn, *, agreeable: bool, events_max: int = 7) -> Case:
    """Arrivals, deadlines and run times, all small numbers, so that ties abound."""
    count = draw(st.integers(1, events_max))
    arrival = sorted(draw(st.lists(st.integers(0, 12), min_size=count, max_size=count)))
    budget = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    deadline = [came + left for came, left in zip(arrival, budget, strict=True)]
    if agreeable:
        deadline = np.maximum.accumulate(deadline).tolist()
    run = np.cumsum(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))) + 1
    return arrival, deadline, run.tolist()


def best_of_all(case: Case, *, executors: int = 1) -> int:
    """The most events in time, by trying every set of events as every executor's next batch."""
    arrival, deadline, run = case

    @cache
    def most(left: frozenset[int], free: tuple[int, ...]) -> int:
        found = 0
        for batch in _subsets(sorted(left), len(run)):
            start = max(free[0], *(arrival[event] for event in batch))
            end = start + run[len(batch) - 1]
            if end <= min(deadline[event] for event in batch):
                rest = most(left - set(batch), tuple(sorted((*free[1:], end))))
                found = max(found, len(batch) + rest)
        # An executor may also stay unused from here on.
        return max(found, most(left, free[1:]) if len(free) > 1 else 0)

    return most(frozenset(range(len(arrival))), (0,) * executors)


def _subsets(events: list[int], size_max: int) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for event in events:
        found += [(*batch, event) for batch in found if len(batch) < size_max]
    return found[1:]


def columns(
    case: Case, *, scale: int = 1, origin_ns: int = 0
) -> tuple[Int64Array, Int64Array, Int64Array]:
    arrival, deadline, run = (np.array(values, np.int64) * scale for values in case)
    return arrival + origin_ns, deadline + origin_ns, run


@given(cases(agreeable=True))
def test_exact_is_what_a_search_of_all_schedules_finds(case: Case) -> None:
    arrival_ns, deadline_ns, run_ns = columns(case)
    assert exact(arrival_ns, deadline_ns, run_ns=run_ns) == best_of_all(case)


@given(cases(agreeable=True), st.sampled_from([1, 1_000_000, 100_000_000, 10_000_000_000]))
def test_units_and_the_time_of_day_change_nothing(case: Case, scale: int) -> None:
    arrival_ns, deadline_ns, run_ns = columns(case)
    small = exact(arrival_ns, deadline_ns, run_ns=run_ns)
    arrival_ns, deadline_ns, run_ns = columns(case, scale=scale, origin_ns=FAR_NS)
    assert exact(arrival_ns, deadline_ns, run_ns=run_ns) == small


@given(cases(agreeable=False, events_max=5), st.integers(1, 2))
def test_nothing_passes_the_bound(case: Case, executors: int) -> None:
    arrival_ns, deadline_ns, run_ns = columns(case)
    found = optimum(arrival_ns, deadline_ns, run_ns=run_ns, executors=executors)
    best = best_of_all(case, executors=executors)
    assert found.served == best if found.kind == "exact" else found.served >= best


@given(cases(agreeable=True))
def test_the_fluid_bound_holds_far_from_1970(case: Case) -> None:
    arrival_ns, deadline_ns, run_ns = columns(case, scale=1_000_000, origin_ns=FAR_NS)
    bound = fluid_bound(arrival_ns, deadline_ns, run_ns=run_ns, executors=1)
    assert exact(arrival_ns, deadline_ns, run_ns=run_ns) <= bound <= len(arrival_ns)


def test_which_method_is_taken() -> None:
    arrival_ns, run_ns = np.arange(10) * 100, np.array([50, 60])
    assert optimum(arrival_ns, arrival_ns + 50, run_ns=run_ns).kind == "exact"
    assert optimum(arrival_ns, arrival_ns + 50, run_ns=run_ns, cells_max=1).kind == "bound"
    assert optimum(arrival_ns, arrival_ns + 50, run_ns=run_ns, executors=2).kind == "bound"
    assert optimum(arrival_ns, arrival_ns[::-1] + 900, run_ns=run_ns).kind == "bound"


def test_long_traces_cross_many_renewals_of_the_table() -> None:
    # Pairs of events, each pair just in time together: all are served, whatever the table's length.
    pair_ns = np.repeat(np.arange(2_000) * 1_000, 2)
    run_ns = np.array([600, 1_000, 1_001])
    assert exact(pair_ns, pair_ns + 1_000, run_ns=run_ns) == 4_000
    assert exact(pair_ns, pair_ns + 999, run_ns=run_ns) == 2_000


def test_nothing_offered_and_nothing_possible() -> None:
    none = np.empty(0, np.int64)
    assert optimum(none, none, run_ns=np.array([5])).served == 0
    assert optimum(np.array([0]), np.array([4]), run_ns=np.array([5])).served == 0


@pytest.mark.parametrize(
    ("arrival", "run"), [([1, 0], [5]), ([0, 1], []), ([0, 1], [0]), ([0, 1], [5, 4])]
)
def test_refuses_what_is_no_case(arrival: list[int], run: list[int]) -> None:
    arrival_ns = np.array(arrival, np.int64)
    with pytest.raises(ValueError, match=r"ascending|go down"):
        optimum(arrival_ns, arrival_ns + 10, run_ns=np.array(run, np.int64))
