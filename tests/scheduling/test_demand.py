"""What is offered, and how many workers it needs: beside an exhaustive simulation of them."""

import math
from bisect import bisect_left, bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Int64Array
from streamproc.scheduling import ArrivalRate, LatencyModel, demand_workers

MS = 1_000_000
S = 1_000 * MS


# The rate.


def told(arrival_ns: Int64Array, poll_ns: int = MS) -> ArrivalRate:
    """A rate that was told of the arrivals once a millisecond."""
    rate = ArrivalRate()
    poll, count = np.unique(arrival_ns // poll_ns, return_counts=True)
    for at, events in zip(poll.tolist(), count.tolist(), strict=True):
        rate.add(events, (at + 1) * poll_ns)
    return rate


def test_without_events_there_is_no_rate() -> None:
    assert ArrivalRate().per_s(5) == ArrivalRate().fast_per_s(5) == 0.0
    assert ArrivalRate().peak_ratio(5) == 1.0


def test_it_tells_the_rate_from_the_first_events_on() -> None:
    rate = ArrivalRate()
    rate.add(1, 7 * S)
    assert 0 < rate.per_s(7 * S) < 25
    for ms in range(1, 60):
        rate.add(1, 7 * S + ms * MS)
    assert rate.per_s(7 * S + 60 * MS) == pytest.approx(1_000, rel=0.03)
    assert rate.fast_per_s(7 * S + 60 * MS) == pytest.approx(1_000, rel=0.03)


def test_it_fades_when_nothing_comes() -> None:
    rate = told(np.arange(0, 20 * S, MS))
    assert rate.per_s(20 * S) == pytest.approx(1_000, rel=0.02)
    assert rate.fast_per_s(20 * S + 300 * MS) == pytest.approx(1_000 / math.e, rel=0.02)
    assert rate.per_s(25 * S) == pytest.approx(1_000 / math.e, rel=0.02)
    assert rate.per_s(10_000 * S) < 1e-9


def test_a_step_is_followed_quickly_by_the_one_and_in_15_s_by_the_other() -> None:
    before, after = np.arange(0, 20 * S, MS), np.arange(20 * S, 35 * S, MS // 3)
    rate = told(np.concatenate((before, after)))
    assert rate.per_s(35 * S) == pytest.approx(3_000, rel=0.04)
    early = told(np.concatenate((before, after[after < 21 * S])))
    assert early.fast_per_s(21 * S) == pytest.approx(3_000, rel=0.04)


def test_instants_that_go_back_are_taken_as_the_last_one() -> None:
    rate = ArrivalRate()
    rate.add(5, S)
    rate.add(5, S // 2)
    assert rate.per_s(0) == rate.per_s(S) > 0
    assert rate.peak_ratio(0) >= 1.0


def test_independent_arrivals_have_no_bursts_and_bursts_are_seen() -> None:
    rng = np.random.default_rng(1)
    assert told(poisson(rng, 2_000, 30_000)).peak_ratio(15 * S) == pytest.approx(1.0, abs=0.05)
    one_in_four = np.concatenate([np.arange(0, 50 * MS, MS // 8) + k * 200 * MS for k in range(60)])
    assert 3.4 < told(one_in_four).peak_ratio(12 * S) < 4.0  # less what scatter alone would be


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3 * S)), max_size=60),
    st.integers(-(10**15), 10**15),
)
def test_a_shift_of_all_times_changes_no_rate(adds: list[tuple[int, int]], shift: int) -> None:
    rate, shifted = ArrivalRate(), ArrivalRate()
    now = 0
    for count, step in adds:
        now += step
        rate.add(count, now)
        shifted.add(count, now + shift)
        assert shifted.per_s(now + shift) == rate.per_s(now) >= 0
        assert shifted.fast_per_s(now + shift) == rate.fast_per_s(now) >= 0
        assert rate.peak_ratio(now) >= 1.0


# The workers.

MODELS = [(2.0, 0.1, 64, 20), (2.0, 0.5, 64, 20), (5.0, 1.0, 32, 20), (1.0, 0.2, 16, 5)]
"""Milliseconds a batch and an event, largest batch, budget in milliseconds."""
LOADS = [0.5, 1.0, 2.0, 3.0, 4.0]


def model(fixed_ms: float, event_ms: float, size_max: int) -> LatencyModel:
    run_ns = [round((fixed_ms + event_ms * b) * MS) for b in range(1, size_max + 1)]
    return LatencyModel(range(1, size_max + 1), run_ns, size_max=size_max)


def capacity(latency: LatencyModel) -> float:
    return len(latency.run_ns) / int(latency.run_ns[-1]) * S


def poisson(rng: np.random.Generator, rate_per_s: float, count: int) -> Int64Array:
    return np.cumsum(rng.exponential(S / rate_per_s, count)).astype(np.int64)


def bursty(rng: np.random.Generator, rate_per_s: float, count: int) -> Int64Array:
    """Half of the events in bursts of 30 ms on average, at three times the mean rate."""
    burst_s, lull_s = 0.03, 0.15
    parts: list[Int64Array] = []
    now_s, made = 0.0, 0
    while made < count:
        for factor, mean_s in ((0.6, lull_s), (3.0, burst_s)):
            length_s = rng.exponential(mean_s)
            events = rng.poisson(factor * rate_per_s * length_s)
            at_s = now_s + np.sort(rng.random(events)) * length_s
            parts.append((at_s * S).astype(np.int64))
            now_s += length_s
            made += events
    return np.concatenate(parts)[:count]


def in_time(arrival_ns: Int64Array, latency: LatencyModel, budget_ns: int, slots: int = 1) -> int:
    """How many events one worker answers in time, early drop, one queue for all its executors.

    The batch is the largest that is in time if it begins at its oldest possible event; what is older is
    given up.
    """
    run_ns = latency.run_ns.tolist()
    came_ns = arrival_ns.tolist()
    free_ns = [0] * slots
    first = answered = 0
    while first < len(came_ns):
        slot = free_ns.index(min(free_ns))
        now_ns = max(free_ns[slot], came_ns[first])
        end = bisect_right(came_ns, now_ns)
        fits, too_large = 0, min(end - first, len(run_ns)) + 1
        while too_large - fits > 1:
            size = (fits + too_large) // 2
            if came_ns[end - size] + budget_ns >= now_ns + run_ns[size - 1]:
                fits = size
            else:
                too_large = size
        if not fits:
            first = end
            continue
        while came_ns[first] + budget_ns < now_ns + run_ns[fits - 1]:
            first += 1
        first += fits
        answered += fits
        free_ns[slot] = now_ns + run_ns[fits - 1]
    return answered


def simulated_workers(
    arrival_ns: Int64Array,
    latency: LatencyModel,
    budget_ns: int,
    *,
    slots: int = 1,
    objective: float = 0.99,
) -> int:
    """The fewest workers, the load spread over them by chance, that answer the objective in time."""

    def are_enough(workers: int) -> bool:
        of = np.random.default_rng(workers).integers(0, workers, len(arrival_ns))
        answered = sum(
            in_time(arrival_ns[of == worker], latency, budget_ns, slots)
            for worker in range(workers)
        )
        return answered >= objective * len(arrival_ns)

    return bisect_left(range(100), 1, lo=1, key=are_enough)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(("fixed_ms", "event_ms", "size_max", "budget_ms"), MODELS)
def test_independent_arrivals_need_as_many_workers_as_the_simulation_finds(
    fixed_ms: float, event_ms: float, size_max: int, budget_ms: int, load: float
) -> None:
    latency, budget_ns = model(fixed_ms, event_ms, size_max), budget_ms * MS
    rate_per_s = capacity(latency) * load
    arrival_ns = poisson(np.random.default_rng(7), rate_per_s, 10_000)
    found = demand_workers(rate_per_s, latency, slots=1, budget_ns=budget_ns, send_ns=0)
    assert abs(found - simulated_workers(arrival_ns, latency, budget_ns)) <= 1


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(("fixed_ms", "event_ms", "size_max", "budget_ms"), MODELS)
def test_bursts_need_more_as_the_simulation_finds(
    fixed_ms: float, event_ms: float, size_max: int, budget_ms: int, load: float
) -> None:
    latency, budget_ns = model(fixed_ms, event_ms, size_max), budget_ms * MS
    rate_per_s = capacity(latency) * load
    # Ten seconds are fifty bursts, of different lengths: what they hold scatters by more than a tenth.
    arrival_ns = bursty(np.random.default_rng(7), rate_per_s, round(10 * rate_per_s))
    rate, now_ns = told(arrival_ns), int(arrival_ns[-1])
    found = demand_workers(
        rate.per_s(now_ns),
        latency,
        slots=1,
        budget_ns=budget_ns,
        send_ns=0,
        peak_ratio=rate.peak_ratio(now_ns),
    )
    last = arrival_ns[arrival_ns > now_ns - 5 * S]
    simulated = simulated_workers(last, latency, budget_ns)
    assert abs(found - simulated) <= max(1, 0.15 * simulated), (found, simulated)


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize(("fixed_ms", "event_ms", "size_max", "budget_ms"), MODELS)
def test_workers_with_several_executors(
    fixed_ms: float, event_ms: float, size_max: int, budget_ms: int, slots: int
) -> None:
    latency, budget_ns = model(fixed_ms, event_ms, size_max), budget_ms * MS
    rate_per_s = capacity(latency) * slots * 2
    arrival_ns = poisson(np.random.default_rng(7), rate_per_s, 20_000)
    found = demand_workers(rate_per_s, latency, slots=slots, budget_ns=budget_ns, send_ns=0)
    assert abs(found - simulated_workers(arrival_ns, latency, budget_ns, slots=slots)) <= 1


@pytest.mark.parametrize("objective", [0.95, 0.999])
@pytest.mark.parametrize(("fixed_ms", "event_ms", "size_max", "budget_ms"), MODELS)
def test_other_objectives(
    fixed_ms: float, event_ms: float, size_max: int, budget_ms: int, objective: float
) -> None:
    latency, budget_ns = model(fixed_ms, event_ms, size_max), budget_ms * MS
    rate_per_s = capacity(latency) * 2
    arrival_ns = poisson(np.random.default_rng(7), rate_per_s, 20_000)
    found = demand_workers(
        rate_per_s, latency, slots=1, budget_ns=budget_ns, send_ns=0, objective=objective
    )
    simulated = simulated_workers(arrival_ns, latency, budget_ns, objective=objective)
    assert abs(found - simulated) <= 1, (found, simulated)


@pytest.mark.parametrize(("fixed_ms", "event_ms", "size_max", "budget_ms"), MODELS)
def test_within_15_s_of_a_step_it_is_right(
    fixed_ms: float, event_ms: float, size_max: int, budget_ms: int
) -> None:
    """From 1x to 3x."""
    latency, rng = model(fixed_ms, event_ms, size_max), np.random.default_rng(3)
    once = capacity(latency)
    before = poisson(rng, once, round(20 * once))
    after = before[-1] + poisson(rng, 3 * once, round(45 * once))
    rate = told(np.concatenate((before, after)))
    now_ns = int(after[-1])
    found = demand_workers(
        rate.per_s(now_ns),
        latency,
        slots=1,
        budget_ns=budget_ms * MS,
        send_ns=0,
        peak_ratio=rate.peak_ratio(now_ns),
    )
    assert abs(found - simulated_workers(after[:40_000], latency, budget_ms * MS)) <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 10**10), min_size=1, max_size=20),
    st.integers(1, 16),
    st.integers(0, 10**10),
    st.integers(-(10**9), 10**10),
    st.floats(0.5, 0.9999),
    st.floats(0.0, 1e6),
)
def test_it_is_a_number_that_grows_with_the_load_and_with_the_sending(
    run_ns: list[int],
    slots: int,
    budget_ns: int,
    send_ns: int,
    objective: float,
    rate_per_s: float,
) -> None:
    latency = LatencyModel(range(1, len(run_ns) + 1), run_ns, size_max=len(run_ns))

    def workers(rate_per_s: float) -> float:
        return demand_workers(
            rate_per_s,
            latency,
            slots=slots,
            budget_ns=budget_ns,
            send_ns=send_ns,
            objective=objective,
        )

    found = workers(rate_per_s)
    assert math.isfinite(found)
    assert found >= 0
    assert workers(2 * rate_per_s) == pytest.approx(2 * found)  # so it can be summed


def test_what_no_number_of_workers_could_meet_is_told_as_what_could_run_it() -> None:
    late = demand_workers(500.0, model(2.0, 0.5, 64), slots=1, budget_ns=2 * MS, send_ns=MS)
    assert late == pytest.approx(500.0 / capacity(model(2.0, 0.5, 64)))


@pytest.mark.parametrize("objective", [0.0, 1.0, 99.0])
def test_an_objective_that_is_no_share_is_refused(objective: float) -> None:
    with pytest.raises(ValueError, match="objective"):
        demand_workers(
            1.0,
            model(2.0, 0.5, 64),
            slots=1,
            budget_ns=20 * MS,
            send_ns=0,
            objective=objective,
        )
