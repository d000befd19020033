"""Lanes: priority, guaranteed shares, and keys that keep their order across them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import Lane, LaneSpec, Run, Scheduler
from streamproc.scheduling.lanes import LaneShares, distribute
from tests.scheduling.making import MS, START_NS, offered, scheduler

HIGH_LOW = (LaneSpec("high", 0, 0.0, 90 * MS), LaneSpec("low", 1, 0.0, 90 * MS))
RUN_NS = [(8 + 2 * size) * MS for size in range(1, 9)]


def run_of(one: Scheduler, now_ns: int = START_NS) -> list[int]:
    action = one.next_action(now_ns).action
    assert isinstance(action, Run)
    one.complete(action.run, now_ns + RUN_NS[len(action.number) - 1])
    return action.number.tolist()


def lanes(specs: tuple[LaneSpec, ...] = HIGH_LOW, **settings: object) -> Scheduler:
    return scheduler(lanes=specs, run_ns=RUN_NS, size_max=8, send_ns=0, ceiling_ns=0, **settings)  # type: ignore[arg-type]


def test_the_higher_lane_is_served_first_and_the_lower_fills_the_batch_up() -> None:
    one = lanes()
    deadline_ns = START_NS + 60 * MS
    one.offer(offered(range(12), [deadline_ns] * 12, lane=[1] * 9 + [0] * 3), START_NS)
    assert one.queue_depths == [3, 9]
    assert run_of(one) == [0, 1, 2, 3, 4, 9, 10, 11]


def test_a_batch_is_not_made_longer_than_the_higher_lane_can_bear() -> None:
    one = lanes()
    one.offer(
        offered(range(9), [START_NS + 14 * MS] + [START_NS + 60 * MS] * 8, lane=[0] + [1] * 8),
        START_NS,
    )
    assert run_of(one) == [0, 1, 2], "three take 14 ms"


def test_a_batch_leaves_the_higher_lane_time_for_its_next_event() -> None:
    tight = (LaneSpec("high", 0, 0.0, 42 * MS), LaneSpec("low", 1, 0.0, 500 * MS))
    one = lanes(tight)
    one.offer(offered(range(8), [START_NS + 500 * MS] * 8, lane=[1] * 8), START_NS)
    assert len(run_of(one)) == 3, "a third of 42 ms"


def test_a_lane_with_a_share_gets_it_under_the_load_of_a_higher_one() -> None:
    shared = (LaneSpec("high", 0, 0.0, 60 * MS), LaneSpec("low", 1, 0.25, 60 * MS))
    one = lanes(shared)
    number, now_ns, of_low, of_all = 0, START_NS, 0, 0
    for _ in range(100):
        lane = [0] * 10 + [1] * 10
        one.offer(offered(range(number, number + 20), [now_ns + 60 * MS] * 20, lane=lane), now_ns)
        number += 20
        run = run_of(one, now_ns)
        of_low += sum(place % 20 >= 10 for place in run)
        of_all += len(run)
        now_ns += RUN_NS[len(run) - 1]
    assert of_low == pytest.approx(0.25 * of_all, rel=0.05)


def test_a_starved_lane_whose_deadlines_suit_no_batch_of_the_others_gets_one_of_its_own() -> None:
    odd = (LaneSpec("high", 0, 0.0, 400 * MS), LaneSpec("low", 1, 0.2, 12 * MS))
    one = lanes(odd)
    number, now_ns, of_low, of_all = 0, START_NS, 0, 0
    for _ in range(200):
        deadlines = [now_ns + 400 * MS] * 8 + [now_ns + 12 * MS] * 4
        one.offer(offered(range(number, number + 12), deadlines, lane=[0] * 8 + [1] * 4), now_ns)
        number += 12
        run = run_of(one, now_ns)
        of_low += sum(place % 12 >= 8 for place in run)
        of_all += len(run)
        now_ns += RUN_NS[len(run) - 1]
    assert of_low >= 0.1 * of_all


def test_events_of_a_key_are_all_in_the_first_lane_of_any() -> None:
    one = lanes(ordering="key")
    assert one.wants_keys
    deadline_ns = START_NS + 60 * MS
    one.offer(offered([0, 1], [deadline_ns] * 2, lane=[1, 1], key=[5, 6]), START_NS)
    one.offer(offered([2], [deadline_ns - MS], lane=[0], key=[5]), START_NS)
    assert one.queue_depths == [2, 1]
    one.offer(offered([3], [deadline_ns], lane=[1], key=[5]), START_NS)
    assert one.queue_depths == [3, 1], "behind one of its key it must not be overtaken either"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4),
    st.data(),
)
def test_a_batch_is_shared_out_completely(lane: list[tuple[int, int]], data: st.DataObject) -> None:
    available, owed = [a for a, _ in lane], [o for _, o in lane]
    total = data.draw(st.integers(0, sum(available)))
    order = data.draw(st.permutations(range(len(lane))))
    counts = distribute(total, available, owed, order)
    assert sum(counts) == total
    assert all(0 <= count <= there for count, there in zip(counts, available, strict=True))
    # What is owed comes first: nobody gets more than is owed to it while another gets less.
    short = any(c < min(a, o) for c, a, o in zip(counts, available, owed, strict=True))
    assert not short or all(c <= o for c, o in zip(counts, owed, strict=True))


def test_credit_is_bounded_and_gone_when_nothing_waits() -> None:
    shares = LaneShares([LaneSpec("a"), LaneSpec("b", 1, 0.5)], credit_max=10)
    for _ in range(10):
        shares.served([8, 0], [9, 9])
    assert shares.owed(1) == 10
    shares.served([8, 0], [9, 0])
    assert shares.owed(1) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 1.5}, "share must be from 0 to 1"),
        ({"priority": -1}, "priority must be 0 or more"),
        ({"budget": 0}, "budget must be longer than 0"),
    ],
)
def test_a_lane_that_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lane("a", "x > 1", **wrong)  # type: ignore[arg-type]


def test_lanes_do_not_change_what_they_are_told() -> None:
    one = lanes(ordering="key")
    told = offered([0, 1], [START_NS + 60 * MS] * 2, lane=[0, 1], key=[1, 1])
    one.offer(told, START_NS)
    assert told.lane is not None
    assert np.array_equal(told.lane, [0, 1])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # lane
            st.integers(8, 90),  # ms to the deadline
            st.sampled_from([0.2, 0.5, 1.0, 1.0, 2.5, 4.0, 7.0]),  # cost
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 40),
)
@settings(deadline=None)
def test_a_batch_of_several_lanes_is_no_dearer_than_its_deadlines_allow(
    events: list[tuple[int, int, float]], later_ms: int
) -> None:
    specs = tuple(LaneSpec(f"lane {n}", n, 0.2, 90 * MS) for n in range(3))
    one = lanes(specs)
    deadline_ns = [START_NS + ms * MS for _, ms, _ in events]
    costs = [cost for *_, cost in events]
    one.offer(
        offered(range(len(events)), deadline_ns, lane=[n for n, *_ in events], cost=costs), START_NS
    )
    now_ns = START_NS + later_ms * MS
    while isinstance(action := one.next_action(now_ns).action, Run):
        numbers = action.number.tolist()
        taken_ns = RUN_NS[max(1, math.ceil(sum(costs[n] for n in numbers) - 1e-9)) - 1]
        if len(numbers) > 1:
            assert now_ns + taken_ns <= min(deadline_ns[n] for n in numbers)
        now_ns += taken_ns
        one.complete(action.run, now_ns)


def test_a_batch_by_cost_is_filled_from_the_other_lanes() -> None:
    one = lanes()
    one.offer(
        offered(
            range(6),
            [START_NS + 60 * MS] * 6,
            lane=[1] * 5 + [0],
            cost=[3.0, 3.0, 3.0, 1.0, 1.0, 2.0],
        ),
        START_NS,
    )
    assert run_of(one) == [0, 1, 5], "all that eight may cost: 2 and 3 and 3"
