"""Clocks: time never goes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import NS_PER_MS, NS_PER_S, SystemClock, VirtualClock, process_cpu_ns
from streamproc.core import clock as clock_module

START_NS = 1_700_000_000 * NS_PER_S


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12)))
def test_a_virtual_clock_is_the_running_maximum_of_where_it_was_told_to_go(
    steps: list[int],
) -> None:
    clock = VirtualClock(START_NS)
    expected_ns = START_NS
    for step in steps:
        clock.advance_to(START_NS + step)
        expected_ns = max(expected_ns, START_NS + step)
        assert clock.now_ns() == expected_ns


def test_a_virtual_clock_moves_only_when_told_and_never_back() -> None:
    clock = VirtualClock()
    assert clock.now_ns() == clock.now_ns() == START_NS
    clock.advance(5)
    clock.advance(0)
    assert clock.now_ns() == START_NS + 5
    with pytest.raises(ValueError, match=r"a clock cannot go back: advance\(-1\)"):
        clock.advance(-1)


class Machine:
    """The machine's two clocks, standing still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ns, self.monotonic_ns = START_NS, 77 * NS_PER_S
        monkeypatch.setattr(clock_module.time, "time_ns", lambda: self.wall_ns)
        monkeypatch.setattr(clock_module.time, "monotonic_ns", lambda: self.monotonic_ns)


def test_a_step_of_the_wall_clock_is_told_but_moves_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    clock = SystemClock()
    assert clock.now_ns() == START_NS
    machine.monotonic_ns += 3 * NS_PER_MS
    machine.wall_ns += 3 * NS_PER_MS
    assert (clock.now_ns(), clock.wall_step_ns()) == (START_NS + 3 * NS_PER_MS, 0)
    machine.wall_ns -= 3_600 * NS_PER_S
    assert clock.now_ns() == START_NS + 3 * NS_PER_MS
    assert clock.wall_step_ns() == -3_600 * NS_PER_S


def test_cpu_time_never_goes_back() -> None:
    assert 0 < process_cpu_ns() <= process_cpu_ns()
