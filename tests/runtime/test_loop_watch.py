"""A loop that stands still is told of with its place, and one that comes back is forgiven."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from streamproc.core import NS_PER_MS
from streamproc.runtime.loop_watch import WARN_TICKS, LoopWatch
from tests.support import wait_until

if TYPE_CHECKING:
    import pytest

TICK_S = 0.01


def a_function_that_does_not_return(until: threading.Event) -> None:
    until.wait(10)


def test_a_loop_that_stands_still_is_told_of_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = threading.Event()
    said: list[str] = []

    def hung(why: str) -> None:
        said.append(why)
        told.set()

    with LoopWatch(lambda: 1, patience_ns=100 * NS_PER_MS, hung=hung, tick_s=TICK_S):
        a_function_that_does_not_return(told)
    [why] = said
    assert "a_function_that_does_not_return" in why
    assert __file__ in why
    assert "has stood still" in caplog.text
    assert "a_function_that_does_not_return" in caplog.text


def test_one_that_goes_round_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    looks = iter(range(1_000_000))
    seen = 0

    def beats() -> int:
        nonlocal seen
        seen = next(looks)
        return seen

    def hung(why: str) -> None:
        raise AssertionError(why)

    with LoopWatch(beats, patience_ns=1, hung=hung, tick_s=0.001):
        wait_until("looks", lambda: seen > 10 * WARN_TICKS, every_s=0.001)
    assert not caplog.records


def test_one_that_comes_back_is_forgiven(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    beats, hung = 1, threading.Event()
    with LoopWatch(
        lambda: beats, patience_ns=60_000 * NS_PER_MS, hung=lambda _: hung.set(), tick_s=TICK_S
    ):
        wait_until("the warning", lambda: "has stood still" in caplog.text)
        beats = 2
        wait_until("the other", lambda: "goes on" in caplog.text)
    assert not hung.is_set()
