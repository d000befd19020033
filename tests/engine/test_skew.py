"""Producers' clocks: what is learned of them, and from whom nothing is."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import NS_PER_MS, NS_PER_S, Duration
from streamproc.engine import Skew
from streamproc.engine.skew import SAMPLES_MIN, SOURCES_MAX, ClockSkew

MS = NS_PER_MS


class Stream:
    """One source's events, a poll after the other."""

    def __init__(self, options: Skew | None = None) -> None:
        self.skew = ClockSkew(options or Skew())
        self.now_ns = 10**18
        self.correction_ns = 0

    def come(self, *difference_ms: float, times: int = 1, at_end: bool = True, every_ms: float = 0) -> int:  # fmt: skip
        for _ in range(times):
            self.now_ns += int(every_ms * MS)
            differences = np.array([int(ms * MS) for ms in difference_ms], np.int64)
            self.correction_ns = self.skew.correction_ns(
                "t/0", differences, self.now_ns, at_end=at_end
            )
        return self.correction_ns

    @property
    def known_ns(self) -> int | None:
        return dict(self.skew.known()).get("t/0")


def test_a_clock_that_is_ahead_is_known_after_a_hundred_events() -> None:
    stream = Stream()
    assert stream.come(-1270, times=SAMPLES_MIN - 1) == 0
    assert stream.come(-1270) == -1270 * MS


def test_what_varies_above_the_envelope_does_not_move_it() -> None:
    stream = Stream()
    stream.come(*[-1270 + i % 20 for i in range(400)], times=30, every_ms=300)
    assert -1270 * MS <= stream.correction_ns <= -1268 * MS


def test_a_wild_timestamp_is_passed_over() -> None:
    stream = Stream()
    hour_ms = 3_600_000
    stream.come(*[5.0] * 99, -hour_ms, times=200, every_ms=100)
    assert stream.correction_ns == 0
    assert stream.known_ns == 5 * MS


def test_a_slow_clock_is_told_and_not_corrected() -> None:
    stream = Stream()
    assert stream.come(1000, times=200) == 0
    assert stream.known_ns == 1000 * MS


def test_a_slow_clock_is_corrected_where_that_is_asked_for_up_to_a_limit() -> None:
    stream = Stream(Skew(slow="correct", max=Duration.parse("2s")))
    assert stream.come(1000, times=200) == 1000 * MS
    assert Stream(Skew(slow="correct")).come(60_000, times=200) == 5 * NS_PER_S


def test_a_backlog_teaches_nothing_of_a_slow_clock() -> None:
    stream = Stream(Skew(slow="correct"))
    assert stream.come(60_000, times=5_000, at_end=False) == 0
    assert stream.known_ns is None
    assert stream.come(3, times=5_000, every_ms=1) == 3 * MS


def test_a_backlog_does_not_make_a_fast_clock_forgotten() -> None:
    stream = Stream()
    stream.come(-500, times=200)
    stream.come(*[59_500] * 50, times=5_000, at_end=False, every_ms=50)
    assert stream.correction_ns == -500 * MS


def test_a_clock_that_was_put_right_is_believed_after_a_while() -> None:
    stream = Stream()
    stream.come(*[-500] * 50, times=50, every_ms=20)
    stream.come(*[2] * 50, times=30, every_ms=100)
    assert stream.correction_ns == -500 * MS
    stream.come(*[2] * 50, times=700, every_ms=100)
    assert stream.correction_ns == 0
    assert stream.known_ns == 2 * MS


def test_a_clock_that_runs_ahead_further_is_followed_at_once() -> None:
    stream = Stream()
    seen = [stream.come(*[-10 * i] * 200, times=2, every_ms=1000) for i in range(1, 8)]
    assert all(later < earlier for earlier, later in pairwise(seen))


def test_sources_do_not_learn_from_each_other_and_are_bounded() -> None:
    skew = ClockSkew(Skew())
    ahead = np.full(SAMPLES_MIN, -MS)
    assert skew.correction_ns("a", ahead, 0, at_end=True) == -MS
    assert skew.correction_ns("b", -ahead, 0, at_end=True) == 0
    for number in range(SOURCES_MAX):
        skew.correction_ns(f"{number}", ahead[:1], 0, at_end=True)
    assert len(skew._envelopes) <= SOURCES_MAX


@given(
    ahead_ms=st.integers(0, 10_000),
    longest_ms=st.integers(0, 400),
    count=st.integers(300, 2_000),
    poll=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_correction_is_never_more_than_the_clock_is_ahead(
    ahead_ms: int, longest_ms: int, count: int, poll: int, seed: int
) -> None:
    """An event waits 0 ms or longer on its way: nothing is made older than it is."""
    waits_ms = np.random.default_rng(seed).integers(0, longest_ms + 1, count)
    stream = Stream()
    for start in range(0, count, poll):
        stream.come(*(waits_ms[start : start + poll] - ahead_ms).tolist(), every_ms=7)
    assert -ahead_ms * MS <= stream.correction_ns <= 0
