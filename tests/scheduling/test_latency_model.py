"""How long things take: a curve from the sweep, corrected by what is seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import LatencyModel, SendLatency

MS = 1_000_000
HOUR_NS = 3_600_000 * MS


def model() -> LatencyModel:
    """A batch of b takes 1 ms + b * 0.1 ms, measured at a few sizes."""
    sizes = [1, 2, 4, 8, 16]
    return LatencyModel(sizes, [cost(b) for b in sizes], size_max=16)


def cost(size: int) -> int:
    return MS + size * MS // 10


def test_between_the_measured_sizes_lies_a_line() -> None:
    assert [model().predict_ns(size) for size in range(1, 17)] == [cost(b) for b in range(1, 17)]


def test_beyond_the_largest_batch_it_says_what_that_takes() -> None:
    assert model().predict_ns(17) == model().predict_ns(1_000) == cost(16)
    assert LatencyModel([1, 2], [5, 7], size_max=4).run_ns.tolist() == [5, 7, 7, 7]
    assert LatencyModel([1, 8], [10, 80], size_max=3).run_ns.tolist() == [10, 20, 30]


@pytest.mark.parametrize(("size", "run_ns"), [([], []), ([1], [0]), ([1, 2], [5, -1])])
def test_without_positive_times_there_is_no_model(size: list[int], run_ns: list[int]) -> None:
    with pytest.raises(ValueError, match="needs positive times"):
        LatencyModel(size, run_ns, size_max=4)


sweeps = st.lists(st.integers(1, 10**10), min_size=1, max_size=6)
observations = st.lists(st.tuples(st.integers(1, 40), st.integers(-5, HOUR_NS)), max_size=90)


@settings(max_examples=100, deadline=None)
@given(sweeps, observations)
def test_whatever_it_sees_a_larger_batch_never_takes_less(
    swept: list[int], seen: list[tuple[int, int]]
) -> None:
    made = LatencyModel([1 << p for p in range(len(swept))], swept, size_max=40)
    for size, took_ns in seen:
        made.observe(size, took_ns)
    run_ns = made.run_ns
    assert run_ns.shape == (40,)
    assert run_ns.dtype == np.int64
    assert run_ns[0] >= 0
    assert np.all(np.diff(run_ns) >= 0)
    assert made.predict_ns(40) == run_ns[-1]


@pytest.mark.parametrize("phase", range(10))
def test_one_outlier_in_ten_moves_nothing(phase: int) -> None:
    made = model()
    for run in range(400):
        made.observe(8, cost(8) * (50 if run % 10 == phase else 1))
        if run >= 7:  # at the very start it does: little else is known
            assert made.predict_ns(8) == cost(8), run


@pytest.mark.parametrize("change", [0.2, 1.5, 7.0])
def test_it_follows_a_lasting_change_within_its_window(change: float) -> None:
    made = model()
    for _ in range(100):
        made.observe(4, cost(4))
    for _ in range(64):
        made.observe(4, round(cost(4) * change))
    for size in (1, 4, 16):  # the whole curve goes with it
        assert made.predict_ns(size) == pytest.approx(cost(size) * change, rel=1e-5)


def test_it_becomes_slower_sooner_than_faster() -> None:
    made = model()
    for _ in range(64):
        made.observe(4, cost(4))
    slow = 0
    while made.predict_ns(4) == cost(4):
        made.observe(4, 3 * cost(4))
        slow += 1
    assert slow == 16


def test_the_first_run_already_counts() -> None:
    made = model()
    made.observe(1, 3 * cost(1))
    assert made.predict_ns(16) == 3 * cost(16)
    made.observe(1, 4 * cost(1))
    assert made.predict_ns(16) == 4 * cost(16)


def test_what_was_handed_out_stays_as_it_was() -> None:
    made = model()
    before = made.run_ns
    kept = before.copy()
    made.observe(1, 9 * cost(1))
    assert made.run_ns is not before
    assert np.array_equal(before, kept)


def test_a_batch_larger_than_the_largest_counts_as_that() -> None:
    made = model()
    made.observe(1_000, 2 * cost(16))
    assert made.predict_ns(16) == 2 * cost(16)


def send(**changes: int) -> SendLatency:
    return SendLatency(**{"ceiling_ns": 50 * MS} | changes)


def test_before_any_send_it_answers_what_it_was_told() -> None:
    assert send().send_ns == 3 * MS
    assert send(first_ns=7).send_ns == 7
    assert send(ceiling_ns=MS).send_ns == MS


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, HOUR_NS), max_size=700), st.integers(0, 100 * MS))
def test_no_stall_makes_it_answer_more_than_its_ceiling(took: list[int], ceiling: int) -> None:
    found = send(ceiling_ns=ceiling)
    for ns in took:
        found.observe(ns)
        assert 0 <= found.send_ns <= ceiling


def test_one_slow_send_in_a_thousand_is_expected() -> None:
    found = send()
    for number in range(1, 8_193):
        found.observe(40 * MS if number % 2_000 == 0 else 2 * MS)
        assert number < 4_096 or found.send_ns == 2 * MS


def test_a_pause_every_few_seconds_is_allowed_for() -> None:
    found = send()
    for number in range(1, 4_097):
        found.observe(30 * MS if number % 500 < 2 else 2 * MS)
        assert number < 600 or found.send_ns == 30 * MS


def test_the_first_sends_say_too_little() -> None:
    found = send(first_ns=25 * MS)
    for _ in range(255):
        found.observe(2 * MS)
        assert found.send_ns == 25 * MS
    found.observe(2 * MS)
    assert found.send_ns == 2 * MS


def test_it_comes_down_again() -> None:
    found = send()
    for _ in range(600):
        found.observe(45 * MS)
    assert found.send_ns == 45 * MS
    for _ in range(2_048):
        found.observe(MS)
    assert found.send_ns == MS
