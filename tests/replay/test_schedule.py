"""The schedule is absolute, exact, and keeps the bursts."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamproc.core import NS_PER_S
from streamproc.replay import Schedule

gaps = st.lists(st.integers(0, 5 * NS_PER_S), max_size=40)
speeds = st.floats(0.01, 1000)


def schedule_of(found: list[int], speed: float = 1.0, start: int = 0) -> Schedule:
    return Schedule.of(np.cumsum(np.array([start, *found], np.int64)), speed=speed)


def test_an_example() -> None:
    schedule = schedule_of([100, 300], speed=2.0, start=7)
    assert schedule.lap_ns == 600  # 400 and a mean gap of 200
    assert [schedule.due_ns(i) for i in range(7)] == [0, 50, 200, 300, 350, 500, 600]
    assert schedule.count_within(300) == 3
    assert schedule.count_within(301) == 4


@given(gaps, speeds, st.integers(0, 200))
def test_it_never_goes_back(found: list[int], speed: float, index: int) -> None:
    schedule = schedule_of(found, speed)
    assert schedule.due_ns(0) == 0
    assert schedule.due_ns(index) <= schedule.due_ns(index + 1)


@given(gaps, speeds, st.integers(-(10**18), 10**18))
def test_a_shift_of_all_times_changes_nothing(found: list[int], speed: float, shift: int) -> None:
    moved, plain = schedule_of(found, speed, start=shift), schedule_of(found, speed)
    assert [moved.due_ns(i) for i in range(60)] == [plain.due_ns(i) for i in range(60)]


@given(gaps, speeds, st.integers(0, 100))
def test_laps_follow_each_other_without_drift(found: list[int], speed: float, laps: int) -> None:
    schedule = schedule_of(found, speed)
    expected = laps * schedule.lap_ns / speed
    assert schedule.due_ns(laps * len(schedule.offset_ns)) == pytest.approx(expected, abs=1)


@given(gaps, speeds, st.integers(1, 100 * NS_PER_S))
def test_the_count_is_exact(found: list[int], speed: float, duration_ns: int) -> None:
    schedule = schedule_of(found, speed)
    assume(schedule.due_ns(5_000) >= duration_ns)
    count = schedule.count_within(duration_ns)
    assert count == sum(schedule.due_ns(i) < duration_ns for i in range(5_000))


@given(st.lists(st.integers(1, NS_PER_S), min_size=1, max_size=40), st.integers(1, 2_000))
def test_a_rate_is_met_and_proportions_are_kept(found: list[int], rate: int) -> None:
    plain, duration_ns = schedule_of(found), 10 * NS_PER_S
    quick = plain.at_rate(rate, duration_ns=duration_ns)
    assert abs(quick.count_within(duration_ns) - 10 * rate) <= 1
    for index in range(60):
        assert quick.due_ns(index) == pytest.approx(plain.due_ns(index) / quick.speed, abs=1)


def test_less_than_one_event_leaves_the_speed() -> None:
    schedule = schedule_of([100])
    assert schedule.at_rate(0.001, duration_ns=NS_PER_S).speed == 1.0


@pytest.mark.parametrize("offsets", [[], [5], [0, 3, 2]])
def test_what_is_no_schedule_is_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending from 0"):
        Schedule(np.array(offsets, np.int64))


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be positive"):
        Schedule(np.zeros(1, np.int64), speed)
