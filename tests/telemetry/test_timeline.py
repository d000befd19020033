"""The timeline: intervals lose nothing, however often they are joined."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Outcome, TopicPartition
from streamproc.telemetry import Accounts, Gauges, Interval, Timeline

MS = 1_000_000
STEP_NS = 10 * MS
PARTITIONS = [TopicPartition("t", number) for number in range(2)]


@dataclass(frozen=True, slots=True)
class Piece:
    """What happens before a sample, and what the gauges say at it."""

    wait_ns: int
    latencies_ns: list[int]
    shed: int
    depth: int | None
    lag: int


pieces = st.lists(
    st.builds(
        Piece,
        wait_ns=st.integers(0, 3 * STEP_NS),
        latencies_ns=st.lists(st.integers(1, 500 * MS), max_size=4),
        shed=st.integers(0, 5),
        depth=st.none() | st.integers(0, 100),
        lag=st.integers(0, 100),
    ),
    max_size=60,
)


def happen(accounts: Accounts, piece: Piece) -> None:
    latencies_ns = np.array(piece.latencies_ns, dtype=np.int64)
    accounts.settle(Outcome.ON_TIME, latencies_ns.size)
    accounts.settle(Outcome.SHED, piece.shed, "expired")
    accounts.latency(latencies_ns)
    accounts.stage("infer", latencies_ns)
    if latencies_ns.size:
        accounts.batch(int(latencies_ns.size), "idle")


def watched(
    course: list[Piece], intervals_max: int = 200
) -> tuple[Accounts, list[Interval], list[int]]:
    """A run of which the first piece happened before it was watched; books, intervals, sample times."""
    accounts = Accounts(pipeline="p")
    timeline = Timeline(step_ns=STEP_NS, intervals_max=intervals_max)
    now_ns, times = 0, []
    for piece in course:
        happen(accounts, piece)
        now_ns += piece.wait_ns
        lag = {PARTITIONS[0]: piece.lag, PARTITIONS[1]: 1}
        timeline.sample(accounts, Gauges(queue_depth=piece.depth, lag_records=lag), now_ns)
        times.append(now_ns)
    return accounts, timeline.intervals(), times


@settings(deadline=None, max_examples=50)
@given(pieces, st.sampled_from([2, 4, 10, 200]))
def test_joining_intervals_loses_nothing(course: list[Piece], intervals_max: int) -> None:
    accounts, intervals, times = watched(course, intervals_max)
    if len(course) < 2:
        assert intervals == []
        return
    before = Accounts(pipeline="p")
    happen(before, course[0])

    assert 1 <= len(intervals) <= intervals_max
    assert (intervals[0].start_ns, intervals[-1].end_ns) == (times[0], times[-1])
    assert [one.end_ns for one in intervals[:-1]] == [one.start_ns for one in intervals[1:]]
    assert sum(one.consumed for one in intervals) == accounts.consumed - before.consumed
    for outcome in Outcome:
        grown = accounts.outcomes[outcome] - before.outcomes[outcome]
        assert sum(one.outcome(outcome) for one in intervals) == grown
    whole = accounts.e2e.counts().since(before.e2e.counts())
    assert sum(one.latency.count for one in intervals) == whole.count
    assert sum(one.latency.sum_ns for one in intervals) == whole.sum_ns
    assert max(one.latency.max_ns for one in intervals) == whole.max_ns
    np.testing.assert_array_equal(
        sum(one.latency.cumulative for one in intervals), whole.cumulative
    )
    assert sum(one.batched for one in intervals) == accounts.batched - before.batched
    assert sum(one.batches for one in intervals) == sum(accounts.batches.values()) - sum(
        before.batches.values()
    )
    spent_ns = sum(one.stage_mean_ns.get("infer", 0) * one.latency.count for one in intervals)
    assert spent_ns == pytest.approx(whole.sum_ns)


@settings(deadline=None, max_examples=50)
@given(pieces, st.sampled_from([2, 4, 200]))
def test_peaks_of_the_gauges_are_kept(course: list[Piece], intervals_max: int) -> None:
    _, intervals, _ = watched(course, intervals_max)
    seen = [piece.depth for piece in course[1:] if piece.depth is not None]
    kept = [one.queue_depth for one in intervals if one.queue_depth is not None]
    assert max(kept, default=None) == max(seen, default=None)
    assert max((one.lag for one in intervals), default=0) == max(
        (piece.lag + 1 for piece in course[1:]), default=0
    )


@pytest.mark.parametrize(("samples", "shortest"), [(10, 1), (41, 4), (400, 40)])
def test_when_there_are_too_many_they_become_longer(samples: int, shortest: int) -> None:
    course = [Piece(STEP_NS, [MS], 0, 0, 0)] * samples
    _, intervals, _ = watched(course, intervals_max=10)
    assert 5 <= len(intervals) <= 10
    widths = [(one.end_ns - one.start_ns) // STEP_NS for one in intervals]
    assert min(widths[:-1]) >= shortest
    assert max(widths) <= 2 * min(widths[:-1])


def test_a_last_piece_that_is_too_short_is_joined() -> None:
    course = [Piece(STEP_NS, [MS], 0, 0, 0)] * 3 + [Piece(STEP_NS // 4, [2 * MS], 0, 0, 0)]
    _, intervals, _ = watched(course)
    assert [one.consumed for one in intervals] == [1, 2]


def test_what_did_not_occur_is_left_out() -> None:
    quiet = Piece(STEP_NS, [], 0, None, 0)
    _, (first, second), _ = watched([quiet, Piece(STEP_NS, [MS], 0, None, 0), quiet])
    assert first.settled == {(Outcome.ON_TIME, ""): 1}
    assert set(first.stage_mean_ns) == {"infer"}
    assert (second.settled, second.stage_mean_ns, second.queue_depth) == ({}, {}, None)


@pytest.mark.parametrize("intervals_max", [0, 1, 7])
def test_pairs_need_an_even_number(intervals_max: int) -> None:
    with pytest.raises(ValueError, match=f"an even number, was {intervals_max}"):
        Timeline(intervals_max=intervals_max)
