"""Schedulers side by side: each for its own events, none in another's way."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import (
    ArmedScheduler,
    ArmSpec,
    Batching,
    Expired,
    LatencyModel,
    Offered,
    Planner,
    Reload,
    Run,
    SendLatency,
    Variant,
    WaitUntil,
    arm_of,
)

MS = 1_000_000


def variant(name: str, ms: int = 1) -> Variant:
    return Variant(name, 1.0, LatencyModel([1], [ms * MS], size_max=8))


def scheduler(*arms: int, slots: int = 1) -> ArmedScheduler:
    made = ArmedScheduler(
        batching=Batching(max_size=8),
        shed=(Expired(), Planner()),
        ordering="key",
        variants=[variant("full")],
        send=SendLatency(ceiling_ns=MS),
        slots=slots,
    )
    for number in arms:
        made.add_arm(ArmSpec(number, variant(f"arm {number}"), 10 + number))
    return made


def offer(
    to: ArmedScheduler, first: int, arms: list[int], *, deadline_ns: int = 1_000 * MS
) -> None:
    number = np.arange(first, first + len(arms))
    arm = np.array(arms, np.int64)
    to.offer(Offered(number, np.full(len(arms), deadline_ns), 0, arm=arm), 0)


def runs(of: ArmedScheduler, now_ns: int = 0) -> list[Run]:
    found = []
    while isinstance(action := of.next_action(now_ns).action, Run):
        found.append(action)
    return found


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 2))
def test_each_event_is_run_once_by_its_arm(arms: list[int], slots: int) -> None:
    one = scheduler(1, 2, slots=slots)
    offer(one, 0, arms)
    assert one.queue_depth == sum(one.queue_depths) == len(arms)
    by_arm = defaultdict(list)
    seen = set()
    while one.queue_depth:
        started = runs(one)
        for run in started:
            assert run.run not in seen
            assert run.arm == arm_of(run.run)
            assert run.variant == (10 + run.arm if run.arm else 0)
            seen.add(run.run)
            by_arm[run.arm] += run.number.tolist()
        for run in started:
            one.complete(run.run, MS)
    for arm in range(3):
        assert sorted(by_arm[arm]) == [n for n, own in enumerate(arms) if own == arm]


def test_a_busy_arm_keeps_no_other_from_running() -> None:
    one = scheduler(1)
    offer(one, 0, [1] * 20)
    assert [run.arm for run in runs(one)] == [1]
    offer(one, 20, [0] * 3)
    assert [run.arm for run in runs(one)] == [0]


def test_what_an_arm_gives_up_is_told_whoever_runs() -> None:
    one = scheduler(1)
    offer(one, 0, [1, 1], deadline_ns=0)
    offer(one, 2, [0])
    shed = [number for _ in range(2) for s in one.next_action(MS).shed for number in s.number]
    assert shed == [0, 1]


def test_an_arm_that_goes_leaves_what_waits_and_its_runs_are_forgotten() -> None:
    one = scheduler(1)
    offer(one, 0, [1] * 20 + [0])
    started = [run for run in runs(one) if run.arm == 1]
    waiting = one.remove_arm(1)
    assert sorted([*waiting.tolist(), *started[0].number.tolist()]) == list(range(20))
    assert one.queue_depth == 0
    offer(one, 21, [1])  # whoever has not heard of it yet
    assert one.queue_depth == 1


def test_what_is_held_waits_and_is_not_given_up() -> None:
    one = scheduler(1)
    one.held.add(1)
    offer(one, 0, [1], deadline_ns=50 * MS)
    assert not runs(one, 100 * MS)
    assert one.queue_depth == 1
    one.held.clear()
    assert [s.number.tolist() for s in one.next_action(100 * MS).shed] == [[0]]


def test_the_first_that_is_to_be_asked_again_says_when() -> None:
    one = ArmedScheduler(
        batching=Batching(max_size=8, policy="deferred"),
        shed=(Expired(),),
        ordering="none",
        variants=[variant("full")],
        send=SendLatency(ceiling_ns=MS),
        slots=1,
    )
    one.add_arm(ArmSpec(1, variant("b"), 1))
    offer(one, 0, [0], deadline_ns=90 * MS)
    offer(one, 1, [1], deadline_ns=40 * MS)
    action = one.next_action(0).action
    assert isinstance(action, WaitUntil)
    assert action.instant_ns < 40 * MS


def test_a_reload_keeps_arms_and_what_waits() -> None:
    one = scheduler(1)
    offer(one, 0, [1] * 3)
    one.reload(Reload(Batching(max_size=2), (), [variant("new")], (one._options.lanes[0],), MS))
    assert one.queue_depth == 3
    assert [len(run.number) for run in runs(one)] == [2]
